"""Greedy non-maximum suppression.

Runs on the CPU whatever the network runs on: what is left above a threshold is a few dozen rows, which travel in one
copy and cost less here than the launches of the same steps on a GPU.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_PEOPLE", "non_maximum_suppression"]

MAX_CANDIDATES = 30_000
MAX_PEOPLE = 300


def non_maximum_suppression(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], iou_threshold: float, max_people: int = MAX_PEOPLE
) -> NDArray[np.intp]:
    """Rows that survive, best score first.

    A row is dropped when its intersection over union with a better surviving row is above `iou_threshold`. Equal scores
    keep their order. Keypoints take no part.

    Args:
        boxes: float32 `[R, 4]`: x1, y1, x2, y2.
        scores: float32 `[R]`.
        iou_threshold: 0–1.
        max_people: at most this many rows are returned.

    Returns:
        int `[K]`: indices into `boxes`.
    """
    limit = np.float64(iou_threshold)  # a float32 overlap is compared with the exact threshold, as the reference does
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    kept: list[int] = []
    x1, y1, x2, y2 = boxes[order].T
    area = (x2 - x1) * (y2 - y1)
    alive = np.arange(len(order))  # positions in `order` that nothing has suppressed yet
    while len(alive) and len(kept) < max_people:
        best, rest = alive[0], alive[1:]
        kept.append(best)
        width = (np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest])).clip(min=0)
        height = (np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest])).clip(min=0)
        intersection = width * height
        union = area[best] + area[rest] - intersection
        with np.errstate(invalid="ignore", divide="ignore"):
            alive = rest[~(intersection / union > limit)]
    return order[kept]
