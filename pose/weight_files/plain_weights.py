"""Weights of a network under our own names, as safetensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pose.errors import WeightsError, WeightsMissing
from pose.weight_files.checkpoint import serialised

__all__ = ["read_state", "write_state"]


def write_state(state: Mapping[str, Tensor], file: str | Path, notes: Mapping[str, str] | None = None) -> None:
    """Write weights as safetensors in half precision, complete or not at all.

    Raises:
        WeightsError: the file cannot be written.
    """
    path = Path(file)
    part = path.with_name(path.name + ".part")
    halves = {name: value.detach().half().contiguous().cpu() for name, value in state.items()}
    try:
        part.write_bytes(serialised(halves, dict(notes or {})))
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise WeightsError(f"{path} cannot be written: {error.strerror or error}.") from error


def read_state(file: str | Path) -> dict[str, Tensor]:
    """Weights that `write_state` wrote, float32.

    Raises:
        WeightsMissing: there is no such file.
        WeightsError: it is damaged.
    """
    path = Path(file)
    if not path.is_file():
        raise WeightsMissing(f"{path} is missing.")
    try:
        return {name: value.float() for name, value in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a whole safetensors file ({error}). Copy it again.") from error
