"""`Rows`: the examples of a database in memory, row by row; what became of rows that were offered; and `Snapshot`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.search.backend import Neighbours
from index.storage.examples import Examples
from index.storage.known_pictures import KnownPictures
from pose.reason import Reason

__all__ = ["Added", "Rows", "Snapshot"]


@dataclass(frozen=True, slots=True)
class Added:
    """What became of N rows offered to `PostureIndex.add`.

    Attributes:
        reasons: N, in the order offered: why a row was not added; None for one that was.
        rows: N rows of the database: the new one, or the one that stood in the way; −1 for an untellable posture.
    """

    reasons: tuple[Reason | None, ...]
    rows: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many were added."""
        return self.reasons.count(None)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """R examples as they were at one instant, for one thread: to measure and to save while others teach.

    Attributes:
        neighbours: the vectors, a copy.
        labels: R names.
        codes: every label as its place among the classes, int64 `[R]`.
        examples: R origins.
    """

    neighbours: Neighbours
    labels: list[str]
    codes: NDArray[np.int64]
    examples: Examples

    def __len__(self) -> int:
        return len(self.labels)


class Rows:
    """R examples: a vector, a label and an origin each, and which pictures are among them.

    Not thread-safe: `PostureIndex` locks.

    Args:
        neighbours: the R vectors, ready to search. Rows are added to it here.
        labels: R names.
        examples: R origins.

    Attributes:
        neighbours: the vectors.
        labels: the label of every row.
        known: rows by picture and person.
    """

    neighbours: Neighbours
    labels: list[str]
    known: KnownPictures

    def __init__(self, neighbours: Neighbours, labels: Sequence[str], examples: Examples) -> None:
        self.neighbours = neighbours
        self.labels = []
        self.known = KnownPictures()
        self._example_parts = [examples]
        self._class_codes: dict[str, int] = {}
        self._codes: NDArray[np.int64] | None = None  # made when somebody asks
        for label, digest, person in zip(labels, examples.digests, examples.people.tolist(), strict=True):
            self._remember(label, digest, person)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, in the order in which they first came."""
        return tuple(self._class_codes)

    @property
    def codes(self) -> NDArray[np.int64]:
        """Every row's label as its place in `classes`, int64 `[R]`."""
        if self._codes is None:
            self._codes = np.array([self._class_codes[label] for label in self.labels], np.int64)
        return self._codes

    @property
    def counts(self) -> dict[str, int]:
        """Rows per label."""
        return dict(Counter(self.labels))

    @property
    def examples(self) -> Examples:
        """Where every row came from."""
        if len(self._example_parts) != 1:
            self._example_parts = [Examples.concatenate(self._example_parts)]
        return self._example_parts[0]

    def vectors(self) -> NDArray[np.float32]:
        """A copy of all vectors, float32 `[R, D]`."""
        return np.array(self.neighbours.vectors())

    def snapshot(self) -> Snapshot:
        """All of it as it is now; what is added later is not in it."""
        return Snapshot(self.neighbours.copy(), list(self.labels), self.codes, self.examples)

    def since(self, row: int) -> tuple[NDArray[np.float32], list[str], Examples]:
        """Vectors, labels and origins from `row` on."""
        return self.vectors()[row:], self.labels[row:], self.examples.select(range(row, len(self)))

    def add(self, vectors: NDArray[np.float32], labels: Sequence[str], examples: Examples) -> Added:
        """Add N rows, except those that cannot be told (a NaN in them) and people of pictures that are here already."""
        told = np.atleast_1d(np.isfinite(vectors).all(axis=1))
        reasons: list[Reason | None] = []
        rows: list[int] = []
        new: list[int] = []
        for number, label in enumerate(labels):
            digest, person = examples.digests[number], int(examples.people[number])
            row = self.known.row(digest, person)
            if not told[number]:
                reasons.append(Reason.TOO_FEW_KEYPOINTS)
                row = -1
            elif row is None:
                reasons.append(None)
                row = self._remember(str(label), digest, person)
                new.append(number)
            else:
                reasons.append(Reason.KNOWN if self.labels[row] == label else Reason.CONFLICT)
            rows.append(row)
        if new:
            self.neighbours.add(vectors[new])
            self._example_parts.append(examples.select(new))
            self._codes = None
        return Added(tuple(reasons), tuple(rows))

    def _remember(self, label: str, digest: str, person: int) -> int:
        """Note a new row's label and origin; its number."""
        row = len(self.labels)
        self.labels.append(label)
        self._class_codes.setdefault(label, len(self._class_codes))
        self.known.remember(digest, person, row)
        return row
