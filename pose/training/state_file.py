"""The file a training is resumed from: plain tensors and numbers, read without running anything in it."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, Final

import torch

from pose.errors import TrainingError, reason_of

__all__ = ["load_state", "save_state"]

FORMAT: Final = 1


def save_state(state: dict[str, Any], file: Path) -> None:
    """Write tensors, numbers, strings, lists and dicts of them; complete or not at all.

    Raises:
        TrainingError: the file cannot be written.
    """
    part = file.with_name(file.name + ".part")
    try:
        torch.save({"format": FORMAT, **state}, part)
        os.replace(part, file)
    except (OSError, RuntimeError) as error:  # PyTorch's zip writer tells a full disk as a RuntimeError
        part.unlink(missing_ok=True)
        why = reason_of(error) if isinstance(error, OSError) else "not all of it could be written"
        raise TrainingError(f"{file} cannot be written: {why}. Is the disk full?") from error


def load_state(file: Path) -> dict[str, Any]:
    """Read it back, on the CPU.

    Raises:
        TrainingError: it is missing, damaged, or of another version.
    """
    if not file.is_file():
        raise TrainingError(f"{file} is missing, so there is nothing to resume. Start anew.")
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        raise TrainingError(f"{file} is damaged and cannot be resumed. Start anew from its weights.") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise TrainingError(f"{file} is no training that this Stance can resume. Start anew from its weights.")
    return state
