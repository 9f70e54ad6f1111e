"""How alike people are, between frames and within one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import SIGMAS
from pose.poses import Poses

__all__ = ["SEEN", "Overlaps", "keypoint_similarity", "likeness"]

BUFFER: Final = 0.3  # boxes grow on every side by this share of the square root of their area before comparison
KEYPOINT_WEIGHT: Final = 0.5  # of the keypoints in the likeness; boxes have the rest
SEEN: Final = 0.5  # keypoints from this score on take part in a comparison
DOUBLE: Final = 0.5
"""Two skeletons in one frame more alike than this are mostly one person's. Looked at by eye in a street scene: of 24
pairs drawn from 0.5–0.7 one was two people, of 24 from above none; but two people who hug reach 0.7."""
DECAY: Final = 0.5
"""How fast a score fades with the overlap; the paper's σ."""
_TWICE_VARIANCES: Final = 2 * (2 * np.array(SIGMAS)) ** 2
_OUTWARD: Final = np.array([-1.0, -1.0, 1.0, 1.0])


def likeness(
    poses: Poses, keypoints: NDArray[np.float32], boxes: NDArray[np.float64], slack: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How much N people of a frame are like T others, `[N, T]`, 0–1: half by their boxes, half by their keypoints.

    Boxes are enlarged before their intersection over union is taken (buffered IoU, Yang et al., 2023), so that small,
    fast people still meet themselves at low frame rates. People whose enlarged boxes do not touch are not alike at all.

    Args:
        poses: the N people.
        keypoints: of the T others, `[T, 17, 3]`: x, y, score.
        boxes: theirs, `[T, 4]`: x1, y1, x2, y2.
        slack: how far they may be from there, px `[T]`.
    """
    found, area = poses.boxes.astype(np.float64), _area(boxes)
    mine, theirs = _enlarged(found, _area(found)), _enlarged(boxes, area)
    overlap = _iou(mine, _area(mine), theirs, _area(theirs))
    rows, columns = overlap.nonzero()
    alike = keypoint_similarity(
        poses.keypoints.take(rows, axis=0), keypoints.take(columns, axis=0), area[columns], slack[columns]
    )
    touching = overlap[rows, columns]
    overlap[rows, columns] = touching + KEYPOINT_WEIGHT * (alike - touching)
    return overlap


def keypoint_similarity(
    a: NDArray[np.float32], b: NDArray[np.float32], area: NDArray[np.float64], slack: NDArray[np.float64] | float = 0.0
) -> NDArray[np.float64]:
    """Object keypoint similarity (COCO's OKS) of P pairs of people over the keypoints that both show: `[P]`, 0–1.

    0 where no keypoint is seen in both.

    Args:
        a: keypoints, `[P, 17, 3]`: x, y, score.
        b: keypoints of the partners, `[P, 17, 3]`.
        area: of the person, square pixels, `[P]`.
        slack: of the place, px `[P]`, beside the spread that COCO grants each keypoint.
    """
    offset = np.subtract(a, b, dtype=np.float64)  # [P, 17, 3]
    x, y = offset[..., 0], offset[..., 1]
    both = np.minimum(a[..., 2], b[..., 2]) >= SEEN  # [P, 17]
    spread = np.maximum(area, 1.0)[:, None] * _TWICE_VARIANCES + np.multiply(2 * slack, slack)[..., None]
    near = np.exp((x * x + y * y) / -spread)
    return np.where(both, near, 0.0).sum(1) / np.maximum(both.sum(1), 1)


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """How the N people of one frame stand in each other's place, which tells who was found twice.

    Attributes:
        poses: the people.
        order: their rows, best score first, `[N]`.
        area: of their boxes, in that order, square pixels `[N]`.
        with_better: intersection over union of the boxes, `[N, N]`, 0–1: row of the better one and column of the other,
            both in that order; 0 elsewhere.
    """

    poses: Poses
    order: NDArray[np.intp]
    area: NDArray[np.float64]
    with_better: NDArray[np.float64]

    @classmethod
    def of(cls, poses: Poses) -> Overlaps:
        """Measure them."""
        order = (-poses.scores).argsort(kind="stable")
        boxes = poses.boxes.take(order, axis=0).astype(np.float64)
        area, place = _area(boxes), np.arange(len(poses))
        return cls(poses, order, area, np.where(place[:, None] < place, _iou(boxes, area, boxes, area), 0.0))

    def doubles(self) -> list[tuple[int, int, float]]:
        """Pairs of people who are perhaps one found twice: row of the better score, row of the other, similarity 0–1.

        Suppression by boxes leaves them when the network sees a person once whole and once to the hips, or once with a
        neighbour. Best score first.
        """
        better, worse = self.with_better.nonzero()
        if not len(better):
            return []
        first, second, keypoints = self.order[better], self.order[worse], self.poses.keypoints
        area = np.minimum(self.area[better], self.area[worse])
        alike = keypoint_similarity(keypoints.take(first, axis=0), keypoints.take(second, axis=0), area)
        return [pair for pair in zip(first.tolist(), second.tolist(), alike.tolist(), strict=True) if pair[2] > DOUBLE]

    def scores_apart(self) -> NDArray[np.float64]:
        """What is left of everybody's score `[N]`, 0–1, beside the better ones in whose place they stand.

        `score · exp(-IoU² / σ)` with the better person whose box overlaps most (Gaussian Soft-NMS, Bodla et al., 2017).
        A weak network finds a person a second time with other limbs, a head lower or to the hips only: the keypoints
        are not alike then, but such a double has a poor score and stands in the place of the first. A child before an
        adult overlaps little by this measure, and of two who embrace each has a score of its own.
        """
        most: NDArray[np.float64] = np.empty(len(self.order))
        most[self.order] = self.with_better.max(0, initial=0.0)
        return self.poses.scores.astype(np.float64) * np.exp(-(most**2) / DECAY)


def _iou(
    a: NDArray[np.float64], area_a: NDArray[np.float64], b: NDArray[np.float64], area_b: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Intersection over union: boxes `[N, 4]` and `[T, 4]` with their areas to `[N, T]`."""
    low = np.maximum(a[:, None, :2], b[:, :2])
    sides = np.maximum(np.minimum(a[:, None, 2:], b[:, 2:]) - low, 0.0)
    intersection = sides[..., 0] * sides[..., 1]
    return intersection / np.maximum(area_a[:, None] + area_b - intersection, 1e-9)


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    return sides[:, 0] * sides[:, 1]


def _enlarged(boxes: NDArray[np.float64], area: NDArray[np.float64]) -> NDArray[np.float64]:
    # The same margin on all sides: an upright person's box is narrow, but that is the way people walk.
    return boxes + (BUFFER * np.sqrt(area))[:, None] * _OUTWARD
