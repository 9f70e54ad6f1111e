"""The file of origins, `PREFIX_examples.npz`: plain arrays, never pickles."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.storage.examples import Examples
from pose.array_files import read_arrays

__all__ = ["dump_examples", "load_examples"]


def dump_examples(examples: Examples) -> bytes:
    """The bytes of the file."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        pictures=_dump_strings(examples.pictures),
        digests=_dump_strings(examples.digests),
        people=examples.people,
        keypoints=examples.keypoints,
        boxes=examples.boxes,
        sizes=examples.sizes,
    )
    return buffer.getvalue()


def load_examples(data: bytes) -> Examples:
    """Read the bytes of the file.

    Raises:
        ValueError: they are no such file.
    """
    arrays = read_arrays(io.BytesIO(data))
    try:
        return Examples(
            tuple(_load_strings(arrays["pictures"])),
            tuple(_load_strings(arrays["digests"])),
            arrays["people"],
            arrays["keypoints"],
            arrays["boxes"],
            arrays["sizes"],
        )
    except (KeyError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        raise ValueError("no file of origins") from error


def _dump_strings(strings: Sequence[str]) -> NDArray[np.uint8]:
    """Strings as the bytes of a JSON list: any file name survives, also one that is not valid UTF-8."""
    return np.frombuffer(json.dumps(list(strings)).encode("ascii"), np.uint8)


def _load_strings(array: NDArray[Any]) -> list[str]:
    strings = json.loads(np.asarray(array, np.uint8).tobytes())
    if not isinstance(strings, list) or not all(isinstance(string, str) for string in strings):
        raise ValueError("not a list of strings")
    return strings
