"""Object keypoint similarity: how well keypoints lie on those of a labelled person."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import SIGMAS

__all__ = ["oks"]


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
    known = labelled[..., 2] > 0
    offset = found[:, None, :, :2].astype(np.float64) - labelled[None, :, :, :2]
    spread = 2 * areas.astype(np.float64)[:, None] * (2 * np.array(SIGMAS)) ** 2
    similarity = np.exp(-(offset**2).sum(3) / spread) * known
    count = known.sum(1)
    return similarity.sum(2) / np.where(count > 0, count, np.nan)
