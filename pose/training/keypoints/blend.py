"""Weights between two sets of weights: often better than both, because fine-tuning also forgets.

Wortsman et al., "Robust fine-tuning of zero-shot models" (WiSE-FT), 2022, arXiv 2109.01903.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from pose.errors import WeightsError, WeightsMissing
from pose.training.keypoints.hold_out import HoldOut
from pose.weight_files.safetensors_file import halved, read_safetensors, write_safetensors

__all__ = ["blended", "judge_blends", "read_state", "write_state"]


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


def write_state(state: Mapping[str, Tensor], file: str | Path, notes: Mapping[str, str] | None = None) -> None:
    """Write weights as safetensors in half precision, complete or not at all.

    Raises:
        WeightsError: the file cannot be written.
    """
    write_safetensors(Path(file), {name: halved(value.detach()) for name, value in state.items()}, dict(notes or {}))


def read_state(file: str | Path) -> dict[str, Tensor]:
    """Weights that `write_state` wrote, float32.

    Raises:
        WeightsMissing: there is no such file.
        WeightsError: it is damaged.
    """
    path = Path(file)
    if not path.is_file():
        raise WeightsMissing(f"{path} is missing.")
    return {name: value.float() for name, value in read_safetensors(path)[1].items()}
