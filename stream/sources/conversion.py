"""`FrameConverter`: decoded pictures as people should see them: whole, of square pixels, upright, BGR."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import av
import av.filter
import cv2
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

__all__ = ["FrameConverter", "display_width"]

WIDEST_PIXEL: Final = 8
"""Pixels that claim to be more than so many times as wide as high, or as high as wide, are square: a wrong header."""

# glibc gives the memory of every picture back to the system and asks for it again, page by page: 0.7 of 2.6 ms for a
# frame of 720p. Once a block of this size was freed (it heeds none above 32 MiB) it keeps what is smaller, up to 4K.
np.empty(31 << 20, np.uint8)


def display_width(width: int, aspect: Fraction | None) -> int:
    """How many square pixels wide a picture is shown whose height stays.

    Args:
        width: in pixels as they are coded.
        aspect: width over height of such a pixel; None or 0 where the file does not say.
    """
    if not aspect or not Fraction(1, WIDEST_PIXEL) <= aspect <= WIDEST_PIXEL:
        return width
    return max(1, round(width * aspect))


class FrameConverter:
    """Makes arrays of decoded frames. Not thread-safe; use one per thread.

    Interlaced frames are deinterlaced by FFmpeg's bwdif, one picture of each, from the first that is flagged on; this
    holds back one frame. Pixels that are not square are scaled in width. The turning and mirroring that phones write is
    applied. Colours are converted as the frame says, on one thread, bit for bit as OpenCV does it.

    What a frame's decoder marks as damaged is left out: it may show memory that was never written.

    Attributes:
        aspect: width over height of a coded pixel; None for square ones.
        damaged: frames left out so far.
    """

    def __init__(self) -> None:
        self.aspect: Fraction | None = None
        self.damaged = 0
        self._reformatter = VideoReformatter()
        self._deinterlacer: Any = None
        self._layout: tuple[int, int, str] | None = None  # of the frames in the deinterlacer
        self._rotation: int | None = None  # degrees, for which the matrix was read
        self._matrix: tuple[int, int, int, int] | None = None

    def push(self, frame: Any) -> Iterator[tuple[NDArray[np.uint8], float | None]]:
        """The pictures, uint8 `[H, W, 3]` BGR in buffers of their own, that one more frame completes, with their times.

        Args:
            frame: an `av.VideoFrame`.

        Raises:
            av.error.FFmpegError: it cannot be converted.
        """
        if frame.is_corrupt:
            self.damaged += 1
            return
        layout = frame.width, frame.height, frame.format.name
        if self._deinterlacer is not None and layout != self._layout:
            yield from self.flush()
        if self._deinterlacer is None and frame.interlaced_frame and not _on_card(frame):
            self._deinterlacer, self._layout = _deinterlacer(frame), layout
        if frame.rotation != self._rotation:  # reading the whole matrix takes 0.3 ms
            self._rotation, self._matrix = frame.rotation, _orientation(frame)
        if self._deinterlacer is None:
            yield self._convert(frame)
            return
        self._deinterlacer.push(frame)
        yield from self._pull()

    def flush(self) -> Iterator[tuple[NDArray[np.uint8], float | None]]:
        """What was held back."""
        if self._deinterlacer is not None:
            self._deinterlacer.push(None)
            yield from self._pull()
            self._deinterlacer = None

    def _pull(self) -> Iterator[tuple[NDArray[np.uint8], float | None]]:
        while True:
            try:
                frame = self._deinterlacer.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield self._convert(frame)

    def _convert(self, frame: Any) -> tuple[NDArray[np.uint8], float | None]:
        width = display_width(frame.width, self.aspect)
        picture = self._reformatter.reformat(
            frame, width=width, format="bgr24", interpolation="BICUBIC" if width != frame.width else None, threads=1
        )
        bgr = _pixels(picture)
        return (bgr if self._matrix is None else _oriented(bgr, self._matrix)), frame.time


def _pixels(picture: Any) -> NDArray[np.uint8]:
    """The memory of a frame of BGR as uint8 `[H, W, 3]`, which keeps the frame; a copy where its rows are padded."""
    plane, row = picture.planes[0], 3 * picture.width
    lines = np.frombuffer(plane, np.uint8).reshape(picture.height, plane.line_size)
    return np.ascontiguousarray(lines[:, :row]).reshape(picture.height, picture.width, 3)


def _on_card(frame: Any) -> bool:
    """Whether a frame lies in the graphics card's memory, where FFmpeg's filters for the CPU cannot reach it."""
    return frame.sw_format is not None and frame.sw_format.name != frame.format.name


def _deinterlacer(frame: Any) -> Any:
    """A filter graph that takes frames like this one."""
    graph = av.filter.Graph()
    graph.threads = 1
    base = frame.time_base or Fraction(1, av.time_base)
    graph.link_nodes(
        graph.add(
            "buffer",
            f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
            f":time_base={base.numerator}/{base.denominator}",
        ),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    return graph


def _orientation(frame: Any) -> tuple[int, int, int, int] | None:
    """How the frame is to be turned and mirrored: the signs of its display matrix; None for as it is.

    FFmpeg's matrix `a b u, c d v, x y w` takes a point (p, q) to (a p + c q, b p + d q).
    """
    data = frame.side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return None
    matrix = np.frombuffer(bytes(data), np.int32)
    a, b, c, d = (int(matrix[place]) for place in (0, 1, 3, 4))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        signs = 1 if a >= 0 else -1, 0, 0, 1 if d >= 0 else -1
    else:
        signs = 0, 1 if b >= 0 else -1, 1 if c >= 0 else -1, 0
    return None if signs == (1, 0, 0, 1) else signs


def _oriented(bgr: NDArray[np.uint8], signs: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    a, b, c, d = signs
    turned: Any = cv2.transpose(bgr) if b else bgr
    mirrored, upside_down = a + c < 0, b + d < 0
    if mirrored and upside_down:
        turned = cv2.flip(turned, -1)
    elif mirrored or upside_down:
        turned = cv2.flip(turned, 1 if mirrored else 0)
    return np.asarray(turned, np.uint8)
