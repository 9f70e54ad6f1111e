"""Random batches of pictures. Batch n depends on nothing but n, so a resumed training sees what it missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pose.datasets.labelled import LabelledPicture
from pose.datasets.picture_file import read_picture
from pose.errors import TrainingError
from pose.training.detector.picture_augmentation import DetectorAugmentation, make_sample

__all__ = ["PictureBatch", "PictureBatches", "padded_boxes"]


@dataclass(frozen=True, slots=True, eq=False)
class PictureBatch:
    """Samples of one step.

    Attributes:
        pixels: uint8 `[B, S, S, 3]`, BGR, before the quarter turns.
        quarter_turns: `[B]`, 0–3, clockwise.
        degrees: `[B]`: turns before them.
        boxes: float32 `[B, N, 4]`: x1, y1, x2, y2 in pixels after the quarter turns; rows of zeros fill up.
        ignored: float32 `[B, M, 4]`: likewise, where nothing is asked for.
    """

    pixels: NDArray[np.uint8]
    quarter_turns: NDArray[np.intp]
    degrees: NDArray[np.float64]
    boxes: Tensor
    ignored: Tensor


class PictureBatches:
    """Draws pictures, some sets more often than others, and makes samples of them. Decoding takes 2 % of a step.

    Args:
        pictures: all. The set of one is its file name before the first `_`.
        batch: samples.
        sides: of the samples, with the share of batches that have it.
        settings: of the augmentation.
        set_weights: how often pictures are drawn, by the name of their set; others 1.
        seed: of all that is random.

    Raises:
        TrainingError: a set that is named is not there, or no picture would be drawn.
    """

    def __init__(
        self,
        pictures: Sequence[LabelledPicture],
        batch: int,
        sides: Mapping[int, float],
        settings: DetectorAugmentation,
        set_weights: Mapping[str, float] | None = None,
        seed: int = 0,
    ):
        weights = dict(set_weights or {})
        sets = [picture.path.name.partition("_")[0] for picture in pictures]
        if unknown := sorted(weights.keys() - set(sets)):
            raise TrainingError(f"There is no set {unknown[0]!r}; the sets are {', '.join(sorted(set(sets)))}.")
        chances = np.array([weights.get(name, 1.0) for name in sets])
        if not chances.sum() > 0:
            raise TrainingError("No picture has a weight above 0. Give a set one.")
        self._pictures, self._batch, self._settings, self._seed = pictures, batch, settings, seed
        self._cumulative = np.cumsum(chances / chances.sum())
        self._sides, shares = list(sides), np.array(list(sides.values()), float)
        self._side_shares = shares / shares.sum()

    def __getitem__(self, number: int) -> PictureBatch:
        """The batch of a step.

        Raises:
            PictureError: a picture cannot be read.
        """
        rng = np.random.default_rng([self._seed, number])
        side = int(rng.choice(self._sides, p=self._side_shares))
        rows = np.searchsorted(self._cumulative, rng.random(self._batch)).clip(max=len(self._pictures) - 1)
        samples = []
        for row in rows:
            picture = self._pictures[row]
            image = read_picture(picture.path)
            samples.append(make_sample(picture, image, side, rng, self._settings))
        return PictureBatch(
            np.stack([sample.pixels for sample in samples]),
            np.array([sample.quarter_turns for sample in samples]),
            np.array([sample.degrees for sample in samples]),
            padded_boxes([sample.boxes for sample in samples]),
            padded_boxes([sample.ignored for sample in samples]),
        )


def padded_boxes(boxes: Sequence[NDArray[np.float32]]) -> Tensor:
    """Boxes of several pictures as one array, float32 `[B, N, 4]`, N of the picture with most; zeros fill up."""
    padded = torch.zeros(len(boxes), max(map(len, boxes), default=0), 4)
    for row, some in enumerate(boxes):
        padded[row, : len(some)] = torch.from_numpy(some)
    return padded
