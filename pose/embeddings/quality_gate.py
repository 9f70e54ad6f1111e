"""The pose quality gate: reasons to reject a person before any database is asked."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import Keypoint as K
from pose.poses import Poses
from pose.reason import Reason

__all__ = ["reject_reasons"]

SMALLEST_HEIGHT_PX: Final = 24.0
"""Below this the network's grid of 8 px cannot tell an elbow from a shoulder."""
COLLAPSED_SHARE: Final = 0.1
"""Seen keypoints that spread over less of the box's longer side than this are one heap, not a person."""

_BODY: Final = slice(K.LEFT_SHOULDER, K.RIGHT_ANKLE + 1)


def reject_reasons(
    poses: Poses,
    min_keypoints: int = 5,
    keypoint_threshold: float = 0.5,
    min_person_px: float = SMALLEST_HEIGHT_PX,
) -> list[Reason | None]:
    """Why each of N people is rejected; None for those who are accepted.

    Half a person is no reason: a desk hides the legs of everybody behind it.

    Args:
        poses: the people.
        min_keypoints: so many keypoints must score at least `keypoint_threshold`.
        keypoint_threshold: 0–1.
        min_person_px: the longer side of the box is at least this, in pixels of the source picture.
    """
    seen = poses.keypoints[..., 2] >= keypoint_threshold  # [N, 17]
    few = seen.sum(axis=1) < min_keypoints
    sides = poses.boxes[:, 2:] - poses.boxes[:, :2]
    longer = np.maximum(np.maximum(sides[:, 0], sides[:, 1]), 0.0)
    collapsed = _extent(poses.keypoints[:, _BODY, :2], seen[:, _BODY]) < COLLAPSED_SHARE * longer
    return [
        Reason.TOO_FEW_KEYPOINTS if is_few
        else Reason.TOO_SMALL if is_small
        else Reason.COLLAPSED if is_collapsed
        else None
        for is_few, is_small, is_collapsed in zip(
            few.tolist(), (longer < min_person_px).tolist(), collapsed.tolist(), strict=True
        )
    ]  # fmt: skip


def _extent(xy: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The longer side of what the seen points cover `[N]`; infinite with fewer than two, which say nothing."""
    points = seen[..., None]
    sides = np.where(points, xy, -np.inf).max(axis=1) - np.where(points, xy, np.inf).min(axis=1)  # [N, 2]
    extent: NDArray[np.float32] = np.maximum(sides[:, 0], sides[:, 1])
    extent[seen.sum(axis=1) < 2] = np.inf
    return extent
