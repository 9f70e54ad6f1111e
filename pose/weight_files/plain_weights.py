"""Weights of a network in training under our own names, as safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from pose.errors import WeightsMissing
from pose.weight_files.safetensors_file import halved, read_safetensors, write_safetensors

__all__ = ["read_state", "write_state"]


def write_state(state: Mapping[str, Tensor], file: str | Path, notes: Mapping[str, str] | None = None) -> None:
    """Write weights in half precision, complete or not at all.

    Raises:
        WeightsError: the file cannot be written.
    """
    write_safetensors(Path(file), {name: halved(value.detach()) for name, value in state.items()}, notes or {})


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
