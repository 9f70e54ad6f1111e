"""`TimelineSink`: writes who was in what posture from when to when, as it becomes known."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from pathlib import Path

from pose.closing import Closing
from stream.errors import SinkError
from stream.scene import Scene
from stream.sinks.base import Drawing
from stream.sinks.paths import check_output, write_fault
from stream.sinks.timeline.formats import TimelineFormat, format_for
from stream.sinks.timeline.timeline import Interval, Timeline
from stream.sources.base import Source

__all__ = ["TimelineSink", "check_timeline"]


class TimelineSink(Closing):
    """Writes the intervals of one source to a CSV, JSON or SRT file. Not thread-safe; use one per thread.

    Seconds are those of the recording; of a live source, they begin with its first frame, as its annotated video does.
    The file is complete after every frame, up to the intervals that go on; those are added at the end.

    Args:
        path: the file, replaced if it exists; its suffix is the format.
        source: whose scenes these are.
        gap_seconds: see `Timeline`.

    Raises:
        SinkError: the path or the source cannot be used; from `write` and `close`, the disk is full.
    """

    def __init__(self, path: str | Path, source: Source, *, gap_seconds: float = 1.0) -> None:
        self._path = check_timeline(path, source)
        self._live = source.live
        self._clock_offset_seconds = time.time() - time.monotonic()
        self._timeline = Timeline(gap_seconds=gap_seconds)
        self._format: TimelineFormat | None = None  # known with the first frame, and its time of day
        self._first_seconds = 0.0
        self._seconds = -math.inf
        self._end = 0
        self._closed = False
        try:
            self._file = self._path.open("wb")
        except OSError as error:
            raise SinkError(f"{self._path} cannot be written ({error.strerror}). Choose another place.") from error

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Take one scene. The picture is not drawn for it.

        Raises:
            SinkError: it cannot be written.
        """
        if self._closed:
            raise SinkError(f"{self._path} is closed.")
        if self._format is None:
            self._begin(scene.frame.seconds)
        # A bad timestamp must not turn time back.
        self._seconds = max(scene.frame.seconds - self._first_seconds, self._seconds)
        ended = self._timeline.update(scene.people, self._seconds)
        self._append(ended, self._timeline.running(), self._timeline.settled_seconds)

    def _begin(self, first_seconds: float) -> None:
        clock_start = None
        if self._live:
            self._first_seconds = first_seconds
            clock_start = first_seconds + self._clock_offset_seconds
        self._format = format_for(self._path, clock_start)
        self._put(self._format.head)

    def _append(self, ended: Sequence[Interval], running: Sequence[Interval], settled_seconds: float) -> None:
        if self._format is not None and (piece := self._format.piece(ended, running, settled_seconds)):
            self._put(piece)

    def _put(self, text: str) -> None:
        """Write over the tail, and the tail behind it."""
        assert self._format is not None
        data = text.encode()
        try:
            self._file.seek(self._end)
            self._file.write(data + self._format.tail.encode())
            self._file.flush()
        except OSError as error:
            self._closed = True
            with contextlib.suppress(OSError):
                self._file.close()
            raise write_fault(str(self._path), error) from error
        self._end += len(data)

    def close(self) -> None:
        """Add what goes on, and close the file. Twice does no harm.

        Raises:
            SinkError: the end cannot be written.
        """
        if self._closed:
            return
        if self._format is None:  # not one frame came, and the file is a timeline of nothing all the same
            self._begin(0.0)
        self._append(self._timeline.finish(), [], math.inf)
        self._closed = True
        try:
            self._file.close()
        except OSError as error:
            raise write_fault(str(self._path), error) from error


def check_timeline(path: str | Path, source: Source) -> Path:
    """The path, if a timeline of this source can be written there. Creates nothing.

    Raises:
        SinkError: the format is not known, the source has no time, or see `check_output`.
    """
    path = Path(path)
    format_for(path)
    if source.still:
        raise SinkError(f"{source.name} holds pictures, which have no time. A timeline needs a video or a camera.")
    return check_output(path, inputs=[source.path])
