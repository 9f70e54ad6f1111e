"""`VideoSink`: the annotated video, an H.264 MP4 with the source's own times, playable at every moment."""

from __future__ import annotations

import logging
import math
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stream.errors import SinkError
from stream.frame import Frame
from stream.scene import Scene
from stream.sinks import Drawing, check_output
from stream.sources import Source

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

__all__ = ["VideoSink"]

log = logging.getLogger(__name__)

SUFFIXES: Final = frozenset({".m4v", ".mov", ".mp4"})

KEYFRAME_SECONDS: Final = 2.0
"""Between pictures that a player can jump to."""

FRAGMENT_SECONDS: Final = 1.0
"""At most about this much is lost when the process is killed."""

STILL_SECONDS: Final = 1.0
"""How long each of a folder's pictures is shown."""

PRESET: Final = "ultrafast"
CRF: Final = 23
# CPU-ms per frame with colour conversion, kB per frame, PSNR in dB; x264 in av 18.1 on a 2-core Xeon, one thread:
#                      768x576 street         1920x1080 two people
#   ultrafast, 23      2.1   16.3  41.0        9.3   29.9  44.6
#   ultrafast, 26      1.8   12.0  39.7        8.8   21.6  44.0
#   superfast, 23      3.7   14.1  41.1       13.0   29.2  44.7      (with tune=zerolatency, as the next)
#   veryfast,  23      4.1   10.6  40.4       20.4   23.9  44.7
# The network needs the CPU more than the disk needs the bytes: ultrafast is as good to the eye, and larger.

LARGE: Final = 1920 * 1088
"""Pixels beyond which one encoder thread is too slow for 30 frames a second."""


class VideoSink:
    """Writes the drawn pictures to an MP4 that browsers play. Not thread-safe; use one per thread.

    Of a recording it keeps the presentation times, so frame count, rate (also a varying one) and duration are the
    source's. Live pictures carry the time they were captured, so a camera that was away for a minute stands still for a
    minute. A folder's pictures are shown for one second each.

    The file has its final name from the start. It is written in fragments of a second (`hybrid_fragmented`): a killed
    process loses at most the last one, and once closed it is an ordinary MP4. Odd sizes gain one pixel, a copy of the
    edge, because 4:2:0 needs even ones. Pictures of another size than the first are scaled into it.

    Args:
        path: ends in .mp4, .m4v or .mov; an existing file is replaced, unless it is the source itself.
        source: whose pictures these are.
        preset: of x264: `ultrafast`, `superfast`, `veryfast`, …, in order of CPU time.
        crf: of x264: quality, 0–51, less is better and larger.

    Raises:
        SinkError: the path cannot be used; from `write` and `close`, the disk is full or gone.
    """

    def __init__(self, path: str | Path, source: Source, *, preset: str = PRESET, crf: int = CRF) -> None:
        self.path = check_output(path, inputs=[source.path])
        if self.path.suffix.lower() not in SUFFIXES:
            raise SinkError(f"{self.path}: videos are written as MP4. Name a file that ends in .mp4.")
        self._live = source.live
        self._options = {"preset": preset, "crf": str(crf), "tune": "zerolatency", "g": "600"}
        rate = 1 / STILL_SECONDS if source.still else source.info.frames_per_second or 25.0
        self._rate = Fraction(rate).limit_denominator(1001)  # 29.97002997 is 30000/1001
        self._duration_seconds = None if source.live else source.info.duration_seconds
        # the smallest multiple of the rate from 90 kHz on: frames of a constant rate fall on whole ticks
        numerator = 1 if source.live else self._rate.numerator
        self._ticks = numerator * math.ceil(90_000 / numerator)  # per second
        self._output: tuple[OutputContainer, VideoStream] | None = None
        self._size = (0, 0)  # width, height in the file
        self._first_seconds = 0.0
        self._last_pts = -1
        self._next_keyframe = 0
        self._closed = False

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Append the drawn picture.

        Raises:
            SinkError: it cannot be written.
        """
        if self._closed:
            raise SinkError(f"{self.path} is closed.")
        bgr = drawing.bgr
        seconds = self._seconds(scene.frame)
        try:
            if self._output is None:
                self._output = self._open(bgr)
                self._first_seconds = seconds
            self._encode(*self._output, bgr, seconds - self._first_seconds)
        except (av.error.FFmpegError, OSError) as error:
            self._abandon()
            raise self._failed(error) from error

    def _seconds(self, frame: Frame) -> float:
        if self._live:
            return frame.captured_seconds
        return float(frame.number / self._rate) if frame.media_seconds is None else frame.media_seconds

    def _open(self, bgr: NDArray[np.uint8]) -> tuple[OutputContainer, VideoStream]:
        height, width = bgr.shape[:2]
        self._size = (width + width % 2, height + height % 2)
        container = av.open(
            f"file:{self.path}",
            "w",
            format="mp4",
            container_options={
                "movflags": "hybrid_fragmented",
                "frag_duration": str(round(FRAGMENT_SECONDS * 1e6)),
                "flush_packets": "1",  # else the end of the last fragment waits in a 32 kB buffer
                "video_track_timescale": str(self._ticks),
            },
        )
        stream = container.add_stream("libx264", rate=self._rate, options=self._options)
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, self._ticks)
        # more threads would cut every picture into slices, which costs bytes; below 4K one is enough
        stream.codec_context.thread_count = 1 if width * height <= LARGE else 4
        return container, stream

    def _encode(self, container: OutputContainer, stream: VideoStream, bgr: NDArray[np.uint8], seconds: float) -> None:
        # OpenCV's conversion takes 0.18 ms at 768x576, swscale's 2.5. Both, like OpenCV's reader, use the BT.601 matrix
        # whatever the file says; the file is left untagged, so the way back is exactly the way in.
        yuv = cv2.cvtColor(_fit(bgr, self._size), cv2.COLOR_BGR2YUV_I420)
        frame = av.VideoFrame.from_ndarray(yuv, "yuv420p")
        frame.time_base = Fraction(1, self._ticks)
        frame.pts = max(round(seconds * self._ticks), self._last_pts + 1)
        self._last_pts = frame.pts
        if frame.pts >= self._next_keyframe:
            frame.pict_type = av.video.frame.PictureType.I
            self._next_keyframe = frame.pts + round(KEYFRAME_SECONDS * self._ticks)
        duration = self._shown_ticks(frame.pts)
        for packet in stream.encode(frame):
            packet.duration = duration
            container.mux(packet)

    def _shown_ticks(self, pts: int) -> int:
        """How long this picture is shown. Matters for the last one: the others end where the next begins."""
        usual = float(1 / self._rate)
        if self._duration_seconds is not None:
            left = self._duration_seconds - self._first_seconds - pts / self._ticks
            if 0 < left < 1.75 * usual:
                return max(1, round(left * self._ticks))
        return max(1, round(usual * self._ticks))

    def _failed(self, error: Exception) -> SinkError:
        reason = getattr(error, "strerror", None) or str(error)
        return SinkError(f"{self.path} cannot be written any further ({reason}). Is the disk full or gone?")

    def _abandon(self) -> None:
        """Let go of the file after a failure; what is in it stays playable."""
        self._closed = True
        output, self._output = self._output, None
        if output is not None:
            try:
                output[0].close()
            except (av.error.FFmpegError, OSError) as error:
                log.debug("%s: closing after a failure: %s", self.path, error)

    def close(self) -> None:
        """Finish the file. Twice does no harm. Without a single picture there is no file.

        Raises:
            SinkError: the end cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        if self._output is None:
            return
        container, stream = self._output
        try:
            for packet in stream.encode():
                container.mux(packet)
            container.close()
        except (av.error.FFmpegError, OSError) as error:
            self._abandon()
            raise self._failed(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _fit(bgr: NDArray[np.uint8], size: tuple[int, int]) -> Any:
    """The picture as uint8 `[height, width, 3]`: whole, on black where its shape differs; one pixel of edge if odd."""
    width, height = size
    if (bgr.shape[1] + bgr.shape[1] % 2, bgr.shape[0] + bgr.shape[0] % 2) != size:
        scale = min(width / bgr.shape[1], height / bgr.shape[0])
        inner = (max(1, min(width, round(bgr.shape[1] * scale))), max(1, min(height, round(bgr.shape[0] * scale))))
        small = cv2.resize(bgr, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
        return cv2.copyMakeBorder(
            small, top, height - inner[1] - top, left, width - inner[0] - left, cv2.BORDER_CONSTANT, value=(0, 0, 0)
        )
    right, bottom = width - bgr.shape[1], height - bgr.shape[0]
    return cv2.copyMakeBorder(bgr, 0, bottom, 0, right, cv2.BORDER_REPLICATE) if right or bottom else bgr
