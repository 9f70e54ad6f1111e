"""How large boxes are and how much they overlap.

A comparison of many boxes with many is quickest with their corners one way round: −x1, −y1, x2, y2. Then the inner one
of two corners is the lesser one on all four sides, and a margin is added to all four.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["area_of", "corners_of", "iou", "iou_of_corners", "shared_area"]

Number = TypeVar("Number", bound=np.floating[Any])


def iou(boxes: NDArray[Number], others: NDArray[Number]) -> NDArray[Number]:
    """Intersection over union of boxes `[N, 4]` and `[M, 4]`, x1, y1, x2, y2: `[N, M]`."""
    a, b = corners_of(boxes), corners_of(others)
    return iou_of_corners(a, area_of(a), b, area_of(b))


def corners_of(boxes: NDArray[Number]) -> NDArray[Number]:
    """Boxes `[N, 4]`, x1, y1, x2, y2, as they are compared: `[4, N]`: −x1, −y1, x2, y2; a copy."""
    corners: NDArray[Number] = boxes.T.astype(np.result_type(boxes, np.float32), order="C")
    np.negative(corners[:2], out=corners[:2])
    return corners


def area_of(corners: NDArray[Number]) -> NDArray[Number]:
    """Of boxes `[4, ...]` as `corners_of` gives them: `[...]`; 0 where a box has a side below 0."""
    sides: NDArray[Number] = corners[:2] + corners[2:]
    np.maximum(sides, 0.0, out=sides)
    area: NDArray[Number] = sides[0] * sides[1]
    return area


def shared_area(a: NDArray[Number], b: NDArray[Number]) -> NDArray[Number]:
    """Of the intersections of boxes `[4, N]` and `[4, M]`, as `corners_of` gives them: `[N, M]`."""
    return area_of(np.minimum(a[:, :, None], b[:, None]))


def iou_of_corners(
    a: NDArray[Number], area_a: NDArray[Number], b: NDArray[Number], area_b: NDArray[Number]
) -> NDArray[Number]:
    """Intersection over union of boxes `[4, N]` and `[4, M]` with their areas: `[N, M]`."""
    shared = shared_area(a, b)
    union = area_a[:, None] + area_b
    union -= shared
    np.maximum(union, 1e-9, out=union)
    shared /= union
    return shared
