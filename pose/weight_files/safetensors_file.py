"""Safetensors on disk: half precision, whole or not at all, the same bytes for the same weights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pose.errors import WeightsError, reason_of

__all__ = ["halved", "listed", "read_safetensors", "write_safetensors"]

LISTED_KEYS: Final = 6  # how many offending keys an error names


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and the tensors of a file.

    Raises:
        WeightsError: it is damaged.
    """
    try:
        with safe_open(str(path), framework="pt") as stream:
            metadata = stream.metadata() or {}
            state = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118 - not a mapping
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {reason_of(error)}.") from error
    except (SafetensorError, MemoryError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise WeightsError(f"{path} is not a whole safetensors file. Fetch or copy it again.") from error
    return metadata, state


def write_safetensors(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a file, complete or not at all.

    Raises:
        WeightsError: it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(_serialised({key: value.contiguous().cpu() for key, value in state.items()}, metadata))
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise WeightsError(f"{path} cannot be written: {reason_of(error)}.") from error


def halved(value: Tensor) -> Tensor:
    """In half precision, unless it is of whole numbers or holds one too large for it."""
    if not value.is_floating_point():
        return value
    half = value.half()
    return half if half.isfinite().all() else value.float()


def listed(keys: Sequence[str]) -> str:
    """The first few keys, for an error."""
    more = f" and {len(keys) - LISTED_KEYS} more" if len(keys) > LISTED_KEYS else ""
    return ", ".join(keys[:LISTED_KEYS]) + more


def _serialised(state: dict[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file; the same bytes for the same weights, because databases remember a file's digest.

    The library writes the metadata in an order that changes from call to call, so they are put in order afterwards.
    (Format: 8 bytes length of the header, the header as JSON, numbers.)
    """
    data = save(state, metadata=dict(metadata))
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the numbers begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text + data[end:]
