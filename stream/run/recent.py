"""`Recent`: the frames of the last seconds, so that a rate says how things go now."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["RATE_SECONDS", "Recent"]

RATE_SECONDS: Final = 5.0
"""What rates in the status line and on the page are measured over."""


class Recent:
    """When frames of one source were understood, and how old they were then. Not thread-safe."""

    def __init__(self) -> None:
        self._began_seconds: float | None = None
        self._frames: deque[tuple[float, float | None]] = deque()

    def add(self, now: float, age_seconds: float | None = None) -> None:
        """One more frame.

        Args:
            now: `time.monotonic()`.
            age_seconds: since it was captured; None of a recording.
        """
        if self._began_seconds is None:
            self._began_seconds = now
        self._frames.append((now, age_seconds))
        self._forget(now)

    def frames_per_second(self, now: float) -> float:
        """Of the last `RATE_SECONDS`, or since the first frame where that is less; 0 before the second."""
        self._forget(now)
        seconds = 0.0 if self._began_seconds is None else now - self._began_seconds
        if seconds < RATE_SECONDS:
            return (len(self._frames) - 1) / max(seconds, 1e-9) if len(self._frames) > 1 else 0.0
        return len(self._frames) / RATE_SECONDS

    def ages_seconds(self, now: float) -> list[float]:
        """Of the live frames of the last `RATE_SECONDS`."""
        self._forget(now)
        return [age for _, age in self._frames if age is not None]

    def _forget(self, now: float) -> None:
        while self._frames and self._frames[0][0] <= now - RATE_SECONDS:
            self._frames.popleft()
