"""`ArraySource`: pictures that a program has, or makes, as a source."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeGuard

import numpy as np
from numpy.typing import NDArray

from pose.closing import Closing
from stream.errors import SourceError
from stream.frame import Frame
from stream.sources.base import SourceInfo
from stream.sources.status import SourceState, SourceStatus

__all__ = ["ArraySource", "Pictures", "is_pictures"]

Picture = NDArray[np.uint8]
Pictures = Picture | Sequence[Picture] | Iterable[Picture | tuple[Picture, float]]


class ArraySource(Closing):
    """Gives arrays as frames, none left out.

    What they are is told by how they come: one array is a picture; a list or tuple of arrays, and an array of four
    dimensions, are pictures that have nothing to do with one another; a generator, or any other iterable, gives the
    frames of one video. With `frames_per_second` all of these but a single picture are a video.

        for scene in scenes(ArraySource(video, frames_per_second=25)):
            ...

    The frames of a video have the times at which they come, unless `frames_per_second` says otherwise or every item is
    a pair of a picture and its time in seconds. Not thread-safe; use one per thread. A generator runs on the thread
    that reads the source; closing the source does not close the generator, and waits for the picture it is making.

    Args:
        pictures: uint8 `[H, W, 3]` each, BGR as OpenCV gives them. They are not copied: do not write to one that was
            given.
        frames_per_second: of a video that does not come at its own pace; None where it does.
        name: what it is called.

    Raises:
        SourceError: there is no picture; or, while it is read, an item is none.
        ValueError: `frames_per_second` is not above 0.
    """

    live: Final = False
    path: Final = None

    def __init__(self, pictures: Pictures, *, frames_per_second: float | None = None, name: str = "arrays") -> None:
        if frames_per_second is not None and not 0 < frames_per_second < float("inf"):
            raise ValueError(f"frames_per_second is {frames_per_second}, expected more than 0")
        if isinstance(pictures, np.ndarray) and pictures.ndim != 4:
            pictures = (pictures,)
        if not isinstance(pictures, Iterable):
            raise SourceError(f"{name}: {type(pictures).__name__} is no source. Give arrays, a path or an address.")
        self.name = name
        self._pictures: Iterable[Any] = pictures
        self._frames_per_second = frames_per_second
        self._closed = threading.Event()
        self.status = SourceStatus(SourceState.LIVE, "", time.monotonic())
        self.still = isinstance(pictures, np.ndarray | Sequence) and frames_per_second is None
        self.info = SourceInfo(None, None, frames_per_second)
        if isinstance(pictures, np.ndarray | Sequence):
            if len(pictures) == 0:
                raise SourceError(f"{name}: there is no picture. Give at least one.")
            height, width = _picture(pictures[0], name, 0).shape[:2]
            seconds = None if frames_per_second is None else len(pictures) / frames_per_second
            self.info = SourceInfo(width, height, frames_per_second, len(pictures), seconds)

    def __iter__(self) -> Iterator[Frame]:
        began = time.monotonic()
        for number, item in enumerate(self._pictures):
            if self._closed.is_set():
                break
            now = time.monotonic()
            bgr = _picture(item, self.name, number)
            seconds = None if self.still else self._seconds(item, number, now - began)
            yield Frame(bgr, self.name, number, 0, seconds, now)
        self.status = SourceStatus(SourceState.ENDED, "", time.monotonic())

    def _seconds(self, item: object, number: int, passed: float) -> float:
        if isinstance(item, tuple):
            return float(item[1])
        return passed if self._frames_per_second is None else number / self._frames_per_second

    def close(self) -> None:
        """End the iteration before the next frame. Twice does no harm."""
        self._closed.set()


def is_pictures(given: object) -> TypeGuard[Pictures]:
    """Whether `given` is something that `ArraySource` takes, and neither an address nor a list of sources."""
    if isinstance(given, np.ndarray):
        return True
    if isinstance(given, Sequence):
        return not isinstance(given, str) and len(given) > 0 and all(isinstance(one, np.ndarray) for one in given)
    return isinstance(given, Iterable)


def _picture(item: Any, name: str, number: int) -> Picture:
    bgr = item[0] if isinstance(item, tuple) and len(item) == 2 else item
    if not isinstance(bgr, np.ndarray) or bgr.dtype != np.uint8 or bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.size == 0:
        what = f"{bgr.dtype} {list(bgr.shape)}" if isinstance(bgr, np.ndarray) else type(bgr).__name__
        raise SourceError(f"{name}: picture {number} is {what}. Give uint8 arrays [height, width, 3], BGR.")
    return np.ascontiguousarray(bgr)  # such as rgb[..., ::-1], which OpenCV does not take
