"""Object keypoint similarity: how well keypoints lie on those of a labelled person."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import SIGMAS

__all__ = ["mean_nearness", "oks"]


def oks(
    found: NDArray[np.floating[Any]], labelled: NDArray[np.floating[Any]], areas: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Similarity of everybody found to everybody labelled, 0–1.

    The mean over the labelled keypoints of `exp(-d² / (2 s² k²))`, where d is the distance to the found keypoint,
    s² the area of the labelled person and k twice the keypoint's spread `SIGMAS`. The scores of found keypoints take
    no part. Source: COCO keypoint evaluation, cocodataset.org/#keypoints-eval.

    Args:
        found: `[N, 17, 2 or more]`: x, y in pixels.
        labelled: `[M, 17, 3]`: x, y in pixels, and a visibility that is above 0 where the keypoint is labelled.
        areas: `[M]`: square pixels, more than 0.

    Returns:
        float64 `[N, M]`; NaN where a labelled person has no labelled keypoint.
    """
    known = (labelled[..., 2] > 0).astype(np.float64)
    offset = found[:, None, :, :2].astype(np.float64) - labelled[None, :, :, :2]
    spread = -2 * areas.astype(np.float64)[:, None] * (2 * np.array(SIGMAS)) ** 2
    similarity = mean_nearness((offset**2).sum(3), spread, known)
    return np.where(known.any(1), similarity, np.nan)


def mean_nearness(
    squared: NDArray[np.floating[Any]], spread: NDArray[np.floating[Any]], known: NDArray[np.floating[Any]]
) -> NDArray[Any]:
    """Mean of `exp(squared / spread)` over the keypoints that are known, `[...]`; 0 where none is.

    Args:
        squared: distances of keypoints, `[..., 17]` square pixels.
        spread: minus twice the variance granted to each keypoint, `[..., 17]` square pixels.
        known: 1 for a keypoint that counts, 0 for any other, `[..., 17]`.
    """
    total: NDArray[Any] = np.vecdot(np.exp(squared / spread), known)
    return total / np.maximum(np.vecdot(known, known), 1.0)
