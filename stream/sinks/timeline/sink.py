"""`TimelineSink`: writes who was in what posture from when to when, as it becomes known."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pose.closing import Closing
from stream.errors import SinkError
from stream.scene import Scene
from stream.sinks.base import Drawing
from stream.sinks.paths import check_output
from stream.sinks.retry import Retry, pausing
from stream.sinks.text_file import TextFile
from stream.sinks.timeline.formats import TimelineFormat, format_for
from stream.sinks.timeline.timeline import Interval, Timeline
from stream.sources.base import Source

__all__ = ["TimelineSink", "check_timeline"]

log = logging.getLogger(__name__)

KEPT_INTERVALS: Final = 10_000
"""While the disk is full: an hour of twenty people who change their posture every seven seconds."""


class TimelineSink(Closing):
    """Writes the intervals of one source to a CSV, JSON or SRT file. Not thread-safe; use one per thread.

    Seconds are those of the recording; of a live source, they begin with its first frame, as its annotated video does.
    The file is complete after every frame, up to the intervals that go on; those are added at the end. It is opened
    with the first frame; without a single one an older file is left as it is.

    A fault of the disk is an error where the source is a recording, which can be run again. Of a live source the file
    pauses: the log says so, and every 10 to 60 s it is tried again. Up to 10,000 intervals are kept meanwhile; what is
    beyond is left out and counted.

    Args:
        path: the file, replaced if it exists; its suffix is the format.
        source: whose scenes these are.
        gap_seconds: see `Timeline`.

    Attributes:
        files: what has been written.
        missed: how many intervals could not be written.

    Raises:
        SinkError: the path or the source cannot be used; from `write` and `close`, see above.
    """

    def __init__(self, path: str | Path, source: Source, *, gap_seconds: float = 1.0) -> None:
        self._file = TextFile(check_timeline(path, source))
        self._retry = Retry()
        self.missed = 0
        self._live = source.live
        self._clock_offset_seconds = time.time() - time.monotonic()
        self._timeline = Timeline(gap_seconds=gap_seconds)
        self._format: TimelineFormat | None = None  # known with the first frame, and its time of day
        self._ended: deque[Interval] = deque()  # and not written yet
        self._clock_start: float | None = None
        self._first_seconds: float | None = None
        self._seconds = -math.inf
        self._closed = False

    @property
    def files(self) -> list[Path]:
        return [self._file.path] if self._file.opened else []

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Take one scene. The picture is not drawn for it.

        Raises:
            SinkError: it cannot be written.
        """
        if self._closed:
            raise SinkError(f"{self._file.path} is closed.")
        if self._first_seconds is None:
            self._begin(scene.frame.seconds)
        # A bad timestamp must not turn time back.
        self._seconds = max(scene.frame.seconds - (self._first_seconds or 0.0), self._seconds)
        self._keep(self._timeline.update(scene.people, self._seconds))
        if not self._retry.due(self._seconds):
            return
        try:
            self._append(self._timeline.running(), self._timeline.settled_seconds)
        except SinkError as error:
            if not self._live:
                self._closed = True
                raise
            if not self._retry.failing:
                log.warning("%s", pausing(error, self._file.path.parent))
            self._retry.failed(self._seconds)
        else:
            if self._retry.failing:
                self._retry.worked(self._seconds)
                log.info("%s is written again; %d intervals are missing in it", self._file.path, self.missed)

    def _begin(self, first_seconds: float) -> None:
        self._first_seconds = 0.0
        if self._live:
            self._first_seconds = first_seconds
            self._clock_start = first_seconds + self._clock_offset_seconds

    def _keep(self, ended: Sequence[Interval]) -> None:
        self._ended.extend(ended)
        while len(self._ended) > KEPT_INTERVALS:
            self._ended.popleft()
            self.missed += 1

    def _append(self, running: Sequence[Interval], settled_seconds: float) -> None:
        """Write what there is to write. If that fails, it is as if it had not been tried."""
        new = self._format is None or self._file.lost
        attempt = format_for(self._file.path, self._clock_start) if new else copy.copy(self._format)
        assert attempt is not None
        piece = attempt.piece(self._ended, running, settled_seconds)
        if new:
            piece = attempt.head + piece
        if piece or new:
            self._file.append(piece, attempt.tail)
        self._format = attempt
        self._ended.clear()

    def close(self) -> None:
        """Add what goes on, and close the file. Twice does no harm.

        Raises:
            SinkError: the end of a recording's timeline cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        self._keep(self._timeline.finish())
        if self._first_seconds is None and self._file.path.exists():
            return  # not one frame came
        try:
            self._append([], math.inf)
            self._file.close()
        except SinkError as error:
            if not self._live:
                raise
            log.warning("%s", error)
            self.missed += len(self._ended)
        if self.missed:
            log.warning("%s: %d intervals are missing, because they could not be written", self._file.path, self.missed)


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
