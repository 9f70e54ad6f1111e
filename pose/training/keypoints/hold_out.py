"""`HoldOut`: how well a keypoint network does on people it has not seen, whose boxes are given, upright and turned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pose.datasets.labelled import LabelledPicture
from pose.datasets.picture_file import read_picture
from pose.errors import TrainingError
from pose.evaluation.oks import oks
from pose.inference.crops import CROP_SIZE, SMALL_CROP_SIZE
from pose.inference.heatmaps import decode_heatmaps
from pose.training.keypoints.crop_augmentation import crop_matrix
from pose.training.keypoints.crop_batches import normalised

__all__ = ["TURNS", "HoldOut"]

TURNS: Final = (0, 90, 180, 270)  # degrees clockwise
LEAST_KEYPOINTS: Final = 5  # labelled, for a person to be judged by
LEAST_AREA: Final = {CROP_SIZE: 32.0**2, SMALL_CROP_SIZE: 16.0**2}  # square pixels of the picture
THRESHOLDS: Final = np.arange(0.5, 0.96, 0.05)
BATCH: Final = 16


class HoldOut:
    """People to judge by. Their crops are cut once, in each of the four turns.

    Args:
        pictures: with labels.
        people: at most so many, spread over the pictures.
        crop_size: width and height in pixels of what the network is shown, `CROP_SIZE` or `SMALL_CROP_SIZE`. By small
            crops people are judged of whom the crop loses no pixel of the picture; in video the smaller ones of
            these get them.

    Raises:
        TrainingError: nobody is labelled well enough and of a fitting size.
        PictureError: a picture cannot be read.
    """

    def __init__(self, pictures: Sequence[LabelledPicture], people: int = 150, crop_size: tuple[int, int] = CROP_SIZE):
        clear = [
            (picture, row)
            for picture in pictures
            for row in range(len(picture))
            if (picture.keypoints[row, :, 2] > 0).sum() >= LEAST_KEYPOINTS
            and picture.areas[row] >= LEAST_AREA[crop_size]
            and not picture.crowd[row]
            and (crop_size != SMALL_CROP_SIZE or crop_matrix(picture.boxes[row], size=crop_size)[0, 0] >= 1)
        ]
        width, height = crop_size
        if not clear:
            raise TrainingError(
                f"Nobody in {len(pictures)} pictures has a size for crops of {width}×{height} and labels enough to "
                "judge by. Give others, or none."
            )
        chosen = [clear[place] for place in np.linspace(0, len(clear) - 1, min(people, len(clear))).round().astype(int)]
        self._labelled = np.stack([picture.keypoints[row] for picture, row in chosen])
        self._areas = np.array([picture.areas[row] for picture, row in chosen])
        self._pixels = np.empty((len(TURNS), len(chosen), height, width, 3), np.uint8)
        self._matrices = np.empty((len(TURNS), len(chosen), 2, 3))  # from the crop to the picture
        image, last = np.empty((0, 0, 3), np.uint8), None
        for place, (picture, row) in enumerate(chosen):
            if picture.path != last:
                image, last = read_picture(picture.path), picture.path
            for number, turn in enumerate(TURNS):
                matrix = crop_matrix(picture.boxes[row], turn, size=crop_size)
                self._pixels[number, place] = cv2.warpAffine(image, matrix, crop_size, flags=cv2.INTER_LINEAR)
                self._matrices[number, place] = cv2.invertAffineTransform(matrix)

    def __len__(self) -> int:
        return len(self._labelled)

    def similarities(self, network: nn.Module, dtype: torch.dtype | None = None) -> NDArray[np.float64]:
        """Object keypoint similarity of everybody in each of `TURNS`: `[4, N]`, 0–1.

        Args:
            network: from crops to heat maps.
            dtype: to compute in; None: float32.
        """
        device = next(network.parameters()).device
        found = np.empty((len(TURNS), len(self)))
        for number in range(len(TURNS)):
            points = []
            for start in range(0, len(self), BATCH):
                x = normalised(self._pixels[number, start : start + BATCH], device)
                with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype is not None):
                    maps = network(x)
                points.append(decode_heatmaps(maps.float().cpu().numpy())[0])
            matrices = self._matrices[number]
            xy = np.concatenate(points) @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2]
            found[number] = np.diagonal(oks(xy, self._labelled, self._areas))
        return found

    def judge(self, network: nn.Module, dtype: torch.dtype | None = None) -> dict[str, float]:
        """Mean similarity of upright and of turned people, and the share that is similar enough.

        Returns:
            `oks_upright`, `oks_turned` (mean of the turns by 90, 180 and 270°), and `ap_upright`, `ap_turned`: the
            share of people over each of COCO's thresholds 0.5, 0.55 … 0.95, and their mean.
        """
        found = self.similarities(network, dtype)
        figures = {}
        for name, part in (("upright", found[:1]), ("turned", found[1:])):
            figures[f"oks_{name}"] = float(part.mean())
            figures[f"ap_{name}"] = float(np.mean([(part >= threshold).mean() for threshold in THRESHOLDS]))
        return figures
