"""How much each neighbour's vote weighs: kernel ridge regression on a person's neighbours."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BANDWIDTH_FACTOR", "BANDWIDTH_NEIGHBOUR", "ridge_weights"]

BANDWIDTH_FACTOR: Final = 0.85
BANDWIDTH_NEIGHBOUR: Final = 10
SMALLEST_SHARE: Final = 0.1

RIDGE: Final = 0.3
"""Noise of the labels. On training pictures held back in turn, 0.15 to 0.5 give accuracies within 0.5 %."""


def ridge_weights(distances: NDArray[np.float32], mutual: NDArray[np.float32], bandwidth: float) -> NDArray[np.float64]:
    """Solve (K + 0.3) w = κ for every person: κ and K are the Gaussian similarity of the neighbours to the person
    and to each other.

    Near neighbours weigh more, and neighbours that resemble each other share one vote: ten frames of one video do not
    outvote two pictures that lie as near. Far from everything the weights go to zero; a weight may be negative where a
    neighbour lies behind another one. Local learning, after Bottou and Vapnik 1992, with the predictor of kriging.

    The bandwidth of a person is 0.85 times the distance to the tenth neighbour, so that
    it is fine where rows are dense, and at most `bandwidth`, so that similarity fades where there are none.

    Args:
        distances: `[N, k]`, NaN where there is no neighbour.
        mutual: `[N, k, k]`: squared distances between a person's neighbours, NaN where there is none.
        bandwidth: the largest distance at which similarity may fall to no less than exp(−½).

    Returns:
        `[N, k]`; 0 where there is no neighbour.
    """
    k = distances.shape[1]
    if k == 0:
        return np.zeros(distances.shape)
    tenth = distances[:, min(BANDWIDTH_NEIGHBOUR, k) - 1]
    # fmin takes the bandwidth where there is no tenth neighbour.
    own = np.maximum(np.fmin(BANDWIDTH_FACTOR * tenth, bandwidth), SMALLEST_SHARE * bandwidth)
    scale = -0.5 / own**2  # [N]
    near = np.exp(scale[:, None] * distances**2)
    alike = np.exp(scale[:, None, None] * mutual)
    lacking = np.isnan(near)
    if lacking.any():
        near[lacking] = 0.0
        alike[np.isnan(alike)] = 0.0
    alike[:, np.arange(k), np.arange(k)] = 1.0 + RIDGE
    weights: NDArray[np.float64] = np.linalg.solve(alike, near[..., None])[..., 0]
    return weights
