"""`Trial`: people whose posture is known, and the database that is asked about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.classification import OTHER_LABEL, Classification, DecisionRule
from index.posture_index import PostureIndex
from index.search.matches import Matches
from index.storage.examples import Examples

__all__ = ["Trial", "part_of"]

_ASKED_AT_ONCE: Final = 512


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """People, and the database that is asked about them.

    Attributes:
        index: what is known.
        vectors: float32 `[N, D]`.
        labels: N, the truth.
        examples: N.
        own: int64 `[N]`: the row that each of them is in `index`, hidden from the search together with the other people
            of its picture; None if they are not in it.
    """

    index: PostureIndex
    vectors: NDArray[np.float32]
    labels: tuple[str, ...]
    examples: Examples
    own: NDArray[np.int64] | None = None

    def select(self, people: NDArray[np.bool_] | NDArray[np.integer]) -> Trial:
        """The same with these of the people only (a mask or their places)."""
        labels = tuple(np.array(self.labels, object)[people].tolist())
        own = None if self.own is None else self.own[people]
        return Trial(self.index, self.vectors[people], labels, self.examples.select(people), own)

    def spread(self, most: int) -> Trial:
        """The same with at most so many of the people, evenly spaced."""
        count = len(self.labels)
        return self if count <= most else self.select(np.linspace(0, count - 1, most).astype(np.int64))

    def without(self, label: str) -> tuple[Trial, Trial]:
        """The people of a class, and the others but `OTHER_LABEL`, both before the database without that class."""
        kept = np.array([known != label for known in self.index.labels], bool)
        part = part_of(self.index, kept)
        outsiders = self.select(np.array([name == label for name in self.labels], bool))
        others = self.select(np.array([name not in (label, OTHER_LABEL) for name in self.labels], bool))
        own = None if others.own is None else (np.cumsum(kept) - 1)[others.own]
        return (
            Trial(part, outsiders.vectors, outsiders.labels, outsiders.examples),
            Trial(part, others.vectors, others.labels, others.examples, own),
        )

    def ask(self, rule: DecisionRule) -> list[Classification]:
        """A classification for each of the people, from the nearest rows they may see."""
        if self.own is None:
            return self.index.classify(self.vectors, rule)
        # In blocks: `k` neighbours of everybody, each compared with each, take memory.
        blocks = (slice(start, start + _ASKED_AT_ONCE) for start in range(0, len(self.own), _ASKED_AT_ONCE))
        matches = (self._matches_without_own(block, rule.k) for block in blocks)
        return [classification for found in matches for classification in self.index.vote(found, rule)]

    @property
    def untaught(self) -> NDArray[np.bool_]:
        """Who is of a class of which there is no row they may see, bool `[N]`; nobody of `OTHER_LABEL`."""
        rows = self.index.counts
        left = np.array([rows.get(label, 0) for label in self.labels], np.int64)
        if self.own is not None:  # all people of one picture are of one class, so all that is hidden is of it
            pictures = _picture_codes(self.index.examples)
            left -= np.bincount(pictures)[pictures[self.own]]
        return np.asarray((left <= 0) & np.array([label != OTHER_LABEL for label in self.labels], bool))

    def _matches_without_own(self, block: slice, k: int) -> Matches:
        assert self.own is not None
        own = self.own[block]
        pictures = _picture_codes(self.index.examples)
        most_hidden = int(np.bincount(pictures).max(initial=0))
        found = self.index.search(self.vectors[block], k + most_hidden)
        hidden = (pictures[own][:, None] == pictures[found.entries]) & (found.entries >= 0)
        # What stays comes first, still nearest first; of k + most_hidden at least k stay, counting the missing ones.
        order = np.argsort(hidden, axis=1, kind="stable")[:, :k]
        entries = np.take_along_axis(found.entries, order, axis=1)
        mutual = found.mutual
        if mutual is not None:
            mutual = np.take_along_axis(np.take_along_axis(mutual, order[:, :, None], 1), order[:, None, :], 2)
        return Matches(entries, np.take_along_axis(found.distances, order, axis=1), mutual)


def part_of(index: PostureIndex, rows: NDArray[np.bool_]) -> PostureIndex:
    """A database of these rows only (bool `[R]`), in memory."""
    part = PostureIndex(index.embedding.name, device=index.device)
    labels = [label for label, kept in zip(index.labels, rows, strict=True) if kept]
    part.add(index.vectors[rows], labels, index.examples.select(rows))
    return part


def _picture_codes(examples: Examples) -> NDArray[np.int64]:
    """A number for every row's picture, int64 `[R]`; a row of unknown origin is a picture of its own."""
    names = [digest or f"row {row}" for row, digest in enumerate(examples.digests)]
    return np.asarray(np.unique(names, return_inverse=True)[1], np.int64)
