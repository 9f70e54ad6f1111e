"""`Targets`: the people of a batch as the loss sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from pose.keypoints import KEYPOINT_COUNT

__all__ = ["Targets"]


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """The labelled people of a batch of B pictures, in pixels of the network's input.

    Attributes:
        picture: int64 `[T]`: which picture of the batch a person is in.
        boxes: float32 `[T, 4]`: centre x, centre y, width, height.
        keypoints: float32 `[T, 17, 3]`: x, y and visibility: above 0 labelled, 0 absent, below 0 unknown.
        complete: bool `[B]`: whether everybody in a picture is labelled. Where it is false, people the network finds
            beside the labelled ones are not held against it.

    Raises:
        ValueError: the shapes do not fit one another.
    """

    picture: Tensor
    boxes: Tensor
    keypoints: Tensor
    complete: Tensor

    def __post_init__(self) -> None:
        people = len(self.picture)
        shapes = (self.picture.shape, self.boxes.shape, self.keypoints.shape)
        if shapes != ((people,), (people, 4), (people, KEYPOINT_COUNT, 3)) or self.complete.ndim != 1:
            raise ValueError(f"shapes {[list(shape) for shape in shapes]}, expected [T], [T, 4], [T, 17, 3]")

    def to(self, device: torch.device) -> Self:
        """The same on another device."""
        parts = (self.picture, self.boxes, self.keypoints, self.complete)
        return type(self)(*(part.to(device, non_blocking=True) for part in parts))

    def __len__(self) -> int:
        return len(self.picture)
