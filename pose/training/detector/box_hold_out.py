"""`BoxHoldOut`: how well a detector finds the people of pictures it has not seen, upright and turned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pose.datasets.labelled import LabelledPicture
from pose.datasets.picture_file import read_picture
from pose.errors import TrainingError
from pose.evaluation.box_average_precision import box_average_precision
from pose.inference.nms import non_maximum_suppression
from pose.networks.picodet import STRIDES, decode
from pose.training.detector.picture_augmentation import quarter_turned

__all__ = ["QUARTER_TURNS", "BoxHoldOut", "detector_input"]

QUARTER_TURNS: Final = (0, 1, 3)  # clockwise
LEAST_SCORE: Final = 0.01
IOU_THRESHOLD: Final = 0.6
MAX_PEOPLE: Final = 100
BATCH: Final = 16
MEAN: Final = (0.485, 0.456, 0.406)  # of red, green, blue over ImageNet, 0–1
DEVIATION: Final = (0.229, 0.224, 0.225)


class BoxHoldOut:
    """Pictures to judge by, stretched to squares as the detector sees them.

    Args:
        pictures: in which everybody is labelled, or in a crowd.
        side: of the squares, pixels; a multiple of 64.

    Raises:
        TrainingError: nobody is labelled, or the network does not take such squares.
        PictureError: a picture cannot be read.
    """

    def __init__(self, pictures: Sequence[LabelledPicture], side: int = 320):
        if side <= 0 or side % STRIDES[-1]:
            raise TrainingError(f"The side to judge at is {side}. Give a multiple of {STRIDES[-1]}.")
        if not any((~picture.crowd).any() for picture in pictures):
            raise TrainingError(f"Nobody is labelled in the {len(pictures)} pictures to judge by.")
        self._side = side
        self._pixels = np.empty((len(pictures), side, side, 3), np.uint8)
        self._people = []
        for place, picture in enumerate(pictures):
            image = read_picture(picture.path)
            self._pixels[place] = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
            height, width = picture.size
            scale = np.array([side / width, side / height] * 2, np.float32)
            self._people.append((picture.boxes * scale, picture.crowd))

    def judge(self, network: nn.Module, dtype: torch.dtype | None = None) -> dict[str, float]:
        """Average precision of upright pictures, and the mean of both turns by 90°.

        Args:
            network: from what `detector_input` gives to levels.
            dtype: to compute in; None: float32.

        Returns:
            `ap_upright`, `ap50_upright`, `ap_turned`, `ap50_turned`: over COCO's thresholds 0.5, 0.55 … 0.95, and at
            0.5 alone. Overlaps are those in the stretched squares, which are the same as in the pictures.
        """
        found = {turns: self._precision(network, turns, dtype) for turns in QUARTER_TURNS}
        turned = (found[1] + found[3]) / 2
        return {
            "ap_upright": float(found[0].mean()),
            "ap50_upright": float(found[0][0]),
            "ap_turned": float(turned.mean()),
            "ap50_turned": float(turned[0]),
        }

    def _precision(self, network: nn.Module, turns: int, dtype: torch.dtype | None) -> NDArray[np.float64]:
        device = next(network.parameters()).device
        found = []
        for start in range(0, len(self._pixels), BATCH):
            pixels = np.rot90(self._pixels[start : start + BATCH], -turns, (1, 2))
            with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype is not None):
                boxes, scores = decode(network(detector_input(pixels, device)))
            for some, score in zip(boxes.float().cpu().numpy(), scores.float().cpu().numpy(), strict=True):
                likely = score > LEAST_SCORE
                some, score = some[likely], score[likely]
                keep = non_maximum_suppression(some, score, IOU_THRESHOLD, MAX_PEOPLE)
                found.append((some[keep], score[keep]))
        people = [(quarter_turned(boxes, turns, self._side), crowd) for boxes, crowd in self._people]
        return box_average_precision(found, people)


def detector_input(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """What the network takes, float32 `[B, 3, S, S]`, channels last in memory, from uint8 `[B, S, S, 3]` BGR."""
    x = torch.from_numpy(np.ascontiguousarray(pixels[..., ::-1])).to(device).permute(0, 3, 1, 2)
    mean = torch.tensor(MEAN, device=device).reshape(1, 3, 1, 1) * 255
    deviation = torch.tensor(DEVIATION, device=device).reshape(1, 3, 1, 1) * 255
    return (x.float() - mean) / deviation
