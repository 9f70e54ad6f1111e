"""Ctrl-C that waits for a good moment."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["Interrupt", "held_interrupt"]


class Interrupt:
    """Whether ctrl-C was pressed once (`asked`), or again because the first took too long (`insisted`)."""

    def __init__(self) -> None:
        self.asked = False
        self.insisted = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            self.insisted = True
            raise KeyboardInterrupt
        self.asked = True


@contextlib.contextmanager
def held_interrupt() -> Iterator[Interrupt]:
    """Hold the first ctrl-C back, so that the body can end between two steps; the second one interrupts at once.

    Outside the main thread, where signals never arrive, nothing is held.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = signal.signal(signal.SIGINT, interrupt._handle)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
