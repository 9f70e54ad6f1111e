"""`PacedSource`: a recording in the time in which it is to be watched."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Final

from stream.frame import Frame
from stream.sources.base import Source
from stream.sources.wrapped import WrappedSource

__all__ = ["PacedSource"]

LATE_SECONDS: Final = 0.5
"""Whoever takes frames later than this has no more to catch up: the rest goes on from there at its own pace."""


class PacedSource(WrappedSource):
    """Another source that gives every frame, none before its time. Frames without a time are not held back. Not
    thread-safe; use one per thread.

    Args:
        source: what to read. This source closes it.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        begun: float | None = None  # when the frame with time 0 was to be seen
        for frame in self._source:
            if frame.media_seconds is not None:
                now = time.monotonic()
                if begun is None or now - (begun + frame.media_seconds) > LATE_SECONDS:
                    begun = now - frame.media_seconds
                early = begun + frame.media_seconds - now
                if early > 0 and self._closed.wait(early):
                    return
            yield frame

    def close(self) -> None:
        """Close the source."""
        self._closed.set()
        super().close()
