"""`Frame`: what a camera saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frame"]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source. Read-only.

    Attributes:
        bgr: uint8 `[H, W, 3]`, blue, green, red as OpenCV gives them.
        source: the name of the source it came from, safe to print.
        number: counts up from 0 within the source and is never reused, not even after a reconnect.
        epoch: 0 at first, one more after every reconnect.
        media_seconds: presentation time within the recording or connection; None if the source has no clock.
        captured_seconds: `time.monotonic()` at the moment the picture was in our hands.
        file: the picture's own path, safe to print, where the source is made of picture files.

    Raises:
        ValueError: `bgr` is not a uint8 picture of three channels.
    """

    bgr: NDArray[np.uint8]
    source: str
    number: int
    epoch: int
    media_seconds: float | None
    captured_seconds: float
    file: str | None = None

    def __post_init__(self) -> None:
        if self.bgr.dtype != np.uint8 or self.bgr.ndim != 3 or self.bgr.shape[2] != 3 or self.bgr.size == 0:
            raise ValueError(f"bgr is {self.bgr.dtype} {list(self.bgr.shape)}, expected uint8 [H, W, 3]")
        view = self.bgr.view()
        view.flags.writeable = False
        object.__setattr__(self, "bgr", view)

    @property
    def seconds(self) -> float:
        """The clock that things which last are measured with: media time where there is one, else capture time."""
        return self.captured_seconds if self.media_seconds is None else self.media_seconds

    def __repr__(self) -> str:
        height, width = self.bgr.shape[:2]
        return f"Frame({self.source!r}, number={self.number}, epoch={self.epoch}, {width}x{height})"
