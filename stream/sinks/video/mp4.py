"""`VideoFile`: one H.264 MP4, playable at every moment."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stream.errors import SinkError
from stream.sinks.paths import WholeWrites
from stream.sinks.video.timing import VideoTiming

if TYPE_CHECKING:
    from stream.sinks.video.sound import Packet, Sound

__all__ = ["VideoFile"]

FRAGMENT_SECONDS: Final = 1.0
"""Between pictures that a player can jump to, each of which begins a fragment: about this much is lost when the process
is killed or the disk is full."""
# Two seconds would save 4-6 % of the bytes of clips with 24-30 pictures a second, 22 % with 10.

PREROLL_SECONDS: Final = 0.1
"""Sound that begins this much before the first picture is written, and hidden: decoders need it to begin with."""

SAMPLE_BYTES: Final = 48
"""What a picture or packet of sound costs in the tables of an MP4, with its fragments."""

PRESET: Final = "ultrafast"
# CPU-ms per frame with colour conversion, kB per frame, PSNR in dB, by preset and crf; x264 in av 18.1 on a 2-core
# Xeon, one thread:
#                      768x576 street         1920x1080 two people
#   ultrafast, 23      2.1   16.3  41.0        9.3   29.9  44.6
#   ultrafast, 26      1.8   12.0  39.7        8.8   21.6  44.0
#   superfast, 23      3.7   14.1  41.1       13.0   29.2  44.7      (with tune=zerolatency, as the next)
#   veryfast,  23      4.1   10.6  40.4       20.4   23.9  44.7
# The network needs the CPU more than the disk needs the bytes: ultrafast is as good to the eye, and larger.

LARGE: Final = 1920 * 1088
"""Pixels beyond which one encoder thread is too slow for 30 frames a second."""


class VideoFile:
    """One MP4 that browsers play. Not thread-safe; use one per thread.

    It is written in fragments of a second (`hybrid_fragmented`), each of which begins with a picture that needs no
    other: whatever ends the writing, everything but the last fragment plays. Once closed it is an ordinary MP4. Odd
    sizes gain one pixel, a copy of the edge, because 4:2:0 needs even ones. Pictures of another size than the first are
    scaled into it. The table that is written at the end takes 75 bytes of memory a picture: 7 MB for an hour of 25 a
    second.

    Every method that writes closes the file when it fails; what is in it stays playable.

    Args:
        path: the file.
        timing: of the source.
        shape: height and width of the first picture, pixels.
        first_seconds: when that is shown, by the source's clock; the file's zero.
        crf: of x264: quality, 0–51, less is better and larger.
        sound: what is to be heard, from `first_seconds` on; a packet that was given to a file before is not in this
            one. Stays open.
        created: when the first picture was seen; written into the file to the second.
        comment: written into the file.
        replace: whether an existing file is replaced.

    Attributes:
        last_seconds: when the latest picture is shown.
        safe_seconds: pictures before this are on the disk and play, also if nothing more can be written;
            `first_seconds` as long as there are none.
        estimated_bytes: how large the file would be if it were closed now.
        largest_bytes: of a picture in it.

    Raises:
        SinkError: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        timing: VideoTiming,
        shape: tuple[int, int],
        first_seconds: float,
        *,
        crf: int,
        sound: Sound | None = None,
        created: datetime | None = None,
        comment: str = "",
        replace: bool = True,
    ) -> None:
        self.path = path
        self.first_seconds = self.last_seconds = self.safe_seconds = first_seconds
        self.estimated_bytes = self.largest_bytes = 0
        self._timing = timing
        self._size = _even(shape)
        self._sound = sound
        self._last_pts = -1
        self._next_keyframe = 0
        self._gap_seconds = self._longest_gap_seconds = 0.0
        self._safe_bytes = 0
        self._held: Packet | None = None  # the latest picture: how long it is shown is known when the next one comes
        self._container: Any = None
        with self._writing():
            self._file = WholeWrites(path, "w+" if replace else "x+")
            self._container = av.open(
                self._file,
                "w",
                format="mp4",
                container_options={
                    # the header waits for the first fragment, and can say then by how much sound and picture differ
                    "movflags": "hybrid_fragmented+frag_keyframe+delay_moov",
                    "frag_duration": str(round(2 * FRAGMENT_SECONDS * 1e6)),  # for sound that outlasts the pictures
                    "flush_packets": "1",  # else the end of the last fragment waits in a 32 kB buffer
                    "max_interleave_delta": "1",  # packets come in order; else pictures wait for sound that has ended
                    "video_track_timescale": str(timing.ticks),
                },
            )
            if comment:
                self._container.metadata["comment"] = comment
            if created is not None:
                self._container.metadata["creation_time"] = f"{created.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
            options = {"preset": PRESET, "crf": str(crf), "tune": "zerolatency", "g": "600"}
            self._stream = self._container.add_stream("libx264", rate=timing.rate, options=options)
            self._stream.width, self._stream.height = self._size
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = self._stream.time_base = Fraction(1, timing.ticks)
            # more threads would cut every picture into slices, which costs bytes; below 4K one is enough
            self._stream.codec_context.thread_count = 1 if shape[0] * shape[1] <= LARGE else 4
            self._sound_stream = None if sound is None else sound.add_to(self._container)

    def fits(self, bgr: NDArray[np.uint8]) -> bool:
        """Whether a picture goes in without being scaled."""
        height, width = bgr.shape[:2]
        return _even((height, width)) == self._size

    def write(self, bgr: NDArray[np.uint8], seconds: float) -> None:
        """Append a picture, uint8 `[H, W, 3]`.

        Raises:
            SinkError: it cannot be written.
        """
        with self._writing():
            # OpenCV's conversion takes 0.18 ms at 768x576, swscale's 2.5. Both, like OpenCV's reader, use the BT.601
            # matrix whatever the file says; the file is left untagged, so the way back is exactly the way in.
            yuv = cv2.cvtColor(_fit(bgr, self._size), cv2.COLOR_BGR2YUV_I420)
            frame = av.VideoFrame.from_ndarray(yuv, "yuv420p")
            frame.time_base = Fraction(1, self._timing.ticks)
            frame.pts = max(round((seconds - self.first_seconds) * self._timing.ticks), self._last_pts + 1)
            if frame.pts >= self._next_keyframe:
                frame.pict_type = av.video.frame.PictureType.I
                self._next_keyframe = frame.pts + round(FRAGMENT_SECONDS * self._timing.ticks)
            for packet in self._stream.encode(frame):
                self._hold(packet)
            if self._sound is not None:
                self._mux_sound(self._sound.until(seconds))
        if self._last_pts >= 0:
            self._gap_seconds = (frame.pts - self._last_pts) / self._timing.ticks
            self._longest_gap_seconds = max(self._longest_gap_seconds, self._gap_seconds)
        self._last_pts = frame.pts
        self.last_seconds = seconds

    def _hold(self, packet: Packet) -> None:
        if self._held is not None:
            self._mux_held(packet.pts - self._held.pts)
        self._held = packet
        self.largest_bytes = max(self.largest_bytes, packet.size)
        self.estimated_bytes += packet.size + SAMPLE_BYTES

    def _mux_held(self, ticks: int) -> None:
        assert self._held is not None
        packet, self._held = self._held, None
        packet.duration = max(1, ticks)
        keyframe, pts = packet.is_keyframe, packet.pts
        self._container.mux(packet)
        if keyframe:  # which writes the fragment before it
            self.safe_seconds = self.first_seconds + pts / self._timing.ticks
            self._safe_bytes = self._file.tell()

    def _mux_sound(self, packets: Iterator[Packet]) -> None:
        assert self._sound is not None
        zero = round(self.first_seconds * self._sound.rate)
        for packet in packets:
            if packet.pts + packet.duration < zero - PREROLL_SECONDS * self._sound.rate:
                continue
            packet.pts = packet.dts = packet.pts - zero
            packet.stream = self._sound_stream
            self.estimated_bytes += packet.size + SAMPLE_BYTES
            self._container.mux(packet)

    def close(self, next_seconds: float | None = None) -> None:
        """Finish the file. Twice does no harm.

        Args:
            next_seconds: until when the last picture is shown and sound is taken; None for the end of the source.

        Raises:
            SinkError: the end cannot be written.
        """
        if self._container is None:
            return
        with self._writing():
            for packet in self._stream.encode():
                self._hold(packet)
            if self._held is not None:
                shown = self._shown_seconds() if next_seconds is None else next_seconds - self.last_seconds
                ticks = round((self.last_seconds + shown - self.first_seconds) * self._timing.ticks) - self._held.pts
                self._mux_held(ticks)
                if self._sound is not None and next_seconds is None:
                    later = self.last_seconds + max(1.0, 1.5 * self._longest_gap_seconds)
                    if self._timing.duration_seconds is not None:  # or of the part that was asked for
                        later = min(later, max(self.last_seconds, self._timing.duration_seconds))
                    self._mux_sound(self._sound.rest(self.last_seconds + shown, later))
                elif self._sound is not None and next_seconds is not None:
                    self._mux_sound(self._sound.until(next_seconds))
            self._container.close()
            self._container = None
            self._file.close()
            self.safe_seconds = math.inf

    def _shown_seconds(self) -> float:
        """How long the source's last picture is shown; the others end where the next begins."""
        usual = max(float(1 / self._timing.rate), min(self._gap_seconds, 1.0))
        if self._timing.duration_seconds is not None:
            left = self._timing.duration_seconds - self.last_seconds
            if 0 < left < 1.75 * max(usual, self._longest_gap_seconds):
                return left
        return usual

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            self._abandon()
            reason = getattr(error, "strerror", None) or str(error)
            raise SinkError(
                f"{self.path} cannot be written any further ({reason}). Is the disk full or gone?"
            ) from error

    def _abandon(self) -> None:
        """Let go of the file after a failure; what is in it stays playable."""
        container, self._container = self._container, None
        # once a write has failed FFmpeg writes nothing more, so closing does not harm what is there
        with contextlib.suppress(av.error.FFmpegError, OSError):
            if container is not None:
                container.close()
        # it may not even be open; and it is closed whatever the disk says
        with contextlib.suppress(AttributeError, OSError), contextlib.closing(self._file), contextlib.suppress(OSError):
            self._file.truncate(_end_of_fragments(self._file, self._safe_bytes))


def _end_of_fragments(file: io.FileIO, start: int) -> int:
    """Where the last whole fragment ends; behind it is half a picture, or half a table, that players stumble over.

    Args:
        file: an MP4.
        start: where one of its fragments ends; 0 for its beginning.
    """
    size = file.seek(0, io.SEEK_END)
    end = position = start
    while True:
        file.seek(position)
        header = file.read(8)
        length = int.from_bytes(header[:4], "big")
        if length < 8 or position + length > size:
            return end
        position += length
        if header[4:] == b"mdat":
            end = position


def _even(shape: tuple[int, int]) -> tuple[int, int]:
    """Width and height in the file."""
    height, width = shape
    return width + width % 2, height + height % 2


def _fit(bgr: NDArray[np.uint8], size: tuple[int, int]) -> Any:
    """The picture as uint8 `[height, width, 3]`: whole, on black where its shape differs; one pixel of edge if odd."""
    width, height = size
    if _even((bgr.shape[0], bgr.shape[1])) != size:
        scale = min(width / bgr.shape[1], height / bgr.shape[0])
        inner = (max(1, min(width, round(bgr.shape[1] * scale))), max(1, min(height, round(bgr.shape[0] * scale))))
        small = cv2.resize(bgr, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
        return cv2.copyMakeBorder(
            small, top, height - inner[1] - top, left, width - inner[0] - left, cv2.BORDER_CONSTANT, value=(0, 0, 0)
        )
    right, bottom = width - bgr.shape[1], height - bgr.shape[0]
    return cv2.copyMakeBorder(bgr, 0, bottom, 0, right, cv2.BORDER_REPLICATE) if right or bottom else bgr
