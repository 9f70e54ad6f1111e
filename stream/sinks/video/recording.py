"""`Recording`: the annotated video of a source, which goes on when a camera changes or the disk is full."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pose.closing import Closing
from stream.errors import SinkError
from stream.scene import Scene
from stream.sinks.base import Drawing
from stream.sinks.mark import mark_of
from stream.sinks.paths import check_output
from stream.sinks.retry import Retry, pausing
from stream.sinks.video.mp4 import VideoFile
from stream.sinks.video.sound import Sound, open_sound
from stream.sinks.video.timing import VideoTiming, seen_at
from stream.sources.base import Source

if TYPE_CHECKING:
    from stream.settings.model import OutputSettings

__all__ = ["Recording", "check_video_output"]

log = logging.getLogger(__name__)

SUFFIXES: Final = frozenset({".m4v", ".mov", ".mp4"})

LIVE_SEGMENT_SECONDS: Final = 3600.0
"""A camera's file is ended after this where the settings name no length: it may run for months, and until a file is
closed its table of pictures grows in memory, by 7 MB in an hour (see `VideoFile`)."""

AWAY_SECONDS: Final = 2.0
"""A camera without a picture for longer was away: the last picture of a segment does not stand still until the next
segment, whose name says when it begins."""


class Recording(Closing):
    """Writes the drawn pictures of one source to an MP4 that browsers play, or to one after another. Not thread-safe;
    use one per thread.

    Of a recording it keeps the presentation times, so frame count, rate (also a varying one) and duration are the
    source's, and its sound (see `Sound`); zero is the first picture, and sound from before it is left out. Live
    pictures carry the time they were captured, so a camera that was away for a minute stands still for a minute, and
    the file says when the first one was. A folder's pictures are shown for one second each. Every file has its final
    name from the start, and plays while it is written: see `VideoFile`.

    Where the settings cut nothing, `path` is the one file, and is replaced if it exists. Else there are segments: each
    begins with the first picture after the cut; together they have every picture once, and last as long as the whole.
    They lie beside `path` and never replace anything: for `lobby.mp4` they are `lobby_20260731-180500.mp4` of a live
    source, by the local time of its first picture, and `lobby_0001.mp4`, … of a recording. A number is added if the
    name is taken.

    Of a live source further segments also follow `path` where nothing is to be cut: after every hour, and when the
    camera comes back with another picture size.

    A fault of the disk pauses what is recorded of a live source: one line in the log says so, scenes are taken and left
    out, and every 10 to 60 s a new segment is tried, until one second of it is on the disk. At most about the last
    second before the fault is lost. A recording can be run again, so there a fault is an error.

    Args:
        path: ends in .mp4, .m4v or .mov.
        source: whose pictures these are.
        output: how to code and cut.
        sound: False leaves the sound out whatever `output` says, for where nobody may be recognised.

    Attributes:
        files: what has been written so far, in order; the last may still grow.
        paused_reason: why nothing is recorded at present; None while it is.

    Raises:
        SinkError: the path cannot be used; from `write` and `close` of a recording, the disk is full or gone.
    """

    def __init__(self, path: str | Path, source: Source, *, output: OutputSettings, sound: bool = True) -> None:
        self.path = check_video_output(path, source)
        self.files: list[Path] = []
        self.paused_reason: str | None = None
        self._source = source
        self._timing = VideoTiming.of(source)
        self._crf = output.video_crf
        self._with_sound = sound and output.sound
        self._cuts = output.segment_minutes is not None or output.segment_megabytes is not None
        uncut_seconds = LIVE_SEGMENT_SECONDS if source.live else float("inf")
        self._segment_seconds = uncut_seconds if output.segment_minutes is None else 60 * output.segment_minutes
        self._segment_bytes = float("inf") if output.segment_megabytes is None else 1e6 * output.segment_megabytes
        self._sound: Sound | None = None
        self._file: VideoFile | None = None
        self._begun = 0  # segments
        self._closed = False
        self._latest_seconds = 0.0  # of the pictures given
        self._missed_seconds = 0.0  # in pauses that are over
        self._paused_at = 0.0  # the first moment that is not on the disk
        self._retry = Retry()

    @property
    def missed_seconds(self) -> float:
        """How much of a live source was not recorded for faults of the disk."""
        pausing = 0.0 if self.paused_reason is None else self._latest_seconds - self._paused_at
        return self._missed_seconds + max(0.0, pausing)

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Append the drawn picture. While the recording pauses nothing is drawn.

        Raises:
            SinkError: it cannot be written, and can be had again.
        """
        if self._closed:
            raise SinkError(f"{self.path} is closed.")
        seconds = self._timing.seconds(scene.frame)
        self._latest_seconds = seconds
        if self.paused_reason is not None and self._file is None and not self._retry.due(seconds):
            return
        try:
            self._append(drawing.bgr, seconds)
        except SinkError as error:
            if not self._timing.live:
                self._closed = True
                self._close_sound()
                raise
            self._pause(error)

    def _append(self, bgr: NDArray[np.uint8], seconds: float) -> None:
        if self._file is not None and self._is_over(self._file, bgr, seconds):
            was_away = self._timing.live and seconds - self._file.last_seconds > AWAY_SECONDS
            self._finish(self._file, None if was_away else seconds)
        if self._file is None:
            self._file = self._begin((bgr.shape[0], bgr.shape[1]), seconds)
        self._file.write(bgr, seconds)
        if self.paused_reason is not None and self._file.safe_seconds > self._file.first_seconds:
            self._resume(self._file)

    def _finish(self, file: VideoFile, next_seconds: float | None = None) -> None:
        file.close(next_seconds)
        self._file = None
        if self.paused_reason is not None:
            self._resume(file)

    def _is_over(self, file: VideoFile, bgr: NDArray[np.uint8], seconds: float) -> bool:
        """Whether a picture belongs in the next segment."""
        if (self._cuts or self._timing.live) and not file.fits(bgr):
            return True
        length = seconds - file.first_seconds + 0.5 / self._timing.ticks  # n/30 is not exact
        return length >= self._segment_seconds or file.estimated_bytes + file.largest_bytes > self._segment_bytes

    def _begin(self, shape: tuple[int, int], seconds: float) -> VideoFile:
        if self._begun == 0 and self._with_sound:
            self._sound = open_sound(self._source)
        single = self._begun == 0 and not self._cuts
        self._begun += 1
        path = self.path if single else self._free_path(seconds)
        file = VideoFile(
            path,
            self._timing,
            shape,
            seconds,
            crf=self._crf,
            sound=self._sound,
            comment=f"Annotated by Stance, {mark_of(self._source)}",
            created=seen_at(seconds) if self._timing.live else None,
            replace=single,
        )
        self.files.append(path)
        return file

    def _free_path(self, seconds: float) -> Path:
        tail = f"{seen_at(seconds).astimezone():%Y%m%d-%H%M%S}" if self._timing.live else f"{self._begun:04d}"
        path = self.path.with_stem(f"{self.path.stem}_{tail}")
        number = 1
        while os.path.exists(path):  # Path.exists raises when the disk is gone
            number += 1
            path = self.path.with_stem(f"{self.path.stem}_{tail}_{number}")
        return path

    def _pause(self, error: SinkError) -> None:
        """Let a live source's recording rest after a fault."""
        since = self._give_up()
        if self.paused_reason is None:
            self._paused_at = since
            self.paused_reason = getattr(error.__cause__, "strerror", None) or str(error.__cause__)
            log.warning("%s", pausing(error, self.path.parent))
        self._retry.failed(self._latest_seconds)

    def _give_up(self) -> float:
        """Leave the segment as the fault left it, or remove it if nothing in it plays. Gives when the loss begins."""
        file, self._file = self._file, None
        if file is None:
            return self._latest_seconds
        if file.safe_seconds <= file.first_seconds:
            self.files.remove(file.path)
            with contextlib.suppress(OSError):
                file.path.unlink()
        return file.safe_seconds

    def _resume(self, file: VideoFile) -> None:
        self._missed_seconds += file.first_seconds - self._paused_at
        self._retry.worked(file.first_seconds)
        self.paused_reason = None
        log.info("%s is recorded again, in %s", self._source.name, file.path)

    def close(self) -> None:
        """Finish the segment. Twice does no harm. Without a single picture there is no file.

        Raises:
            SinkError: the end of a recording cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self._file is not None:
                self._finish(self._file)
        except SinkError as error:
            if not self._timing.live:
                raise
            if self.paused_reason is None:
                self._paused_at = self._give_up()
                self.paused_reason = getattr(error.__cause__, "strerror", None) or str(error.__cause__)
                log.warning("%s", error)
            else:
                self._give_up()
        finally:
            self._close_sound()
        if self.missed_seconds > 0:
            log.warning("%s: %.0f s were not recorded", self._source.name, self.missed_seconds)

    def _close_sound(self) -> None:
        if self._sound is not None:
            self._sound.close()


def check_video_output(path: str | Path, source: Source) -> Path:
    """The path, if a video of the source can be written there without harm; see `check_output`. Creates nothing.

    Raises:
        SinkError: as for `check_output`, or the name's end says no MP4.
    """
    path = check_output(path, inputs=[source.path])
    if path.suffix.lower() not in SUFFIXES:
        raise SinkError(f"{path}: videos are written as MP4. Name a file that ends in .mp4.")
    return path
