"""Random batches of samples. Batch n is the same whatever came before it, so a resumed training sees what it missed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pose.errors import TrainingError
from pose.training.keypoints.crop_augmentation import CropAugmentation, make_sample
from pose.training.keypoints.packed_crops import PackedCrops

__all__ = ["CropBatch", "CropBatches", "normalised"]

MEAN: Final = (0.485, 0.456, 0.406)  # of red, green, blue over ImageNet, 0–1
DEVIATION: Final = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, eq=False)
class CropBatch:
    """Samples of one step.

    Attributes:
        pixels: uint8 `[B, 256, 192, 3]`, BGR; of small crops (`small_crops.shrunk`) `[B, 192, 128, 3]`.
        keypoints: float32 `[B, 17, 3]`: x, y in pixels of the sample, and `Visibility` or `CUT_OFF`.
        turns: float `[B]`: degrees by which the people were turned, −180 to 180.
        whole: bool `[B]`: whether nothing was covered.
    """

    pixels: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    turns: NDArray[np.float64]
    whole: NDArray[np.bool_]


class CropBatches:
    """Draws people, some sets more often than others, and makes samples of them.

    Args:
        crops: everybody.
        batch: samples.
        settings: of the augmentation.
        set_weights: how often people are drawn, by the name of their set; others 1.
        seed: of all that is random.

    Raises:
        TrainingError: a set that is named is not there, or nobody would be drawn.
    """

    def __init__(
        self,
        crops: PackedCrops,
        batch: int,
        settings: CropAugmentation,
        set_weights: Mapping[str, float] | None = None,
        seed: int = 0,
    ):
        weights = dict(set_weights or {})
        if unknown := sorted(weights.keys() - set(crops.names)):
            raise TrainingError(f"There is no set {unknown[0]!r}; the sets are {', '.join(crops.names)}.")
        chances = np.array([weights.get(name, 1.0) for name in crops.names])[crops.sets]
        if not chances.sum() > 0:
            raise TrainingError("Every set has weight 0. Give one a weight above 0.")
        self._crops, self._batch, self._settings, self._seed = crops, batch, settings, seed
        self._cumulative = np.cumsum(chances / chances.sum())

    def __getitem__(self, number: int) -> CropBatch:
        """The batch of a step."""
        rng = np.random.default_rng([self._seed, number])
        crops = self._crops
        rows = np.searchsorted(self._cumulative, rng.random(self._batch)).clip(max=len(crops) - 1)
        samples = [
            make_sample(crops.pixels[row], crops.keypoints[row], crops.boxes[row], rng, self._settings) for row in rows
        ]
        return CropBatch(
            np.stack([sample.pixels for sample in samples]),
            np.stack([sample.keypoints for sample in samples]),
            np.array([sample.turn for sample in samples]),
            np.array([sample.whole for sample in samples]),
        )


def normalised(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """What the network takes, float32 `[B, 3, h, w]`, channels last in memory, from uint8 `[B, h, w, 3]` BGR."""
    x = torch.from_numpy(np.ascontiguousarray(pixels[..., ::-1])).to(device).permute(0, 3, 1, 2)
    mean = torch.tensor(MEAN, device=device).reshape(1, 3, 1, 1) * 255
    deviation = torch.tensor(DEVIATION, device=device).reshape(1, 3, 1, 1) * 255
    return (x.float() - mean) / deviation
