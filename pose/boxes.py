"""`iou`: how much boxes overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["iou"]


def iou(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of boxes `[N, 4]` and `[M, 4]`, x1, y1, x2, y2: `[N, M]`."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=2)
    areas, their = ((some[:, 2:] - some[:, :2]).clip(0).prod(axis=1) for some in (boxes, others))
    overlap: NDArray[np.float32] = shared / np.maximum(areas[:, None] + their - shared, 1e-9)
    return overlap
