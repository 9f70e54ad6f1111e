"""`Rest`: since when somebody's keypoints rest.

Somebody rests as long as the keypoints stay like those at the beginning of the rest: by object keypoint similarity, so
that what counts as a movement grows with the person and is larger for hips than for eyes. Their common travel is taken
out first, as a box that moves by a pixel is no movement, and may only be short, as a walker does not rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.evaluation.oks import oks
from pose.keypoint_finder import VISIBLE

__all__ = ["Rest"]

CALM_SECONDS: Final = 0.5  # who has rested for so long is calm
LEAST_LIKE: Final = 0.9  # OKS with the beginning of the rest
MOST_TRAVEL: Final = 0.05  # from there, in longer sides of the box


@dataclass(frozen=True, slots=True)
class Rest:
    """The beginning of a rest.

    Attributes:
        keypoints: `[17, 3]`, px.
        since: seconds.
    """

    keypoints: NDArray[np.float32]
    since: float

    def goes_on(self, keypoints: NDArray[np.float32], box: NDArray[np.float32], seconds: float) -> Rest:
        """This rest, or a new one that begins now.

        Args:
            keypoints: now, `[17, 3]`, px.
            box: around them, `[4]`, px.
            seconds: when.
        """
        both = (keypoints[:, 2] > VISIBLE) & (self.keypoints[:, 2] > VISIBLE)
        if not both.any():
            return Rest(keypoints, seconds)
        travel = np.median((keypoints - self.keypoints)[both, :2], axis=0)
        sides = (box[2:] - box[:2]).clip(1.0)
        if float(np.hypot(*travel)) > MOST_TRAVEL * float(sides.max()):
            return Rest(keypoints, seconds)
        beginning = np.concatenate((self.keypoints[:, :2] + travel, both[:, None]), axis=1).astype(np.float32)
        like = oks(keypoints[None], beginning[None], sides.prod()[None])
        return self if float(like[0, 0]) >= LEAST_LIKE else Rest(keypoints, seconds)

    def is_calm(self, seconds: float) -> bool:
        """Whether the rest has lasted for long enough."""
        return seconds - self.since > CALM_SECONDS
