"""Small worlds with known answers: made people, made walks."""

import numpy as np

from pose.poses import Poses

# An upright person, facing the camera, in units of the person's height; x to the right, y down, nose at the origin.
# The person's own left is on the picture's right.
UPRIGHT = np.array(
    [
        [0.00, 0.00], [0.02, -0.02], [-0.02, -0.02], [0.04, -0.01], [-0.04, -0.01],
        [0.10, 0.12], [-0.10, 0.12], [0.12, 0.28], [-0.12, 0.28], [0.13, 0.42], [-0.13, 0.42],
        [0.07, 0.42], [-0.07, 0.42], [0.07, 0.64], [-0.07, 0.64], [0.07, 0.86], [-0.07, 0.86],
    ],
    np.float32,
)  # fmt: skip


def person(x: float, y: float, height: float = 200.0) -> np.ndarray:
    """Keypoints `[17, 3]` of an upright person with the nose at x, y, all seen."""
    return np.concatenate([UPRIGHT * height + [x, y], np.ones((17, 1))], 1).astype(np.float32)


def poses(*people: np.ndarray, scores: tuple[float, ...] | None = None) -> Poses:
    """`Poses` of these people, boxes a little larger than their keypoints."""
    if not people:
        return Poses.empty()
    keypoints = np.stack(people)
    low, high = keypoints[..., :2].min(1), keypoints[..., :2].max(1)
    margin = 0.05 * (high - low).max(axis=1, keepdims=True)
    boxes = np.concatenate([low - margin, high + margin], 1)
    return Poses(keypoints, boxes, np.array(scores or [0.9] * len(people), np.float32))
