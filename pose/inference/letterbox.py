"""Letterbox: fitting a picture of any size into a network's input without bending it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["BORDER_GREY", "Letterbox"]

BORDER_GREY: Final = 114


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture lies inside a network's input. All sizes in pixels.

    Attributes:
        source_height, source_width: of the picture.
        height, width: of the network's input.
        scale: input pixels per source pixel.
        left, top, inner_height, inner_width: the picture inside the input; grey is around it.
    """

    source_height: int
    source_width: int
    height: int
    width: int
    scale: float
    left: int
    top: int
    inner_height: int
    inner_width: int

    @classmethod
    def fit(
        cls, height: int, width: int, size: int, stride: int, *, rectangular: bool = True, enlarge: bool = True
    ) -> Letterbox:
        """Fit a picture of `height` × `width` into a square of `size`, or into the smallest rectangle of it.

        Rounds as the reference does (half to even; an odd border is wider at the bottom and right), so that the
        network sees the same pixels.

        Args:
            stride: with `rectangular`, the borders are cut down to less than this, which leaves height and width
                multiples of it when `size` is one.
            enlarge: whether a picture smaller than `size` is scaled up.
        """
        scale = min(size / height, size / width)
        if not enlarge:
            scale = min(scale, 1.0)
        inner_height, inner_width = max(round(height * scale), 1), max(round(width * scale), 1)
        spare_height, spare_width = size - inner_height, size - inner_width
        if rectangular:
            spare_height, spare_width = spare_height % stride, spare_width % stride
        return cls(
            height,
            width,
            inner_height + spare_height,
            inner_width + spare_width,
            scale,
            round(spare_width / 2 - 0.1),
            round(spare_height / 2 - 0.1),
            inner_height,
            inner_width,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return self.height, self.width

    def draw(self, bgr: NDArray[np.uint8], canvas: NDArray[np.uint8]) -> None:
        """Draw the picture into `canvas`, uint8 `[height, width, 3]`, on the CPU."""
        bottom, right = self.top + self.inner_height, self.left + self.inner_width
        inner = canvas[self.top : bottom, self.left : right]
        if bgr.shape == inner.shape:
            inner[:] = bgr
        else:
            # A canvas row is not always contiguous with the next, which OpenCV takes as it is.
            cv2.resize(bgr, (self.inner_width, self.inner_height), dst=inner, interpolation=cv2.INTER_LINEAR)
        canvas[: self.top] = canvas[bottom:] = BORDER_GREY
        canvas[:, : self.left] = canvas[:, right:] = BORDER_GREY

    def draw_on_device(self, bgr: Tensor) -> Tensor:
        """The letterboxed picture: float32 `[3, height, width]`, 0–255, from uint8 `[H, W, 3]` on the same device.

        Bilinear without antialiasing, as OpenCV's; values differ from it by less than one grey level.
        """
        picture = bgr.permute(2, 0, 1)[None].float()
        if picture.shape[2:] != (self.inner_height, self.inner_width):
            picture = F.interpolate(
                picture, (self.inner_height, self.inner_width), mode="bilinear", align_corners=False
            )
        right = self.width - self.left - self.inner_width
        bottom = self.height - self.top - self.inner_height
        return F.pad(picture.round(), (self.left, right, self.top, bottom), value=float(BORDER_GREY))[0]

    def scale_to(self, other: Letterbox) -> NDArray[np.float32]:
        """Pixels of another input of the same picture per pixel of this one, across and down: float32 `[2]`."""
        return np.array([other.inner_width / self.inner_width, other.inner_height / self.inner_height], np.float32)

    def to_other(self, other: Letterbox, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points `[..., 2]` in pixels of this input, in pixels of another input of the same picture."""
        here, there = np.array([self.left, self.top], np.float32), np.array([other.left, other.top], np.float32)
        moved: NDArray[np.float32] = (xy - here) * self.scale_to(other) + there
        return moved

    def to_source(self, xy: NDArray[np.floating]) -> NDArray[np.float32]:
        """Points `[..., 2]` in pixels of the input, in pixels of the picture, held inside it."""
        offset = np.array([self.left, self.top], np.float32)
        # Rounding the inner size makes the true scale differ a little between the axes.
        scale = np.array([self.inner_width / self.source_width, self.inner_height / self.source_height], np.float32)
        limit = np.array([self.source_width, self.source_height], np.float32)
        return ((xy - offset) / scale).clip(0, limit).astype(np.float32, copy=False)
