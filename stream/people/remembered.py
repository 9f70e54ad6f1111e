"""`Remembered`: what a pose finder knows of somebody from the last frame, and how it is carried on to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.keypoint_finder import extents
from stream.people.rest import Rest

__all__ = ["Remembered", "margins_of"]

LARGEST_MARGIN: Final = 0.35  # of a box around the visible keypoints, in their longer sides


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of somebody since the last frame.

    Attributes:
        box: `[4]`, px.
        keypoints: `[17, 3]`, px.
        margins: `[4]`: how much further than the visible keypoints the box reaches to the left, top, right and bottom,
            as shares of their longer side.
        score: the detector's, the last time it saw the person.
        missed: detections in a row that have not seen the person.
        looked: when the keypoints were last found by the network, seconds.
        rest: how the keypoints rest; not kept up where nobody may rest.
        key: the tracker's; None in the first frame.
    """

    box: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    margins: NDArray[np.float32]
    score: float
    missed: int
    looked: float
    rest: Rest
    key: int | None = None

    def moved(self, shift: NDArray[np.float64]) -> Remembered:
        """Where the tracker expects them, `shift` further, px `[2]`."""
        shift = shift.astype(np.float32)
        keypoints = self.keypoints.copy()
        keypoints[:, :2] += shift
        return replace(self, box=self.box + np.concatenate((shift, shift)), keypoints=keypoints)

    def seen(self, keypoints: NDArray[np.float32], seconds: float, *, may_rest: bool) -> Remembered:
        """With the keypoints that the network has found now, `[17, 3]`, px. `may_rest`: whether it is asked how they
        rest, which takes as long as all else here."""
        box = _box_around(keypoints, self.margins)
        rest = self.rest.goes_on(keypoints, box, seconds) if may_rest else self.rest
        return replace(self, box=box, keypoints=keypoints, looked=seconds, rest=rest)

    def detected(self, box: NDArray[np.float32], score: float) -> Remembered:
        """With the box, `[4]`, px, and the score that the detector gives them now."""
        return replace(self, box=box, margins=margins_of(self.keypoints, box), score=score, missed=0)


def margins_of(keypoints: NDArray[np.float32], box: NDArray[np.float32]) -> NDArray[np.float32]:
    """`Remembered.margins` of somebody with these keypoints `[17, 3]` and this box `[4]`, px."""
    low, high = (corner[0] for corner in extents(keypoints[None]))
    side = max(float((high - low).max()), 1.0)
    margins = np.concatenate((low - box[:2], box[2:] - high)) / side
    return margins.clip(0.0, LARGEST_MARGIN).astype(np.float32)


def _box_around(keypoints: NDArray[np.float32], margins: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = (corner[0] for corner in extents(keypoints[None]))
    side = max(float((high - low).max()), 1.0)
    return np.concatenate((low - margins[:2] * side, high + margins[2:] * side)).astype(np.float32)
