"""Average precision of boxes by the rules of COCO, for one class and all sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.boxes import area_of, corners_of, iou_of_corners, shared_area

__all__ = ["THRESHOLDS", "box_average_precision", "box_overlaps"]

THRESHOLDS: Final = np.arange(0.5, 0.96, 0.05)  # of the overlap, from which a box counts as the person's
RECALLS: Final = np.linspace(0, 1, 101)


def box_average_precision(
    found: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]],
    labelled: Sequence[tuple[NDArray[np.floating], NDArray[np.bool_]]],
) -> NDArray[np.float64]:
    """Average precision at each of `THRESHOLDS`, `[10]`; NaN if nobody is labelled.

    Args:
        found: of each picture, boxes `[D, 4]` x1 y1 x2 y2 and scores `[D]`.
        labelled: of each picture, boxes `[N, 4]`, and which of them are crowds: what lies in one does not count.
    """
    scores, hits, passed = [], [], []
    for (boxes, score), (people, crowd) in zip(found, labelled, strict=True):
        order = np.argsort(-score, kind="stable")
        hit, over = _matched(boxes[order], people, crowd)
        scores.append(score[order])
        hits.append(hit)
        passed.append(over)
    total = int(sum((~crowd).sum() for _, crowd in labelled))
    if not total:
        return np.full(len(THRESHOLDS), np.nan)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hit, over = (np.concatenate(parts, 1)[:, order] for parts in (hits, passed))  # [10, D]
    result = []
    for row in range(len(THRESHOLDS)):
        right = hit[row][~over[row]]
        count = np.cumsum(right)
        precision = count / np.arange(1, len(right) + 1)
        precision = np.maximum.accumulate(precision[::-1])[::-1]  # the best at this recall or more
        place = np.searchsorted(count / total, RECALLS, side="left")
        result.append(float(np.append(precision, 0)[place.clip(max=len(right))].mean()))
    return np.array(result)


def box_overlaps(a: NDArray[np.floating], b: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of boxes `[D, 4]` and `[N, 4]`: intersection over union, and intersection over the first's area. `[D, N]`."""
    a, b = np.asarray(a, np.float64).reshape(-1, 4), np.asarray(b, np.float64).reshape(-1, 4)
    corners, others = corners_of(a), corners_of(b)
    area = area_of(corners)
    within = shared_area(corners, others) / np.maximum(area, 1e-12)[:, None]
    return iou_of_corners(corners, area, others, area_of(others)), within


def _matched(
    boxes: NDArray[np.floating], people: NDArray[np.floating], crowd: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which boxes, the best first, are somebody's, and which do not count: bool `[10, D]` each."""
    hit = np.zeros((len(THRESHOLDS), len(boxes)), bool)
    over = np.zeros_like(hit)
    if not len(people) or not len(boxes):
        return hit, over
    overlap, within = box_overlaps(boxes, people)
    overlap, within = overlap[:, ~crowd], within[:, crowd]
    taken = np.zeros((len(THRESHOLDS), overlap.shape[1]), bool)
    rows = np.arange(len(THRESHOLDS))
    for place in range(len(boxes)):
        if overlap.shape[1]:
            free = np.where(taken, -1.0, overlap[place])  # [10, N]
            best = free.argmax(1)
            hit[:, place] = free[rows, best] >= THRESHOLDS
            taken[rows[hit[:, place]], best[hit[:, place]]] = True
        if within.shape[1]:
            over[:, place] = ~hit[:, place] & (within[place].max() >= THRESHOLDS)
    return hit, over
