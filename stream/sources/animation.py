"""Animated pictures: telling them from still ones, and `WebpAnimation`, a kind that this FFmpeg does not read."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.datasets.picture_file import decode_picture
from pose.errors import PictureError
from stream.errors import SourceError
from stream.sources.video_reader import Picture

__all__ = ["WebpAnimation", "is_animated", "is_webp"]

ROWS_OF_JPEGS: Final = frozenset({".mjpeg", ".mjpg"})
PNG: Final = b"\x89PNG\r\n\x1a\n"
ANIMATED: Final = 0x02  # in the flags of WebP's header
ALPHA: Final = 0x10
SHORTEST_SECONDS: Final = 0.01
"""A picture that claims to be shown for no time at all is shown for ten times this, as browsers do."""


def is_webp(path: Path) -> bool:
    """Whether a file begins as a WebP picture."""
    with path.open("rb") as file:
        start = file.read(12)
    return start[:4] == b"RIFF" and start[8:] == b"WEBP"


def is_animated(path: Path) -> bool:
    """Whether a picture file (GIF, PNG, WebP, JPEGs in a row) holds more than one picture; False if unreadable."""
    if path.suffix.lower() in ROWS_OF_JPEGS:
        return True
    try:
        with path.open("rb") as file:
            start = file.read(64 * 1024)
    except OSError:
        return False
    if start[:4] == b"RIFF" and start[8:16] == b"WEBPVP8X":
        return bool(start[20:21] and start[20] & ANIMATED)
    if start.startswith(PNG):
        return b"acTL" in start.partition(b"IDAT")[0]
    return start.startswith(b"GIF8") and _has_two_pictures(path)


def _has_two_pictures(path: Path) -> bool:
    import av

    try:
        with av.open(str(path.absolute())) as container:
            pictures = (packet for packet in container.demux(video=0) if packet.size)
            return sum(1 for _ in zip(range(2), pictures, strict=False)) == 2
    except (av.error.FFmpegError, IndexError):
        return False


@dataclass(frozen=True, slots=True)
class _Part:
    """One picture of an animation, before it is laid over those before it.

    Attributes:
        left, top, width, height: where it lies, pixels.
        seconds: how long it is shown.
        blend: whether it is transparent where it has nothing, instead of replacing what lies below.
        dispose: whether its place is cleared after it was shown.
        data: its chunks: transparency and pixels.
    """

    left: int
    top: int
    width: int
    height: int
    seconds: float
    blend: bool
    dispose: bool
    data: bytes


class WebpAnimation:
    """An animated WebP, read as `VideoReader` reads everything else. Not thread-safe; use one per thread.

    Args:
        path: the file.

    Raises:
        SourceError: it is none; the message is the middle of a sentence.
    """

    codec: Final = "webp"
    tried: Final = "OpenCV on the CPU"
    container_format: Final = "webp"
    hardware: Final = False
    shortened: Final = False
    hidden: Final = 0

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self.closed = False
        self.broken = False
        self.packets = 0
        self.end_seconds = 0.0
        self._parts: list[_Part] = []
        self._canvas = np.zeros((0, 0, 4), np.uint8)
        for name, chunk in _chunks(data[12:]):
            if name == b"VP8X" and len(chunk) >= 10:
                width, height = (int.from_bytes(chunk[at : at + 3], "little") + 1 for at in (4, 7))
                self._canvas = np.zeros((height, width, 4), np.uint8)
            elif name == b"ANMF" and len(chunk) > 16:
                self._parts.append(_part(chunk))
        if not self._parts or not self._canvas.size:
            raise SourceError("is damaged: it is an animation without pictures")
        self.broken = len(data) < 8 + int.from_bytes(data[4:8], "little")
        self.listed_frames = None if self.broken else len(self._parts)
        self.duration_seconds = self.all_duration_seconds = sum(part.seconds for part in self._parts)
        self.frames_per_second = len(self._parts) / self.duration_seconds
        self._next = 0

    def seek(self, seconds: float) -> bool:
        """Every picture builds on those before it, so they are all needed."""
        return True

    def read(self) -> Picture | None:
        """The next picture; None at the end and once closed."""
        while not self.closed and self._next < len(self._parts):
            part = self._parts[self._next]
            self._next += 1
            self.packets += 1
            at, self.end_seconds = self.end_seconds, self.end_seconds + part.seconds
            place = np.s_[part.top : part.top + part.height, part.left : part.left + part.width]
            pixels = _decode(part)
            if pixels is None or pixels.shape[:2] != self._canvas[place].shape[:2]:
                continue
            self._canvas[place] = _over(pixels, self._canvas[place]) if part.blend else pixels
            bgr = np.ascontiguousarray(self._canvas[..., :3])
            if part.dispose:
                self._canvas[place] = 0
            return Picture(bgr, at)
        return None

    def close(self) -> None:
        """Read no more."""
        self.closed = True


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a RIFF file, as far as they are whole: name and content."""
    at = 0
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if at + 8 + size > len(data):
            return
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _part(chunk: bytes) -> _Part:
    left, top, width, height, milliseconds = (int.from_bytes(chunk[at : at + 3], "little") for at in range(0, 15, 3))
    seconds = milliseconds / 1000
    return _Part(
        2 * left,
        2 * top,
        width + 1,
        height + 1,
        seconds if seconds > SHORTEST_SECONDS else 10 * SHORTEST_SECONDS,
        blend=not chunk[15] & 2,
        dispose=bool(chunk[15] & 1),
        data=chunk[16:],
    )


def _decode(part: _Part) -> NDArray[np.uint8] | None:
    """Blue, green, red and opacity; None for a damaged picture."""
    chunks = b"".join(
        struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)
        for name, content in _chunks(part.data)
        if name in (b"ALPH", b"VP8 ", b"VP8L")
    )
    if chunks.startswith(b"ALPH"):
        size = (part.width - 1).to_bytes(3, "little") + (part.height - 1).to_bytes(3, "little")
        chunks = struct.pack("<4sIB3x", b"VP8X", 10, ALPHA) + size + chunks
    still = struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WEBP") + chunks
    try:
        picture = cv2.imdecode(np.frombuffer(still, np.uint8), cv2.IMREAD_UNCHANGED)
        if picture is None:
            return None
        if picture.ndim == 3 and picture.shape[2] == 4:
            return np.asarray(picture, np.uint8)
        bgr = decode_picture(still)
    except (cv2.error, PictureError):
        return None
    return np.dstack([bgr, np.full(bgr.shape[:2], 255, np.uint8)])


def _over(above: NDArray[np.uint8], below: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture over another, both with opacity in the fourth channel."""
    opacity, under = above[..., 3:].astype(np.float32) / 255, below[..., 3:].astype(np.float32) / 255
    whole = opacity + under * (1 - opacity)
    colour = above[..., :3] * opacity + below[..., :3] * under * (1 - opacity)
    mixed = np.concatenate([colour / np.maximum(whole, 1e-6), 255 * whole], 2)
    return np.asarray(np.rint(mixed), np.uint8)
