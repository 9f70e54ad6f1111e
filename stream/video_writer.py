"""`VideoSink`: the annotated video of a source in one file."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from stream.errors import SinkError
from stream.scene import Scene
from stream.sinks import Drawing
from stream.sound import Sound, open_sound
from stream.sources import Source
from stream.video_file import CRF, PRESET, VideoFile, VideoTiming, check_video_output

__all__ = ["VideoSink", "seen_at"]


class VideoSink:
    """Writes the drawn pictures to an MP4 that browsers play. Not thread-safe; use one per thread.

    Of a recording it keeps the presentation times, so frame count, rate (also a varying one) and duration are the
    source's, and its sound (see `Sound`); zero is the first picture, and sound from before it is left out. Live
    pictures carry the time they were captured, so a camera that was away for a minute stands still for a minute, and
    the file says when the first one was. A folder's pictures are shown for one second each.

    The file has its final name from the start, and plays while it is written: see `VideoFile`.

    Args:
        path: ends in .mp4, .m4v or .mov; an existing file is replaced, unless it is the source itself.
        source: whose pictures these are.
        preset: of x264: `ultrafast`, `superfast`, `veryfast`, …, in order of CPU time.
        crf: of x264: quality, 0–51, less is better and larger.
        sound: whether the sound is kept; False where nobody may be recognised.

    Raises:
        SinkError: the path cannot be used; from `write` and `close`, the disk is full or gone.
    """

    def __init__(
        self, path: str | Path, source: Source, *, preset: str = PRESET, crf: int = CRF, sound: bool = True
    ) -> None:
        self.path = check_video_output(path, source)
        self._source = source
        self._timing = VideoTiming.of(source)
        self._preset, self._crf = preset, crf
        self._with_sound = sound
        self._sound: Sound | None = None
        self._file: VideoFile | None = None
        self._closed = False

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Append the drawn picture.

        Raises:
            SinkError: it cannot be written.
        """
        if self._closed:
            raise SinkError(f"{self.path} is closed.")
        bgr = drawing.bgr
        seconds = self._timing.seconds(scene.frame)
        try:
            if self._file is None:
                self._sound = open_sound(self._source) if self._with_sound else None
                self._file = VideoFile(
                    self.path,
                    self._timing,
                    (bgr.shape[0], bgr.shape[1]),
                    seconds,
                    preset=self._preset,
                    crf=self._crf,
                    sound=self._sound,
                    created=seen_at(seconds) if self._timing.live else None,
                )
            self._file.write(bgr, seconds)
        except SinkError:
            self._closed = True
            self._close_sound()
            raise

    def close(self) -> None:
        """Finish the file. Twice does no harm. Without a single picture there is no file.

        Raises:
            SinkError: the end cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self._file is not None:
                self._file.close()
        finally:
            self._close_sound()

    def _close_sound(self) -> None:
        if self._sound is not None:
            self._sound.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def seen_at(captured_seconds: float) -> datetime:
    """The wall-clock time, UTC, of a moment of `time.monotonic()`."""
    return datetime.fromtimestamp(time.time() - time.monotonic() + captured_seconds, UTC)
