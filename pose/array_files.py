"""`read_arrays`: NumPy's files, read without trust."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_arrays"]

# NumPy reads a header as Python source and an archive as a zip: damage may show as any of these.
_DAMAGE: Final = (
    *(
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        EOFError,
        MemoryError,
        OSError,
        RuntimeError,
    ),
    *(SyntaxError, tokenize.TokenError, struct.error, zipfile.BadZipFile, zlib.error),
)


def read_arrays(source: str | Path | BinaryIO) -> dict[str, NDArray[Any]]:
    """All arrays of a `.npz`, by name; the one of a `.npy` under the name "". Nothing is unpickled.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is damaged, no such file, or holds objects.
    """
    if isinstance(source, str | Path):
        with open(source, "rb") as file:
            return read_arrays(file)
    try:
        loaded = np.load(source, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"": loaded}
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except _DAMAGE as error:
        raise ValueError("no whole file of arrays") from error
