"""What the network for small crops learns from: samples made as large crops and then shrunk, and the large network's
answer to the large ones.

A small crop holds a person as a large one does, at three quarters of the size, and is cut off a little at both sides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pose.inference.crops import CROP_SIZE, SMALL_CROP_SIZE, cut_crops
from pose.inference.heatmaps import STRIDE
from pose.training.keypoints.crop_augmentation import moved_keypoints
from pose.training.keypoints.crop_batches import CropBatch

__all__ = ["TO_LARGE", "AtSmallCells", "shrunk"]

_SHRINKAGE: Final = CROP_SIZE[1] / SMALL_CROP_SIZE[1]
_CORNER: Final = (np.array(CROP_SIZE) - 1 - _SHRINKAGE * (np.array(SMALL_CROP_SIZE) - 1)) / 2  # the centres agree
TO_LARGE: Final = np.column_stack((_SHRINKAGE * np.eye(2), _CORNER))
"""From pixels of the small crop to those of the large one, `[2, 3]`."""

_TO_SMALL: Final = np.column_stack((np.eye(2), -_CORNER)) / _SHRINKAGE

BLUR_SIGMA: Final = 0.6  # px of the large crop, so that its finest detail does not alias in the small one


def shrunk(batch: CropBatch) -> CropBatch:
    """The same samples as crops of `SMALL_CROP_SIZE`. What is cut off at the sides is `CUT_OFF`."""
    blurred = [cv2.GaussianBlur(crop, (3, 3), BLUR_SIGMA).astype(np.uint8, copy=False) for crop in batch.pixels]
    pixels = np.concatenate([cut_crops(crop, TO_LARGE[None], SMALL_CROP_SIZE) for crop in blurred])
    keypoints = moved_keypoints(batch.keypoints, _TO_SMALL, size=SMALL_CROP_SIZE)
    return replace(batch, pixels=pixels, keypoints=keypoints.astype(np.float32))


class AtSmallCells(nn.Module):
    """The heat maps of a network for large crops, read between their cells where the cells of the small crop lie.

    Args:
        large: from `[B, 3, 256, 192]` to `[B, 17, 64, 48]`.
    """

    grid: Tensor

    def __init__(self, large: nn.Module):
        super().__init__()
        self.large = large
        axes = []
        for large_side, small_side, corner in zip(CROP_SIZE, SMALL_CROP_SIZE, _CORNER, strict=True):
            cells = torch.arange(small_side // STRIDE) * _SHRINKAGE + float(corner) / STRIDE  # of the large maps
            axes.append(cells * 2 / (large_side // STRIDE - 1) - 1)
        across, down = torch.meshgrid(*axes, indexing="xy")
        self.register_buffer("grid", torch.stack((across, down), -1)[None], persistent=False)  # [1, 48, 32, 2]

    def forward(self, x: Tensor) -> Tensor:
        """Large crops `[B, 3, 256, 192]` to the maps of small ones, float32 `[B, 17, 48, 32]`."""
        maps = self.large(x).float()
        grid = self.grid.expand(len(maps), -1, -1, -1)
        return functional.grid_sample(maps, grid, mode="bicubic", padding_mode="border", align_corners=True)
