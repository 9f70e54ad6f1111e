"""Weights between two sets of weights: often better than both, because fine-tuning also forgets.

Wortsman et al., "Robust fine-tuning of zero-shot models" (WiSE-FT), 2022, arXiv 2109.01903.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pose.errors import WeightsError
from pose.training.keypoints.hold_out import HoldOut

__all__ = ["blended", "judge_blends"]


def blended(start: Mapping[str, Tensor], tuned: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights `share` of the way from `start` (0) to `tuned` (1), float32.

    Raises:
        WeightsError: they are of different networks.
    """
    if start.keys() != tuned.keys() or any(start[name].shape != tuned[name].shape for name in start):
        raise WeightsError("The weights to be averaged are of different networks.")
    return {name: torch.lerp(start[name].float(), tuned[name].float(), share) for name in start}


def judge_blends(
    network: nn.Module,
    start: Mapping[str, Tensor],
    tuned: Mapping[str, Tensor],
    hold_out: HoldOut,
    shares: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
    dtype: torch.dtype | None = None,
) -> list[dict[str, float]]:
    """The figures of the hold-out at each share. Leaves the network with its own weights."""
    own = {name: value.clone() for name, value in network.state_dict().items()}
    rows = []
    try:
        for share in shares:
            network.load_state_dict(blended(start, tuned, share))
            rows.append({"share": share, **hold_out.judge(network, dtype)})
    finally:
        network.load_state_dict(own)
    return rows
