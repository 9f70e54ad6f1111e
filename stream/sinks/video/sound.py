"""`Sound`: the sound of a video file as packets for an MP4, in step with the pictures."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import av
from av.bitstream import BitStreamFilterContext

from index.building.pictures import printable
from stream.sources.base import Source
from stream.sources.video_reader import clock_start

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer

__all__ = ["Packet", "Sound", "open_sound"]

log = logging.getLogger(__name__)

Packet: TypeAlias = Any
"""An `av.packet.Packet`. PyAV declares its times optional; here they are always there."""

COPIED: Final = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"})
"""What MP4 holds as it is. Everything else (PCM, Vorbis, …) is encoded again."""

DESCRIBED: Final = frozenset({"alac", "flac", "opus"})
"""Which of these MP4 holds only with the description that the source's header should have."""

AAC_RATES: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
AAC_BITS_PER_CHANNEL: Final = 64_000
AAC_SAMPLES: Final = 1024

AHEAD_SECONDS: Final = 10.0
"""How far sound may lie behind the pictures in the file. Without a limit, sound that ends early would be looked for in
the whole rest."""


def open_sound(source: Source) -> Sound | None:
    """The sound of a source; None where it has none that can be kept, which the log says.

    Only video files on this machine have sound here: a recording that is read over HTTP would be fetched twice.
    """
    if source.live or source.still or source.path is None:
        return None
    name = printable(source.path)
    try:
        container = av.open(str(source.path.absolute()))  # absolute: FFmpeg reads "a:b.mp4" as an address
    except av.error.FFmpegError as error:
        log.warning("%s: its sound cannot be read (%s); the video is written without", name, error.strerror)
        return None
    stream: Any = container.streams.best("audio")
    if stream is not None and stream.codec_context is not None:
        return Sound(name, container, stream)
    if stream is not None:
        log.warning("%s: its sound is in a coding that cannot be read; the video is written without", name)
    container.close()
    return None


class Sound:
    """Packets of sound whose times are those of `Frame.media_seconds`.

    Sound that MP4 can hold is copied, not encoded again; other sound becomes AAC, with at most two channels and with
    silence where it has gaps. Sound that cannot be decoded is left out, and one line of the log says so: it never ends
    a run. Not thread-safe; use one per thread.

    Args:
        name: of the file, for messages.
        container: open, closed by `close`.
        stream: of sound in it.
    """

    def __init__(self, name: str, container: InputContainer, stream: AudioStream) -> None:
        self._name = name
        self._container = container
        self._stream = stream
        self._pictures: Any = container.streams.best("video")
        self._zero = clock_start(container)
        context = stream.codec_context
        coding = stream.codec.canonical_name
        described = coding not in DESCRIBED or context.extradata
        self._encoder = None if coding in COPIED and described else _AacEncoder(stream)
        # a transport stream describes its AAC in every packet, MP4 once
        adts = coding == "aac" and not context.extradata
        self._unwrap = BitStreamFilterContext("aac_adtstoasc", stream) if adts else None
        self.rate = stream.sample_rate if self._encoder is None else self._encoder.rate
        self._packets = container.demux(*filter(None, (self._pictures, stream)))
        self._ready: deque[Packet] = deque()
        self._ended = False
        self._read_seconds = -math.inf  # the latest packet read, of sound or picture
        self._picture_seconds = -math.inf  # the latest picture read
        self._next_pts: int | None = None

    def add_to(self, output: OutputContainer) -> AudioStream:
        """The stream of an MP4 that takes this sound."""
        if self._encoder is None:
            return output.add_stream_from_template(self._stream)
        return self._encoder.add_to(output)

    def until(self, seconds: float) -> Iterator[Packet]:
        """Packets not given before that begin before `seconds`; their times count samples of `rate`."""
        while True:
            while self._ready and self._ready[0].pts < seconds * self.rate:
                yield self._ready.popleft()
            if self._ready or self._ended or self._read_seconds > seconds + AHEAD_SECONDS:
                return
            self._read()

    def rest(self, end_seconds: float, next_seconds: float) -> Iterator[Packet]:
        """What follows the last picture written.

        Args:
            end_seconds: when that picture ends.
            next_seconds: when a next picture would have come at the latest. If the file has later ones, the run was
                ended early, and the sound ends with the picture; else all of it is given.
        """
        yield from self.until(end_seconds)
        while not self._ended and self._picture_seconds <= next_seconds:
            if self._read_seconds > next_seconds + AHEAD_SECONDS:
                break
            self._read()
        if self._picture_seconds <= next_seconds:
            yield from self.until(math.inf)

    def _read(self) -> None:
        """Take one packet of the file, of sound or picture."""
        try:
            packet = next(self._packets, None)
        except av.error.FFmpegError as error:
            log.warning(
                "%s: its sound breaks off at %.1f s (%s)", self._name, max(self._read_seconds, 0.0), error.strerror
            )
            packet = None
        if packet is None:
            if not self._ended and self._encoder is not None:
                self._ready.extend(self._encoder.encode(None))
            self._ended = True
            return
        stamp = packet.dts if packet.pts is None else packet.pts
        seconds = math.nan if stamp is None else float(stamp * packet.time_base - self._zero)
        if seconds > self._read_seconds:
            self._read_seconds = seconds
        if packet.stream is self._pictures:
            if seconds > self._picture_seconds and packet.size:
                self._picture_seconds = seconds
        elif packet.size:
            self._ready.extend(self._copied(packet) if self._encoder is None else self._encoded(packet))

    def _copied(self, packet: Packet) -> Iterable[Packet]:
        if self._unwrap is None:
            return (self._timed(packet),)
        try:
            return [self._timed(unwrapped) for unwrapped in self._unwrap.filter(packet)]
        except av.error.FFmpegError as error:
            log.debug("%s: a damaged packet of sound is left out: %s", self._name, error)
            return ()

    def _timed(self, packet: Packet) -> Packet:
        """The packet, its times counted in samples by the clock of `Frame.media_seconds`."""
        size = self._stream.codec_context.frame_size or round((packet.duration or 0) * packet.time_base * self.rate)
        if packet.pts is None:
            pts = self._next_pts or 0
        else:
            exact = (packet.pts * packet.time_base - self._zero) * self.rate
            pts = round(exact)
            # Matroska rounds to milliseconds; in truth packet follows packet
            if self._next_pts is not None and abs(exact - self._next_pts) <= packet.time_base * self.rate:
                pts = self._next_pts
            elif self._next_pts is not None:
                pts = max(pts, self._next_pts - size + 1)
        self._next_pts = pts + size
        packet.pts = packet.dts = pts
        packet.duration = size
        packet.time_base = Fraction(1, self.rate)
        return packet

    def _encoded(self, packet: Packet) -> Iterable[Packet]:
        assert self._encoder is not None
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            log.debug("%s: a packet of sound cannot be decoded: %s", self._name, error)
            return ()
        for frame in frames:
            if frame.pts is not None:
                frame.pts = round((frame.pts * frame.time_base - self._zero) * frame.sample_rate)
                frame.time_base = Fraction(1, frame.sample_rate)
        try:
            return [coded for frame in frames for coded in self._encoder.encode(frame)]
        except (av.error.FFmpegError, ValueError) as error:
            log.warning("%s: its sound cannot be kept from %.1f s on (%s)", self._name, self._read_seconds, error)
            self._ended = True
            return ()

    def close(self) -> None:
        """Give the file back. Twice does no harm."""
        self._ended = True
        self._ready.clear()
        self._container.close()


class _AacEncoder:
    """Decoded sound to AAC; packets have times in samples, as the frames' times say."""

    def __init__(self, stream: AudioStream) -> None:
        self.rate = stream.sample_rate if stream.sample_rate in AAC_RATES else 48000
        self._channels = min(2, stream.channels)
        self._layout = "mono" if self._channels == 1 else "stereo"
        self._graph: Any = None
        self._context: AudioCodecContext = av.CodecContext.create("aac", "w")
        self._context.sample_rate = self.rate
        self._context.layout = self._layout
        self._context.format = "fltp"
        self._context.bit_rate = AAC_BITS_PER_CHANNEL * self._channels
        self._context.time_base = Fraction(1, self.rate)

    def add_to(self, output: OutputContainer) -> AudioStream:
        """A stream with this encoder's description."""
        return output.add_stream(
            "aac", rate=self.rate, layout=self._layout, bit_rate=AAC_BITS_PER_CHANNEL * self._channels
        )

    def encode(self, frame: AudioFrame | None) -> list[Packet]:
        """Packets that are complete; None ends the sound."""
        if self._graph is None:
            if frame is None:
                return []
            self._graph = self._build(frame)
        packets: list[Packet] = []
        self._graph.push(frame)
        while True:
            try:
                samples = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                break
            packets += self._context.encode(samples)
        return packets if frame is not None else packets + self._context.encode(None)

    def _build(self, frame: AudioFrame) -> Any:
        graph = av.filter.Graph()
        graph.link_nodes(
            graph.add_abuffer(
                sample_rate=frame.sample_rate,
                format=frame.format.name,
                layout=frame.layout.name,
                time_base=Fraction(1, frame.sample_rate),
            ),
            graph.add("aresample", "async=1:min_hard_comp=0.05"),  # silence for gaps, no stretching
            graph.add("aformat", f"sample_fmts=fltp:sample_rates={self.rate}:channel_layouts={self._layout}"),
            graph.add("abuffersink"),
        ).configure()
        graph.set_audio_frame_size(AAC_SAMPLES)
        return graph
