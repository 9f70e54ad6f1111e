"""`PacedSource`: a recording in the time in which it is to be watched."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pose.closing import Closing
from stream.frame import Frame
from stream.sources.base import Source, SourceInfo
from stream.sources.status import SourceStatus

__all__ = ["PacedSource"]

LATE_SECONDS: Final = 0.5
"""Whoever takes frames later than this has no more to catch up: the rest goes on from there at its own pace."""


class PacedSource(Closing):
    """Another source that gives every frame, none before its time. Frames without a time are not held back. Not
    thread-safe; use one per thread.

    Args:
        source: what to read. This source closes it.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        """See `Source`."""
        return self._source.name

    @property
    def status(self) -> SourceStatus:
        """See `Source`."""
        return self._source.status

    @property
    def live(self) -> bool:
        """See `Source`."""
        return self._source.live

    @property
    def still(self) -> bool:
        """See `Source`."""
        return self._source.still

    @property
    def path(self) -> Path | None:
        """See `Source`."""
        return self._source.path

    @property
    def info(self) -> SourceInfo:
        """See `Source`."""
        return self._source.info

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
        self._source.close()
