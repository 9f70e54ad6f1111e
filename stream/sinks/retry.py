"""`Retry`: when an output that failed is tried again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

__all__ = ["Retry", "pausing"]

RETRY_MIN_SECONDS: Final = 10.0
RETRY_MAX_SECONDS: Final = 60.0

STEADY_SECONDS: Final = 60.0
"""After working for so long, the next fault is a new one, and is tried again soon."""


class Retry:
    """Pauses between attempts that grow from 10 to 60 s. Times are those of any one clock.

    Attributes:
        failing: whether the latest attempt failed.
    """

    def __init__(self) -> None:
        self.failing = False
        self._next_seconds = -math.inf
        self._pause_seconds = RETRY_MIN_SECONDS
        self._worked_seconds = -math.inf

    def due(self, seconds: float) -> bool:
        """Whether it is time for an attempt; always, while nothing fails."""
        return not self.failing or seconds >= self._next_seconds

    def failed(self, seconds: float) -> None:
        """An attempt has failed."""
        if not self.failing and seconds - self._worked_seconds > STEADY_SECONDS:
            self._pause_seconds = RETRY_MIN_SECONDS
        self.failing = True
        self._next_seconds = seconds + self._pause_seconds
        self._pause_seconds = min(RETRY_MAX_SECONDS, 2 * self._pause_seconds)

    def worked(self, seconds: float) -> None:
        """An attempt has gone well after one that failed."""
        self.failing = False
        self._worked_seconds = seconds


def pausing(fault: object, folder: Path) -> str:
    """What the log says when an output pauses.

    Args:
        fault: what happened, in a sentence.
        folder: where there is no room.
    """
    return (
        f"{fault} It pauses, everything else goes on. Make room in {folder.absolute()}, or connect the disk again: it "
        f"is tried again every {RETRY_MIN_SECONDS:g} to {RETRY_MAX_SECONDS:g} s."
    )
