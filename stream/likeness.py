"""How alike people are, between frames and within one."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import SIGMAS
from pose.poses import Poses

__all__ = ["SEEN", "doubles", "keypoint_similarity", "likeness", "scores_apart"]

BUFFER: Final = 0.3  # boxes grow on every side by this share of the square root of their area before comparison
KEYPOINT_WEIGHT: Final = 0.5  # of the keypoints in the likeness; boxes have the rest
SEEN: Final = 0.5  # keypoints from this score on take part in a comparison
DOUBLE: Final = 0.5
"""Two skeletons in one frame more alike than this are mostly one person's. Looked at by eye in a street scene: of 24
pairs drawn from 0.5–0.7 one was two people, of 24 from above none; but two people who hug reach 0.7."""
DECAY: Final = 0.5
"""How fast a score fades with the overlap; the paper's σ."""
_VARIANCES: Final = (2 * np.array(SIGMAS)) ** 2


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
    overlap = _iou(_enlarged(poses.boxes.astype(np.float64)), _enlarged(boxes))
    rows, columns = np.nonzero(overlap)
    alike = keypoint_similarity(poses.keypoints[rows], keypoints[columns], _area(boxes)[columns], slack[columns])
    overlap[rows, columns] += KEYPOINT_WEIGHT * (alike - overlap[rows, columns])
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
    squared = ((a[..., :2].astype(np.float64) - b[..., :2]) ** 2).sum(-1)  # [P, 17]
    both = (a[..., 2] >= SEEN) & (b[..., 2] >= SEEN)
    spread = np.maximum(area, 1.0)[:, None] * _VARIANCES + np.square(slack)[..., None]
    near = np.exp(-squared / (2 * spread))
    return np.where(both, near, 0.0).sum(-1) / np.maximum(both.sum(-1), 1)


def doubles(poses: Poses) -> list[tuple[int, int, float]]:
    """Pairs of people who are perhaps one found twice: row of the better score, row of the other, similarity 0–1.

    Suppression by boxes leaves them when the network sees a person once whole and once to the hips, or once with a
    neighbour. Best score first.
    """
    boxes = poses.boxes.astype(np.float64)
    order = np.argsort(-poses.scores, kind="stable")
    first, second = (order[place] for place in np.nonzero(np.triu(_iou(boxes[order], boxes[order]) > 0, 1)))
    area = np.minimum(_area(boxes)[first], _area(boxes)[second])
    alike = keypoint_similarity(poses.keypoints[first], poses.keypoints[second], area)
    return [pair for pair in zip(first.tolist(), second.tolist(), alike.tolist(), strict=True) if pair[2] > DOUBLE]


def scores_apart(poses: Poses) -> NDArray[np.float64]:
    """What is left of everybody's score `[N]`, 0–1, beside the better ones in whose place they stand.

    `score · exp(-IoU² / σ)` with the better person whose box overlaps most (Gaussian Soft-NMS, Bodla et al., 2017). A
    weak network finds a person a second time with other limbs, a head lower or to the hips only: the keypoints are not
    alike then, but such a double has a poor score and stands in the place of the first. A child before an adult
    overlaps little by this measure, and of two who embrace each has a score of its own.
    """
    boxes = poses.boxes.astype(np.float64)
    order = np.argsort(-poses.scores, kind="stable")
    most = np.zeros(len(poses))
    most[order] = np.tril(_iou(boxes[order], boxes[order]), -1).max(1, initial=0.0)
    return poses.scores.astype(np.float64) * np.exp(-(most**2) / DECAY)


def _iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union: `[N, 4]` and `[T, 4]` to `[N, T]`."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    intersection = (high - low).clip(min=0).prod(-1)
    return intersection / np.maximum(_area(a)[:, None] + _area(b)[None] - intersection, 1e-9)


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(-1)


def _enlarged(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    # The same margin on all sides: an upright person's box is narrow, but that is the way people walk.
    margin = BUFFER * np.sqrt(_area(boxes))[:, None]
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], 1)
