"""How close two arrays must be, by number format and device: one place, with the reasons."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

__all__ = ["assert_close"]

# Absolute and relative tolerance on values of a network's output: pixels up to 2,000 and shares of 0–1.
TOLERANCE = {
    # The same sums in another order (number of threads, version of the library). Measured: on the parity pictures the
    # reference is up to 0.014 px away from the same network in float64 (at 429 px), and so are we.
    ("fp32", "cpu"): (5e-3, 5e-5),
    # cuDNN sums in blocks of another size, and may use TF32 in convolutions (10 bits) unless told otherwise; the tests
    # switch that off, and what is left is the order of sums over up to 18,432 products.
    ("fp32", "cuda"): (2e-2, 1e-4),
    # 11 bits of mantissa per layer, decoded in fp32: half a per mille of a coordinate that is up to 6 cells away.
    ("fp16", "cuda"): (2.0, 5e-3),
}


def assert_close(
    actual: ArrayLike | torch.Tensor, expected: ArrayLike | torch.Tensor, dtype: str = "fp32", device: str = "cpu"
) -> None:
    """Compare whole arrays: same shape, every value within the tolerance, NaN where NaN is."""
    atol, rtol = TOLERANCE[dtype, device]
    actual, expected = _array(actual), _array(expected)
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def _array(values: ArrayLike | torch.Tensor) -> np.ndarray:
    return values.detach().float().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
