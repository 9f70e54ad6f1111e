"""Posture embeddings: the numbers that stand for a person's posture, and the registry that names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.embeddings import gravity59 as gravity
from pose.embeddings.quality_gate import SMALLEST_HEIGHT_PX, reject_reasons
from pose.keypoints import Keypoint as K
from pose.poses import Poses
from pose.reason import Reason

__all__ = ["DEFAULT_EMBEDDING", "EMBEDDINGS", "Embedding", "get_embedding", "nose25"]

EPSILON: Final = 1e-6

# (first, vertex, last): the angle at `vertex` between the directions to `first` and to `last`.
_ANGLES: Final = np.array(
    [
        (K.LEFT_SHOULDER, K.NOSE, K.RIGHT_SHOULDER),
        (K.LEFT_SHOULDER, K.LEFT_ELBOW, K.LEFT_WRIST),
        (K.RIGHT_SHOULDER, K.RIGHT_ELBOW, K.RIGHT_WRIST),
        (K.LEFT_HIP, K.LEFT_SHOULDER, K.LEFT_ELBOW),
        (K.RIGHT_HIP, K.RIGHT_SHOULDER, K.RIGHT_ELBOW),
        (K.LEFT_SHOULDER, K.LEFT_HIP, K.LEFT_KNEE),
        (K.RIGHT_SHOULDER, K.RIGHT_HIP, K.RIGHT_KNEE),
        (K.LEFT_HIP, K.LEFT_KNEE, K.LEFT_ANKLE),
        (K.RIGHT_HIP, K.RIGHT_KNEE, K.RIGHT_ANKLE),
    ]
)


def nose25(keypoints: NDArray[np.floating]) -> NDArray[np.float32]:
    """Nose distances and joint angles: 25 numbers in 0–1 per person.

    In this order: the distances from the nose to keypoints 1…16, each divided by the largest of them + 1e-6; the angle
    left shoulder–nose–right shoulder; the angles at the left and right elbow, shoulder, hip and knee. An angle is
    arccos of the clipped cosine (1e-6 added to the denominator), divided by π.

    The numbers do not change when the person is moved, scaled or turned, so a person lying and the same person
    standing are one point. A mirrored person has the left and right numbers exchanged.

    Args:
        keypoints: `[N, 17, 2]` or `[N, 17, 3]`: x, y in any one unit; a third column is ignored.

    Returns:
        float32 `[N, 25]`. A person with a NaN coordinate gets NaN where that coordinate takes part.
    """
    xy = np.asarray(keypoints, dtype=np.float64)[..., :2]
    distance = np.linalg.norm(xy[:, 1:] - xy[:, :1], axis=-1)  # [N, 16]
    distance = distance / (distance.max(axis=1, keepdims=True, initial=0.0) + EPSILON)
    first, vertex, last = (xy[:, column] for column in _ANGLES.T)  # each [N, 9, 2]
    u, v = first - vertex, last - vertex
    cosine = (u * v).sum(-1) / (np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1) + EPSILON)
    angle = np.arccos(cosine.clip(-1.0, 1.0)) / np.pi  # [N, 9]
    return np.concatenate((distance, angle), axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Embedding:
    """A named way to turn people into posture embeddings.

    Attributes:
        name: what an index remembers and the configuration says.
        dimension: D, how many numbers one person gets.
        version: raised when the numbers of the same name change.
        compute: keypoints `[N, 17, 3]` to float32 `[N, D]`.
        mirrored: rows `[N, D]` to the rows of the mirror images; None where a mirror image is another posture.
        seen: rows `[N, D]` to how well each number is seen, 0–1 `[N, D]`, so that two people are compared on what both
            show; None where every number always counts.
    """

    name: str
    dimension: int
    version: int
    compute: Callable[[NDArray[np.floating]], NDArray[np.float32]]
    mirrored: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None
    seen: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None

    def __call__(
        self,
        poses: Poses,
        min_keypoints: int = 5,
        keypoint_threshold: float = 0.5,
        min_person_px: float = SMALLEST_HEIGHT_PX,
    ) -> NDArray[np.float32]:
        """Embed everybody: float32 `[N, D]`.

        A whole row is NaN where the posture cannot be told; `quality_gate.reject_reasons` says why. `nose25` takes the
        network's coordinates of everybody else whatever their score: to it a hidden ankle is a guess, not a hole.
        """
        return self.of_accepted(poses, reject_reasons(poses, min_keypoints, keypoint_threshold, min_person_px))

    def of_accepted(self, poses: Poses, reasons: Sequence[Reason | None]) -> NDArray[np.float32]:
        """Embed everybody for whom `reject_reasons` gave no reason against it: float32 `[N, D]`, NaN for the others."""
        rows = self.compute(poses.keypoints)
        told = np.array([reason is None for reason in reasons], bool)
        return np.where(told.reshape(-1, 1), rows, np.float32(np.nan)).astype(np.float32, copy=False)


DEFAULT_EMBEDDING: Final = "gravity59"
"""What a new database is built with."""

EMBEDDINGS: Final = {
    "nose25": Embedding("nose25", 25, 1, nose25),
    "gravity59": Embedding(
        "gravity59", gravity.DIMENSION, gravity.VERSION, gravity.gravity59, gravity.mirrored, gravity.seen
    ),
}


def get_embedding(name: str) -> Embedding:
    """The embedding registered under `name`.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        return EMBEDDINGS[name]
    except KeyError:
        raise ValueError(f"There is no embedding {name!r}; known are {', '.join(sorted(EMBEDDINGS))}.") from None
