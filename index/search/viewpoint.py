"""From which side a person is seen, and how the torso leans, told from the keypoints."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import Keypoint as K

__all__ = ["VIEWS", "torso_tilts", "viewpoints"]

VIEWS: Final = ("front", "back", "side")
UNTOLD: Final = -1

_NARROW: Final = 0.35
"""Shoulders narrower than this part of the torso are seen from the side; square to the camera they are 0.6–0.8 of it.
Looked at by eye: of 60 everyday people, 20 of each view, about 50 fit."""


def viewpoints(keypoints: NDArray[np.floating]) -> NDArray[np.int64]:
    """The view of each of N people as its place in `VIEWS`, int64 `[N]`; −1 where it cannot be told.

    However the person lies or stands: what counts is the width of the shoulders against the torso, and on which side of
    the torso the left shoulder is.

    Args:
        keypoints: `[N, 17, 2]` or `[N, 17, 3]`: x, y in any one unit, y down.
    """
    up = _torso(keypoints)
    across = keypoints[:, K.LEFT_SHOULDER, :2] - keypoints[:, K.RIGHT_SHOULDER, :2]
    length = np.linalg.norm(up, axis=1)
    # Only what is square to the torso is width: a turned shoulder line is no wider than the body.
    width = np.divide(
        up[:, 0] * across[:, 1] - up[:, 1] * across[:, 0],
        length**2,
        out=np.full(len(up), np.nan),
        where=length > 0,
    )
    view = np.select(
        [np.isnan(width), np.abs(width) < _NARROW, width > 0],
        [UNTOLD, VIEWS.index("side"), VIEWS.index("front")],
        VIEWS.index("back"),
    )
    return view.astype(np.int64)


def torso_tilts(keypoints: NDArray[np.floating]) -> NDArray[np.float64]:
    """Angle between every torso and upright, float64 `[N]`, radians: 0 is upright, π/2 level, π head down.

    Args:
        keypoints: as for `viewpoints`.
    """
    up = _torso(keypoints)
    return np.arctan2(np.abs(up[:, 0]), -up[:, 1])


def _torso(keypoints: NDArray[np.floating]) -> NDArray[np.float64]:
    """From the middle of the hips to the middle of the shoulders, float64 `[N, 2]`."""
    xy = np.asarray(keypoints, np.float64)[..., :2]
    return (xy[:, K.LEFT_SHOULDER] + xy[:, K.RIGHT_SHOULDER] - xy[:, K.LEFT_HIP] - xy[:, K.RIGHT_HIP]) / 2
