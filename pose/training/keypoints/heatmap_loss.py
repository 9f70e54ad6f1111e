"""Heat maps as they should be, and how far off those of the network are.

A keypoint is a Gaussian of height 1 around its exact place, not around the nearest cell: unbiased as in Zhang et al.,
"Distribution-Aware Coordinate Representation for Human Pose Estimation", 2020, arXiv 1910.06278.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pose.datasets.labelled import Visibility
from pose.inference.heatmaps import STRIDE
from pose.training.keypoints.crop_augmentation import CUT_OFF

__all__ = ["HeatmapLoss", "HeatmapLossSettings", "heatmaps"]


@dataclass(frozen=True, slots=True)
class HeatmapLossSettings:
    """What counts how much.

    Attributes:
        sigma: of the Gaussians, cells. The start weights were taught with 2.
        hidden: weight of a keypoint that is labelled but hidden; one that is seen has 1.
        absent: of one that the label says is not there. Small, because in COCO "not labelled" is often "hidden".
        cut_off: of one that the sample was cut off from, so that it is surely not there.
        teacher: of the difference to the maps of the teacher, where it is asked.
    """

    sigma: float = 2.0
    hidden: float = 0.7
    absent: float = 0.05
    cut_off: float = 0.3
    teacher: float = 1.5


def heatmaps(keypoints: Tensor, shape: tuple[int, int], sigma: float) -> Tensor:
    """The maps to be learnt, float32 `[B, 17, h, w]`; zero for keypoints that are not to be seen.

    Args:
        keypoints: `[B, 17, 3]`: x, y in pixels of the crop, visibility.
        shape: of the maps, cells.
        sigma: cells.
    """
    cells = keypoints[..., :2] / STRIDE  # as `pose.inference.heatmaps` reads them
    columns, rows = (torch.arange(size, dtype=torch.float32, device=keypoints.device) for size in shape[::-1])
    across = torch.exp(-((columns - cells[..., :1]) ** 2) / (2 * sigma**2))  # [B, 17, w]
    down = torch.exp(-((rows - cells[..., 1:]) ** 2) / (2 * sigma**2))  # [B, 17, h]
    down = down * (keypoints[..., 2:] > 0)
    return down[..., :, None] * across[..., None, :]


class HeatmapLoss:
    """Squared error of heat maps, weighted by visibility. 1 is the loss of empty maps where everything is seen."""

    def __init__(self, settings: HeatmapLossSettings):
        self.settings = settings

    def __call__(self, maps: Tensor, keypoints: Tensor) -> Tensor:
        """Loss against labels.

        Args:
            maps: of the network, `[B, 17, h, w]`.
            keypoints: `[B, 17, 3]`: x, y in pixels of the crop; `Visibility` or `CUT_OFF`.
        """
        settings, visibility = self.settings, keypoints[..., 2]
        weights = torch.zeros_like(visibility)  # unknown: nothing is learnt
        for value, weight in (
            (Visibility.SEEN, 1.0),
            (Visibility.HIDDEN, settings.hidden),
            (Visibility.ABSENT, settings.absent),
            (CUT_OFF, settings.cut_off),
        ):
            weights[visibility == value] = weight
        wanted = heatmaps(keypoints, (maps.shape[2], maps.shape[3]), settings.sigma)
        return (self._errors(maps, wanted) * weights).sum() / weights.sum().clamp(min=1)

    def to_teacher(self, maps: Tensor, wanted: Tensor) -> Tensor:
        """Loss against the maps of a teacher, all keypoints alike, not yet weighted."""
        return self._errors(maps, wanted).mean()

    def _errors(self, maps: Tensor, wanted: Tensor) -> Tensor:
        """`[B, 17]`: squared error over the squared sum of a whole Gaussian."""
        return (maps.float() - wanted).square().sum((2, 3)) / (math.pi * self.settings.sigma**2)
