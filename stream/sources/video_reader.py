"""`VideoReader`: the one reader of everything that FFmpeg opens: files, HTTP, playlists, animations, network cameras.

PyAV and not OpenCV, though both use the same FFmpeg at the same cost. OpenCV gives memory that was never written for
interlaced pictures, ignores the shape of pixels, has one transport for all sources of a process, cannot say why
something does not open, and decodes on no graphics card in the packages that pip installs.
"""

from __future__ import annotations

import itertools
import logging
import math
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import IO, Any, Final

import av
import numpy as np
from av.stream import Discard, Disposition
from numpy.typing import NDArray

from stream.errors import SourceError
from stream.settings.model import SourceSettings
from stream.sources.address import is_address, readings
from stream.sources.capture import plausible_rate
from stream.sources.conversion import FrameConverter
from stream.sources.download import download
from stream.sources.faults import NO_PICTURE, WRONG_LOGIN, cause_of
from stream.sources.hardware import hardware_decoder

__all__ = ["Picture", "VideoReader", "clock_start", "decoding_threads"]

log = logging.getLogger(__name__)

FIRST_PICTURE_SECONDS: Final = 30.0
"""A stream that is joined between two keyframes shows nothing until the next; cameras that save bandwidth send one in
20 s. So long may a new connection be without a picture, as long as packets come. A live playlist (HLS) may be without
for so long at any time: it grows by whole segments, of 2 to 10 s."""

MOST_THREADS: Final = 8
"""More decode little faster, and each holds a picture in memory."""

ABSOLUTE: Final = frozenset({"matroska", "mov"})
"""Containers whose clock begins where players begin. Others (transport streams, …) begin anywhere, and players count
from the first packet."""

ENDLESS: Final = frozenset({"mpjpeg", "rtp", "rtsp", "sdp"})
"""Cameras, whatever length they claim."""

DUMMY: Final = frozenset(
    {"flv1", "h263", "mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v2", "msmpeg4v3", "wmv1", "wmv2"}
)
"""Codings whose decoders put a made picture where one is missing that the first ones need. Others wait for their turn:
H.264 and H.265 may also begin with a picture that is renewed bit by bit, so the first of theirs need be no keyframe."""

STILL: Final = ("_pipe", "image2")  # how FFmpeg calls what holds a single picture


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture.

    Attributes:
        bgr: uint8 `[H, W, 3]`.
        seconds: when it is shown, by the clock that players show; None where the stream does not say.
    """

    bgr: NDArray[np.uint8]
    seconds: float | None


class VideoReader:
    """One open file or connection. Only one thread reads; `close()` may come from any thread.

    FFmpeg cannot be interrupted, so a close that meets a read leaves the release to the reader: at the latest after
    `read_timeout_seconds`, when a camera is frozen.

    Args:
        address: an absolute path, or an address.
        settings: time-outs, transport, hardware decoding.
        live: decode on one thread, without holding pictures back, and give up when none comes in time.
        sources: how many are read side by side, and share the cores for decoding.

    Attributes:
        reason: why the last read gave no picture, one clause; empty at a recording's end.
        broken: whether reading ended with an error.
        packets: of coded pictures, so far.
        hidden: those among them that an edit list hides.
        undecodable: packets that the decoder refused.
        end_seconds: where the latest packet of any stream ends, by the clock of `Picture.seconds`.

    Raises:
        SourceError: it does not open; the message is the middle of a sentence and holds no address.
    """

    def __init__(self, address: str, settings: SourceSettings, *, live: bool = False, sources: int = 1) -> None:
        self.reason = ""
        self.broken = False
        self.packets = self.hidden = self.undecodable = 0
        self.end_seconds = 0.0
        self._lock = threading.Lock()
        self._closed = False
        self._live = live
        self._timeout_seconds = settings.read_timeout_seconds
        self._decoded: deque[Any] = deque()
        self._pictures: Iterator[tuple[NDArray[np.uint8], float | None]] = iter(())
        self._begun: list[Any] = []  # packets that were looked at
        self._stamps: deque[float] = deque()  # of packets that say only when they are decoded
        self._drained = self._flushed = False
        self._seen = False
        self._copy: IO[bytes] | None = None
        self._container, opened = _open(address, settings, live)
        try:
            self._stream = _moving_picture(self._container)
            if not live and self._index_is_out_of_reach(opened):
                self._container.close()
                self._copy = download(opened, settings.read_timeout_seconds)
                self._container = _open_container(self._copy, opened, settings, live)
                self._stream = _moving_picture(self._container)
        except SourceError:
            self.close()
            raise
        self._zero = clock_start(self._container)
        # a Fraction for every packet would take as long as reading it
        self._ticks = [float(stream.time_base or 0) for stream in self._container.streams]
        self._keyed = self.codec not in DUMMY  # whether a picture came that needs no other
        self._unordered = self.container_format == "avi"  # it says when pictures are decoded, not when they are shown
        self._converter = FrameConverter()
        self._measure_pixels()
        # Of a live stream every thread more holds back one frame: measured on RTSP at 30 fps, 33 ms with 2 threads and
        # 233 ms with 8. `flags;low_delay` and `fflags;nobuffer` do not help. One thread decodes 1080p at about 180 fps.
        self._stream.thread_type = "SLICE" if live else "AUTO"
        self._stream.codec_context.thread_count = 1 if live or self.hardware else decoding_threads(sources)
        self._packets = itertools.chain(self._begun, self._container.demux())
        self._opened_seconds = time.monotonic()

    def _index_is_out_of_reach(self, address: str) -> bool:
        """Whether this is an MP4 with its index at the end, from a server that gives no parts of files.

        FFmpeg reads the index then, and cannot go back to the pictures.
        """
        if not address.lower().startswith(("http:", "https:")) or "mp4" not in self.container_format:
            return False
        try:
            packet: Any = next(self._container.demux(), None)
        except av.error.FFmpegError:
            packet = None
        self._begun = [] if packet is None else [packet]
        return packet is None or not packet.size

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def hardware(self) -> bool:
        """Whether the graphics card decodes; known after the first picture."""
        return bool(self._stream.codec_context.is_hwaccel)

    @property
    def playlist(self) -> bool:
        """Whether it is a list of segments (HLS), which come in bursts."""
        return str(self._container.format.name) == "hls"

    @property
    def still(self) -> bool:
        """Whether it holds a single picture."""
        return str(self._container.format.name).endswith(STILL)

    @property
    def recording(self) -> bool:
        """Whether it has an end, as the demuxer says: a length, or a playlist that is closed."""
        if self.container_format in ENDLESS:
            return False
        if self._container.duration is not None and self._container.duration > 0:
            return True
        return not self.playlist and self._container.size > 0

    @property
    def container_format(self) -> str:
        """FFmpeg's name of the container: `mov,mp4,…`, `avi`, `hls`."""
        return str(self._container.format.name)

    @property
    def codec(self) -> str:
        """What the pictures are coded in: `h264`, `av1`."""
        return str(self._stream.codec_context.codec.canonical_name)

    @property
    def tried(self) -> str:
        """What decodes them: `libdav1d on the CPU`."""
        return f"{self._stream.codec_context.name} on the {'graphics card' if self.hardware else 'CPU'}"

    @property
    def frames_per_second(self) -> float | None:
        """The average rate, as announced; often wrong for live streams. None where there is none."""
        average = plausible_rate(float(self._stream.average_rate or 0))
        guessed = plausible_rate(float(self._stream.guessed_rate or 0))
        return (guessed or average) if self._live else (average or guessed)

    @property
    def listed_frames(self) -> int | None:
        """How many frames the container's index lists; None where it has none."""
        return self._stream.frames or None

    @property
    def shortened(self) -> bool:
        """Whether the pictures end before the index does: how FFmpeg shows an AVI that is smaller than it says."""
        return (self._stream.duration or 0) < self._stream.frames

    @property
    def duration_seconds(self) -> float | None:
        """When the last picture ends, by the clock of `Picture.seconds`, as announced; None where it is not known."""
        if self._stream.duration:
            start = self._stream.start_time or 0
            length = (start + self._stream.duration) * self._stream.time_base
            return float(length - (self._zero if self._stream.start_time is not None else 0))
        if self._container.duration is None or self._container.duration <= 0:
            return None
        return float(Fraction((self._container.start_time or 0) + self._container.duration, av.time_base) - self._zero)

    @property
    def all_duration_seconds(self) -> float:
        """When the longest stream ends, as announced; 0 where it is not known."""
        length = self._container.duration or 0
        return float(Fraction((self._container.start_time or 0) + length, av.time_base) - self._zero) if length else 0.0

    def seek(self, seconds: float) -> bool:
        """Go on with the last keyframe before this moment, by the thread that reads; False if that is impossible."""
        with self._lock:
            if self._closed:
                return False
            try:
                position = math.floor((seconds + self._zero) / self._stream.time_base)
                self._container.seek(position, stream=self._stream)
            except av.error.FFmpegError as fault:
                log.debug("no seeking (%s)", fault.strerror)
                return False
            self._decoded.clear()
            self._stamps.clear()
            self._pictures = iter(())
            self._drained = self._flushed = False
            self._packets = self._container.demux()
            return True

    def read(self) -> Picture | None:
        """The next picture; None at the end, when the camera is lost, and once closed."""
        with self._lock:
            picture = None if self._closed else self._next()
        if self._closed:  # only now, or a close that came between this question and the lock's release would be lost
            self.close()
            return None
        return picture

    def _next(self) -> Picture | None:
        asked = time.monotonic()
        while not self._closed:
            if (picture := self._converted()) is not None:
                self._seen = True
                return picture
            if self._drained or not self._advance(asked):
                return None
        return None

    def _converted(self) -> Picture | None:
        """The next picture that is decoded already."""
        while True:
            try:
                converted = next(self._pictures, None)
            except av.error.FFmpegError as fault:
                log.debug("a picture cannot be converted (%s)", fault.strerror)
                self.undecodable += 1
                converted = None
            if converted is not None:
                bgr, seconds = converted
                return Picture(bgr, None if seconds is None else seconds - float(self._zero))
            if self._decoded:
                frame = self._decoded.popleft()
                frame.time_base = frame.time_base or self._stream.time_base  # PyAV leaves it out of the last ones
                if (frame.pts is None or self._unordered) and self._stamps:
                    frame.pts = round(self._stamps.popleft() / frame.time_base)
                self._pictures = self._converter.push(frame)
            elif self._drained and not self._flushed:
                self._flushed = True
                self._pictures = self._converter.flush()
            else:
                return None

    def _advance(self, asked: float) -> bool:
        """Take and decode one packet, or at the end what the decoder holds; False when a live stream is lost."""
        before = time.monotonic()
        packet: Any = None
        try:
            packet = next(self._packets, None)
        except av.error.FFmpegError as fault:
            self.broken = True
            self.reason = f"the connection broke ({fault.strerror})"
        if self._live:
            now = time.monotonic()
            # At a time-out FFmpeg first gives up what it held, often half a picture, so the clock decides. Packets
            # that make no picture, as of sound, are no sign of life once there was one.
            since = asked if self._seen else self._opened_seconds
            held = FIRST_PICTURE_SECONDS if self.playlist else self._timeout_seconds
            if now - before >= 0.95 * held or now - since >= (held if self._seen else FIRST_PICTURE_SECONDS):
                self.reason = f"no picture for {now - since:.1f} s"
                return False
        if packet is None or (not packet.size and packet.pts is None and packet.dts is None):  # PyAV's sign of the end
            self._drained = True
            if self._live:
                self.reason = self.reason or "the camera ended the connection"
        self._decode(None if self._drained else packet)
        return True

    def _decode(self, packet: Any) -> None:
        """Decode a packet; None for what the decoder still holds."""
        if packet is not None:
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and packet.stream_index < len(self._ticks):  # some streams appear later
                end = (stamp + (packet.duration or 0)) * self._ticks[packet.stream_index] - float(self._zero)
                self.end_seconds = max(self.end_seconds, end)
            if packet.stream is not self._stream:
                return
            if packet.size:
                self.packets += 1
                self.hidden += packet.is_discard
                if (packet.pts is None or self._unordered) and packet.dts is not None:
                    self._stamps.append(packet.dts * self._ticks[packet.stream_index])
        try:
            frames = self._stream.decode(packet)
            if not self._keyed:
                frames = list(itertools.dropwhile(lambda frame: not frame.key_frame, frames))
                self._keyed = bool(frames)
            self._decoded.extend(frames)
        except av.error.FFmpegError as fault:  # a damaged packet; the decoder goes on with the next
            self.undecodable += 1
            if self._stamps and packet is not None:
                self._stamps.pop()
            log.debug("a packet cannot be decoded (%s)", cause_of(fault, self._timeout_seconds))
        if not self._seen and self._decoded:
            self._measure_pixels()

    def _measure_pixels(self) -> None:
        """Take the shape of pixels from the header; some decoders know it with the first picture only."""
        aspect = self._stream.sample_aspect_ratio or self._stream.codec_context.sample_aspect_ratio
        self._converter.aspect = Fraction(aspect) if aspect and aspect != 1 else None

    def close(self) -> None:
        """Give the file or connection back. Twice does no harm."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._decoded.clear()
                self._pictures = iter(())
                self._container.close()
                if self._copy is not None:
                    self._copy.close()
            finally:
                self._lock.release()


def decoding_threads(recordings: int = 1) -> int:
    """How many threads decode a recording, so that several together take no more cores than there are."""
    from pose.inference.runtimes.workers import usable_cores

    return max(1, min(MOST_THREADS, usable_cores() // recordings))


def clock_start(container: Any) -> Fraction:
    """Where the clock that players show begins, by the file's own, seconds.

    Players show the pictures of an MP4 or Matroska at the times they carry, after the edit list, which FFmpeg applies.
    Where a clock begins anywhere they count from the first packet of any stream, so pictures that begin after the sound
    do so in the player too.
    """
    if ABSOLUTE & set(container.format.name.split(",")) or container.start_time is None:
        return Fraction(0)
    streams = (*container.streams.video, *container.streams.audio)
    starts = [stream.start_time * stream.time_base for stream in streams if stream.start_time is not None]
    return min(starts, default=Fraction(container.start_time, av.time_base))


def _moving_picture(container: Any) -> Any:
    """The stream of pictures; see `VideoReader` for what it raises."""
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise SourceError(NO_PICTURE)
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.codec_context is None:
        coding = _coding(container, stream)
        raise SourceError(f"has pictures in a coding{coding} for which FFmpeg {av.ffmpeg_version_info} has no decoder")
    for other in container.streams:
        if other.type not in ("video", "audio") or (other.type == "video" and other is not stream):
            other.discard = Discard.all
    return stream


def _coding(container: Any, stream: Any) -> str:
    """What a stream without a decoder says it is coded in, in brackets; empty if nothing. PyAV has it as text only."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        found = re.search(rf"#\d+:{stream.index}\b.*?: Video: (?:none \()?([\w.-]+)", container.dumps_format() or "")
    finally:
        av.logging.set_level(level)
    return f" ({found[1]})" if found and found[1] != "none" else ""


def _open(address: str, settings: SourceSettings, live: bool) -> tuple[Any, str]:
    """PyAV's container, of the first way in which the address can be understood that opens; and that way.

    Raises:
        SourceError: see `VideoReader`.
    """
    fault: SourceError | None = None
    for reading in readings(address) if is_address(address) else [address]:
        try:
            return _open_container(None, reading, settings, live), reading
        except SourceError as error:
            # the password was understood in one of the ways, if the server did not like it; else the first is likeliest
            fault = error if fault is None or str(error) == WRONG_LOGIN else fault
    assert fault is not None
    raise fault


def _open_container(copy: IO[bytes] | None, address: str, settings: SourceSettings, live: bool) -> Any:
    started = time.monotonic()
    timeout_seconds = settings.open_timeout_seconds
    remote = copy is None and is_address(address)

    def open_with(held_seconds: float) -> Any:
        return av.open(
            copy or address,
            options=_options(address, settings, live) if remote else {},
            timeout=(timeout_seconds, held_seconds) if remote else None,
            hwaccel=hardware_decoder() if settings.hardware_decoding == "auto" else None,
            metadata_errors="replace",
        )

    try:
        container = open_with(settings.read_timeout_seconds)
        if remote and container.format.name == "hls" and not container.duration:
            container.close()  # the time-out cannot be changed
            container = open_with(max(FIRST_PICTURE_SECONDS, settings.read_timeout_seconds))
        return container
    except av.error.FFmpegError as fault:
        cause = cause_of(fault, timeout_seconds)
    if remote and time.monotonic() - started >= 0.9 * timeout_seconds:  # the kind of a late fault says nothing
        cause = f"does not answer within {timeout_seconds:g} s"
    raise SourceError(cause)  # out here, or FFmpeg's fault would hang on as its context, with address and password


def _options(address: str, settings: SourceSettings, live: bool) -> dict[str, str]:
    """What FFmpeg is told before it connects."""
    options = {}
    if live:
        # Looking at a stream ends when this much of it has come, and FFmpeg's own 5 s are as long as our patience: a
        # camera with one picture in 2 s would not open in time.
        options["analyzeduration"] = str(round(settings.open_timeout_seconds / 2 * 1e6))
    if address.lower().startswith(("rtsp:", "rtsps:")):
        # sound would cost bandwidth, and keep a connection alive whose picture has frozen
        options |= {"rtsp_transport": settings.transport, "allowed_media_types": "video"}
    return options
