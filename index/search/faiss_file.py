"""FAISS files, read with suspicion: FAISS trusts the sizes it reads, and a damaged file can end the process.

An `IndexFlat`, which Stance writes, and an `IndexIDMap` of one are read here; the format is that of FAISS's
`index_write.cpp`. Any other kind is loaded and searched in a process of its own first.
"""

from __future__ import annotations

import logging
import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from index.search.backend import load_faiss

__all__ = ["TRIAL", "ReadIndex", "read_faiss"]

log = logging.getLogger(__name__)

_FLAT: Final = {b"IxF2": 1, b"IxFI": 0}  # the metric each stands for: L2, inner product
_ID_MAPS: Final = (b"IxMp", b"IxM2")
_HEADER: Final = struct.Struct("<4siqqqBi")  # kind, dimension, rows, two unused numbers, trained, metric
_LARGEST_DIMENSION: Final = 100_000
_TRIAL_SECONDS: Final = 60
TRIAL: Final = """
import sys
import numpy as np
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
except (ImportError, ValueError, OSError):
    pass
import faiss
faiss.omp_set_num_threads(1)
index = faiss.deserialize_index(np.frombuffer(sys.stdin.buffer.read(), np.uint8))
index.search(np.zeros((2, index.d), np.float32), max(1, min(5, index.ntotal)))
mapped = isinstance(index, (faiss.IndexIDMap, faiss.IndexIDMap2))
inner = faiss.downcast_index(index.index) if mapped else index
if hasattr(inner, "make_direct_map"):
    inner.make_direct_map()
try:
    inner.reconstruct_n(0, inner.ntotal)
except RuntimeError:
    pass
"""
_TRIAL_MEMORY: Final = 2 << 30
"""Address space of that process beyond 16 times the file, bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadIndex:
    """A FAISS index as it was read.

    Attributes:
        index: an index of FAISS whose rows are numbered from 0.
        numbers: int64 `[R]`, what the file calls each row (`IndexIDMap`); None where rows are numbered by their place.
    """

    index: Any
    numbers: NDArray[np.int64] | None = None


def read_faiss(data: bytes) -> ReadIndex:
    """Read the content of a FAISS file.

    Raises:
        ValueError: it is damaged, or no FAISS index.
    """
    if len(data) < _HEADER.size + 4:
        raise ValueError("it is cut short")
    if data[:4] in _ID_MAPS and data[_HEADER.size : _HEADER.size + 4] in _FLAT:
        _, dimension, rows, _, _, _, _ = _header(data)
        index, end = _read_flat(data, _HEADER.size)
        numbers, end = _vector(data, end, np.dtype("<i8"))
        if index.d != dimension or len(numbers) != rows or index.ntotal != rows or end != len(data):
            raise ValueError("the numbers of the rows do not fit the rows")
        return ReadIndex(index, numbers)
    if data[:4] in _FLAT:
        index, end = _read_flat(data, 0)
        if end != len(data):
            raise ValueError("there is more than the rows")
        return ReadIndex(index)
    return _read_other(data)


def _header(data: bytes, start: int = 0) -> tuple[Any, ...]:
    if len(data) < start + _HEADER.size:
        raise ValueError("it is cut short")
    header = _HEADER.unpack_from(data, start)
    if not 0 < header[1] <= _LARGEST_DIMENSION or header[2] < 0 or header[6] not in (0, 1):
        raise ValueError("its header is damaged")
    return header


def _vector(data: bytes, start: int, dtype: np.dtype[Any]) -> tuple[NDArray[Any], int]:
    """A length and so many numbers, and where they end."""
    if len(data) < start + 8:
        raise ValueError("it is cut short")
    (length,) = struct.unpack_from("<Q", data, start)
    end = start + 8 + length * dtype.itemsize
    if end > len(data):
        raise ValueError("it is cut short")
    return np.frombuffer(data, dtype, length, start + 8), end


def _read_flat(data: bytes, start: int) -> tuple[Any, int]:
    kind, dimension, rows, _, _, _, metric = _header(data, start)
    numbers, end = _vector(data, start + _HEADER.size, np.dtype("<f4"))
    if len(numbers) != rows * dimension or metric != _FLAT[kind]:
        raise ValueError("its rows do not fit its header")
    faiss = load_faiss()
    index = faiss.IndexFlatL2(dimension) if metric == 1 else faiss.IndexFlatIP(dimension)
    if rows:
        index.add(numbers.reshape(rows, dimension))
    return index, end


def _read_other(data: bytes) -> ReadIndex:
    """An index of a kind that only FAISS can read, after a trial in a process that may die of it."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        trial = subprocess.run(
            [sys.executable, "-c", TRIAL, str(_TRIAL_MEMORY + 16 * len(data))],
            input=data,
            capture_output=True,
            timeout=_TRIAL_SECONDS,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError("FAISS does not come to an end with it") from None
    if trial.returncode != 0:
        log.debug("FAISS says: %s", trial.stderr.decode(errors="replace"))
        raise ValueError("FAISS cannot read it")
    faiss = load_faiss()
    try:
        index = faiss.deserialize_index(np.frombuffer(data, np.uint8))
        if not isinstance(index, faiss.IndexIDMap | faiss.IndexIDMap2):
            return ReadIndex(index)
        inner = faiss.downcast_index(index.index)
        if hasattr(inner, "make_direct_map"):
            inner.make_direct_map()
        flat = faiss.IndexFlatL2(inner.d) if inner.metric_type == faiss.METRIC_L2 else faiss.IndexFlatIP(inner.d)
        flat.add(inner.reconstruct_n(0, inner.ntotal))
        return ReadIndex(flat, faiss.vector_to_array(index.id_map))
    except (RuntimeError, MemoryError, AssertionError) as error:
        raise ValueError("FAISS cannot read it") from error
