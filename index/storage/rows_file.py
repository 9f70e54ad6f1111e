"""The rows of a database, as `PREFIX.faiss` holds them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.errors import DatabaseDamaged, DatabaseMismatch
from index.search.backend import Neighbours
from index.search.faiss_file import read_faiss
from index.storage.examples import Examples
from index.storage.manifest import Manifest
from index.storage.suffixes import FAISS, LABELS, MANIFEST
from pose.embeddings.registry import EMBEDDINGS

__all__ = ["BARE_EMBEDDING", "embedding_name", "finite_rows", "labels_by_number", "read_rows"]

log = logging.getLogger(__name__)

BARE_EMBEDDING: Final = "nose25"
"""What a pair without a manifest holds."""

_ROWS_NAMED: Final = 10


def embedding_name(manifest: Manifest | None) -> str:
    """Name of what the rows are."""
    return BARE_EMBEDDING if manifest is None else manifest.embedding


def read_rows(
    prefix: Path, data: bytes, manifest: Manifest | None, device: str
) -> tuple[Neighbours, NDArray[np.int64] | None]:
    """The rows, and the numbers by which the file calls them where it does not number them by their place."""
    name = embedding_name(manifest)
    if name not in EMBEDDINGS:
        known = ", ".join(sorted(EMBEDDINGS))
        raise DatabaseMismatch(
            f"{prefix} was built with the embedding {name!r}; this Stance has {known}. Update Stance."
        )
    embedding = EMBEDDINGS[name]
    if manifest is not None and manifest.embedding_version != embedding.version:
        raise DatabaseMismatch(
            f"{prefix} was built with version {manifest.embedding_version} of {name}, this Stance computes version "
            f"{embedding.version}. Rebuild it with `stance build --replace`."
        )
    try:
        found = read_faiss(data)
    except ValueError as error:
        raise DatabaseDamaged(
            f"{prefix}{FAISS} is damaged or no FAISS index: {error}. Restore it, or rebuild with "
            "`stance build --replace`."
        ) from error
    if manifest is None and found.index.d != embedding.dimension:
        fitting = " or ".join(other for other, one in EMBEDDINGS.items() if one.dimension == found.index.d)
        if not fitting:
            raise DatabaseMismatch(
                f"{prefix}{FAISS} has {found.index.d} numbers a row, and no embedding of Stance has. Name another "
                "database."
            )
        raise DatabaseMismatch(
            f"{prefix}{MANIFEST} is missing: it says that the rows of {prefix}{FAISS} are of {fitting}. Restore it, or "
            f"make a database of the other two files with `stance import {prefix}{FAISS}`."
        )
    try:
        return Neighbours(embedding.dimension, device, found.index), found.numbers
    except DatabaseMismatch as error:
        raise DatabaseMismatch(
            f"{prefix}{FAISS} cannot be used as a database of {name}: {error}. Name another, or rebuild "
            "it with `stance build --replace`."
        ) from error


def labels_by_number(prefix: Path, labels: list[str], numbers: NDArray[np.int64]) -> list[str]:
    """The labels in the order of the rows, where the FAISS file (an `IndexIDMap`) says which label each row has."""
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= len(labels)):
        raise DatabaseMismatch(
            f"{prefix}{FAISS} numbers its rows from {numbers.min()} to {numbers.max()} (IndexIDMap), and "
            f"{prefix}{LABELS} has {len(labels)} labels. If row and label have the same place in the two files, use "
            f"`stance import {prefix}{FAISS} --by-place`."
        )
    return [labels[number] for number in numbers.tolist()]


def finite_rows(
    prefix: Path, neighbours: Neighbours, labels: list[str], examples: Examples
) -> tuple[Neighbours, list[str], Examples]:
    """The rows without those that hold NaN or infinity, which are named: they are near to nothing."""
    if not neighbours.exact:
        return neighbours, labels, examples
    finite = np.isfinite(neighbours.vectors()).all(axis=1)
    if finite.all():
        return neighbours, labels, examples
    bad = np.flatnonzero(~finite)
    named = ", ".join(map(str, bad[:_ROWS_NAMED])) + (
        f" and {len(bad) - _ROWS_NAMED} more" if len(bad) > _ROWS_NAMED else ""
    )
    log.warning("%s: row(s) %s hold NaN or infinity and are left out.", prefix, named)
    kept = np.flatnonzero(finite)
    clean = Neighbours(neighbours.dimension, neighbours.device)
    clean.add(neighbours.vectors()[kept])
    return clean, [labels[row] for row in kept], examples.select(kept)
