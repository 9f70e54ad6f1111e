"""What a weights file says of itself, read without PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from pose.errors import WeightsError, WeightsMissing, reason_of

__all__ = ["network_of"]

LARGEST_HEADER: Final = 100_000_000  # bytes; safetensors' own limit


def network_of(file: Path, expected: str | None = None) -> str:
    """The network, or the part of one, whose weights a file holds.

    Args:
        expected: whose they must be; None takes what the file says.

    Raises:
        WeightsMissing: there is no such file.
        WeightsError: it is damaged, says nothing, or is of another network.
    """
    try:
        present = file.is_file()
    except OSError as error:
        raise WeightsError(f"{file} cannot be read ({reason_of(error)}).") from error
    if not present:
        raise WeightsMissing(f"{file} is missing. See `stance weights list` for what can be fetched.")
    if file.suffix != ".safetensors":  # a published checkpoint
        from pose.weight_files.checkpoint import read_checkpoint

        return read_checkpoint(file, expected).architecture.network
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length)) if length <= LARGEST_HEADER else {}
        found = header.get("__metadata__", {}).get("network")
    except OSError as error:
        raise WeightsError(f"{file} cannot be read ({reason_of(error)}).") from error
    except (ValueError, AttributeError, RecursionError, MemoryError) as error:
        raise WeightsError(f"{file} is not a whole safetensors file. Fetch or copy it again.") from error
    if not isinstance(found, str):
        if expected is not None:
            return expected  # the reader of that network says what is wrong
        raise WeightsError(
            f"{file} does not say which network it is for. Convert it with `stance weights convert {file} "
            "--network NAME`."
        )
    if expected is not None and found != expected:
        raise WeightsError(f"{file} holds weights of {found}, not of {expected}.")
    return found
