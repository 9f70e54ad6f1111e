"""`RelativeAdamW`: AdamW whose steps are shares of the weights they change.

Where batch normalisation is folded into convolutions, the sizes of filters differ by five orders of magnitude (start
weights of PicoDet: 0.0005 to 85). AdamW moves all by the same amount, so its steps are too long for some and nothing to
others; here they are multiplied by each filter's own size, as in Adafactor (Shazeer and Stern, 2018, arXiv 1804.04235,
section 8), which does it by tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor

__all__ = ["RelativeAdamW", "sizes"]

LEAST: Final = 0.1  # a filter counts as no smaller than this share of the tensor's median, or it could never grow
LEAST_BIAS, MOST_BIAS = 1e-3, 1.0  # biases add to outputs, whose size activations want around 1


class RelativeAdamW(torch.optim.AdamW):
    """AdamW on weights in units of their size; `lr` is the share of it that a step is at most about."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step."""
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        before = [p.clone() for p in moved]
        loss = super().step(closure)
        for p, old in zip(moved, before, strict=True):
            p.copy_(torch.lerp(old, p, sizes(old)))
        return loss


def sizes(weights: Tensor) -> Tensor:
    """Root of the mean square of each filter, `[c_out, 1, …]`, or of a whole bias, `[1]`."""
    if weights.ndim < 2:
        return weights.square().mean().sqrt().clamp(LEAST_BIAS, MOST_BIAS).reshape(1)
    size = weights.square().flatten(1).mean(1).sqrt()
    return size.clamp(min=LEAST * float(size.median())).clamp(min=1e-12).reshape(-1, *[1] * (weights.ndim - 1))
