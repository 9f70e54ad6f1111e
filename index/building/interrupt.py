"""Ctrl-C, and other requests to end, that wait for a good moment."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

__all__ = ["Interrupt", "held_interrupt"]

_SIGNALS: Final = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)  # Windows has no SIGHUP
)


class Interrupt:
    """Whether an end was asked for once (`asked`), or again because the first took too long (`insisted`)."""

    def __init__(self) -> None:
        self.insisted = False
        self._number: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self._number is not None

    def obey(self) -> None:
        """End now, if that was asked for: what would have handled the signal does.

        Raises:
            KeyboardInterrupt: or whatever the handler of the signal raises.
        """
        if self._number is not None:
            self._before[self._number](self._number, None)
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            self.insisted = True
            self._before[number](number, frame)
        self._number = number


@contextlib.contextmanager
def held_interrupt() -> Iterator[Interrupt]:
    """Hold the first ctrl-C back, so that the body can end between two steps; the second one interrupts at once.

    So are SIGTERM and SIGHUP where somebody handles them. Outside the main thread, where signals never arrive, nothing
    is held.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    try:
        for number in _SIGNALS:
            before = signal.getsignal(number)
            if callable(before):
                interrupt._before[number] = before
                signal.signal(number, interrupt._handle)
        yield interrupt
    finally:
        for number, before in interrupt._before.items():
            signal.signal(number, before)
