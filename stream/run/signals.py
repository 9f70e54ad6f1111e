"""SIGTERM and SIGHUP end a run as ctrl-C does: everything is closed, every file is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

from stream.run.standard_streams import discard_terminals

__all__ = ["EndedBySignal", "ending_signals"]

HANGUP: Final = getattr(signal, "SIGHUP", None)  # a terminal that was closed, a connection that broke; not on Windows
ENDING: Final = tuple(number for number in (signal.SIGTERM, HANGUP) if number is not None)


class EndedBySignal(KeyboardInterrupt):
    """A signal that asks the process to end.

    Attributes:
        exit_code: as shells have it, 128 and the signal's number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@contextmanager
def ending_signals() -> Iterator[None]:
    """Inside, the first SIGTERM or SIGHUP raises `EndedBySignal` in the main thread.

    Further ones are ignored, because they come in pairs (from the kernel and from the shell), and the second must not
    break off the closing. What ignores a signal already, as under `nohup`, goes on ignoring it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    ours = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def end(number: int, _: FrameType | None) -> NoReturn:
        for each in ours:
            signal.signal(each, signal.SIG_IGN)
        if number == HANGUP:
            discard_terminals()
        raise EndedBySignal(number)

    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
