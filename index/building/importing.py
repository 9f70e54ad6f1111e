"""`import_pair`: a database from a FAISS file and labels that another tool wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.building.pictures import printable
from index.errors import DatabaseDamaged, DatabaseMismatch, DatabaseMissing
from index.posture_index import PostureIndex
from index.search.backend import Neighbours
from index.search.faiss_file import read_faiss
from index.storage.labels import load_labels
from pose.array_files import read_arrays
from pose.embeddings.registry import EMBEDDINGS
from pose.errors import reason_of

__all__ = ["import_pair", "read_labels"]

_LABEL_FILES: Final = (
    "Expected is a pickled list (.pkl), a JSON list (.json), a NumPy array (.npy) or text with a label a line"
)


def import_pair(
    rows_file: str | Path,
    labels_file: str | Path,
    *,
    embedding: str | None = None,
    by_place: bool = False,
    device: str = "auto",
) -> PostureIndex:
    """A database, in memory, of the rows of a FAISS file and the labels of another. Nothing in them is run.

    Args:
        rows_file: any kind of FAISS index that can give its rows back.
        labels_file: a pickled list, tuple or array of strings (.pkl), a JSON list (.json), a NumPy array (.npy), or
            text with a label a line.
        embedding: what the rows are; None tells by how many numbers they have.
        by_place: the first label is that of the first row, and so on, also where the FAISS file numbers its rows
            itself (`IndexIDMap`); otherwise these numbers say which label a row has.
        device: where to search.

    Raises:
        DatabaseMissing: a file is not there.
        DatabaseDamaged, UnsafeLabels: a file cannot be read.
        DatabaseMismatch: the two do not belong together, or are of no embedding.
    """
    try:
        found = read_faiss(_content(rows_file))
    except ValueError as error:
        raise DatabaseDamaged(f"{printable(rows_file)} is damaged or no FAISS index: {error}.") from error
    labels = read_labels(Path(labels_file))
    name = embedding or next((name for name, one in EMBEDDINGS.items() if one.dimension == found.index.d), None)
    if name is None or EMBEDDINGS[name].dimension != found.index.d:
        known = ", ".join(f"{name} has {one.dimension}" for name, one in EMBEDDINGS.items())
        raise DatabaseMismatch(f"{printable(rows_file)} has {found.index.d} numbers a row; {known}.")
    try:
        vectors = Neighbours(found.index.d, "cpu", found.index).vectors()
    except (DatabaseMismatch, DatabaseDamaged) as error:
        raise DatabaseMismatch(f"{printable(rows_file)} cannot be imported: {error}.") from error
    if found.numbers is not None and not by_place:
        labels = _by_number(rows_file, labels_file, labels, found.numbers)
    if len(labels) != len(vectors):
        raise DatabaseMismatch(
            f"{printable(labels_file)} has {len(labels)} labels and {printable(rows_file)} has {len(vectors)} rows. "
            "Name the two files that belong together."
        )
    index = PostureIndex(name, device=device)
    index.add(vectors, labels)
    return index


def _by_number(
    rows_file: str | Path, labels_file: str | Path, labels: list[str], numbers: NDArray[np.int64]
) -> list[str]:
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(labels):
        raise DatabaseMismatch(
            f"{printable(rows_file)} numbers its rows from {numbers.min()} to {numbers.max()}, and "
            f"{printable(labels_file)} has {len(labels)} labels. If row and label have the same place in the two "
            "files, use `stance import FILE --by-place`."
        )
    return [labels[number] for number in numbers.tolist()]


def read_labels(path: Path) -> list[str]:
    """The labels of a file: a pickled list (.pkl), a JSON list (.json), a NumPy array (.npy), or text.

    Raises:
        DatabaseMissing: it is not there.
        DatabaseDamaged, UnsafeLabels: it cannot be read.
    """
    data = _content(path)
    name = printable(path)
    try:
        if path.suffix == ".pkl":
            return load_labels(data, name)
        if path.suffix == ".json":
            found = json.loads(data)
        elif path.suffix == ".npy":
            found = read_arrays(path)[""].tolist()
        else:
            found = data.decode("utf-8-sig").splitlines()
    except (ValueError, KeyError, RecursionError, MemoryError) as error:
        if isinstance(error, DatabaseDamaged):
            raise
        raise DatabaseDamaged(f"{name} cannot be read. {_LABEL_FILES}.") from error
    if not isinstance(found, list) or not all(isinstance(label, str) for label in found):
        raise DatabaseDamaged(f"{name} holds something other than a list of strings. {_LABEL_FILES}.")
    return found


def _content(file: str | Path) -> bytes:
    try:
        return Path(file).read_bytes()
    except FileNotFoundError:
        raise DatabaseMissing(f"{printable(file)} is missing. Name a file that exists.") from None
    except OSError as error:
        raise DatabaseDamaged(f"{printable(file)} cannot be read: {reason_of(error)}.") from error
