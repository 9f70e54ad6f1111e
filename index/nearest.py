"""The nearest rows as a person sees them: in a mirror too, and on the part of the person that is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.backend import Neighbours
from index.verdict import Matches
from pose.embedding import Embedding

__all__ = ["nearest"]

Mirror = Callable[[NDArray[np.float32]], NDArray[np.float32]]

FULLY_SEEN: Final = 0.999
EXACT_ROWS: Final = 20_000
"""Up to so many rows every row is compared; above, FAISS makes a short list from its inverted lists. Below, comparing
every row is never slower than a short list from all rows: 20 people in 19,000 rows 24 ms against 44 (busy machine)."""
SHORTLIST: Final = 4
"""So many times k candidates come from FAISS for a person who is seen in part: it compares all numbers, also those that
are not seen of this person."""


def nearest(
    neighbours: Neighbours,
    embedding: Embedding,
    queries: NDArray[np.float32],
    k: int,
    *,
    mirror: bool = True,
    mutual: bool = True,
) -> Matches:
    """The `k` nearest rows of every query, nearest first, and how far these lie from each other.

    What the embedding says is not seen of a person does not count: it is left out of that person's distances, which
    are then scaled to the full number of dimensions. A row is turned to its mirror image where that is nearer.

    Up to 20,000 rows that is exact. Above, FAISS finds the candidates: for a person who is seen in full they hold the
    true nearest; for others there are four times as many candidates as needed, chosen by all numbers, and the nearest
    are the best of these.

    Args:
        neighbours: the rows.
        embedding: what they are.
        queries: float32 `[N, D]`; one with a NaN in it has no neighbours.
        k: how many.
        mirror: compare with mirror images too, if the embedding has them.
        mutual: measure the neighbours among themselves too.
    """
    mirrored = embedding.mirrored if mirror else None
    if mirrored is None and embedding.seen is None:
        entries, distances = neighbours.search(queries, k)
        offsets = _rows(neighbours, entries) - queries[:, None] if mutual else None
        return Matches(entries, distances, None if offsets is None else _mutual(offsets, entries))
    weights = np.ones_like(queries) if embedding.seen is None else embedding.seen(queries)
    whole = np.isfinite(queries).all(axis=1)
    if len(neighbours) <= EXACT_ROWS:
        groups = [(whole, 1)]
    else:
        in_part = whole & (weights < FULLY_SEEN).any(axis=1)
        groups = [(whole & ~in_part, 1), (in_part, SHORTLIST)]
    parts = []
    for asked, factor in groups:
        if asked.any():
            person = _People.of(queries[asked], weights[asked], mirrored)
            if len(neighbours) <= EXACT_ROWS:
                found = _nearest_of_all(neighbours, person, k)
            else:
                found = _shortlist(neighbours, person, factor * k)
            part = _measured(neighbours, person, found, k, mutual)
            if asked.all():
                return part
            parts.append((np.flatnonzero(asked), part))
    return _joined(len(queries), k, mutual, parts)


@dataclass(frozen=True, slots=True)
class _People:
    """N people as they are and as in a mirror, and what counts of them.

    Attributes:
        sides: the queries `[N, D]`, and those of their mirror images where these count: a row's mirror image is as far
            from a person as the row from the person's mirror image.
        weights: how well each number is seen, `[N, D]` for each of the sides.
        mirrored: turns rows to those of their mirror images; None where these do not count.
    """

    sides: tuple[NDArray[np.float32], ...]
    weights: tuple[NDArray[np.float32], ...]
    mirrored: Mirror | None

    @classmethod
    def of(cls, queries: NDArray[np.float32], weights: NDArray[np.float32], mirrored: Mirror | None) -> _People:
        if mirrored is None:
            return cls((queries,), (weights,), None)
        return cls((queries, mirrored(queries)), (weights, np.abs(mirrored(weights))), mirrored)

    def __len__(self) -> int:
        return len(self.sides[0])


def _nearest_of_all(neighbours: Neighbours, people: _People, k: int) -> NDArray[np.int64]:
    """The `k` nearest of all rows `[N, k or fewer]`, in any order.

    Σ w² (x − q)² = Σ w² x² − 2 Σ w² q x + Σ w² q² is one product of matrices for all people and rows.
    """
    queries, squared_weights = np.concatenate(people.sides), np.concatenate(people.weights) ** 2
    asked = np.concatenate((squared_weights, -2 * squared_weights * queries), axis=1)
    squared = asked @ neighbours.squares_and_values().T  # [N or 2 N, R]
    if len(people.sides) == 2:
        squared = np.minimum(squared[: len(people)], squared[len(people) :])
    if k >= squared.shape[1]:
        return np.broadcast_to(np.arange(squared.shape[1]), squared.shape)
    return squared.argpartition(k - 1, axis=1)[:, :k]


def _shortlist(neighbours: Neighbours, people: _People, count: int) -> NDArray[np.int64]:
    """`[N, C]`: the `count` nearest rows of every query and of its mirror image, each once; −1 fills up."""
    found, _ = neighbours.search(np.concatenate(people.sides), count)
    if len(people.sides) == 1:
        return found
    found = np.sort(np.concatenate((found[: len(people)], found[len(people) :]), axis=1), axis=1)
    found[:, 1:][found[:, 1:] == found[:, :-1]] = -1
    return found


def _measured(neighbours: Neighbours, people: _People, found: NDArray[np.int64], k: int, mutual: bool) -> Matches:
    """The best `k` of the candidates `[N, C]`."""
    rows = _rows(neighbours, found)  # [N, C, D]
    offsets = [
        (rows - side[:, None]) * weights[:, None] for side, weights in zip(people.sides, people.weights, strict=True)
    ]
    squared = np.einsum("ncd,ncd->nc", offsets[0], offsets[0])
    if people.mirrored is not None:
        turned = np.einsum("ncd,ncd->nc", offsets[1], offsets[1])
        nearer = turned < squared
        squared = np.minimum(squared, turned)
    # As if all were seen: a distance over a part is scaled to the full number of dimensions.
    scale = rows.shape[2] / np.einsum("nd,nd->n", people.weights[0], people.weights[0])
    squared *= scale[:, None]
    missing = found < 0
    if missing.any():
        squared[missing] = np.inf
    person = np.arange(len(people))[:, None]
    order = squared.argsort(axis=1, kind="stable")[:, :k]  # [N, k or fewer]
    entries, distances = found[person, order], np.sqrt(squared[person, order])
    distances[entries < 0] = np.nan
    among = None
    if mutual:
        compared = offsets[0][person, order]
        if people.mirrored is not None:
            turns = nearer[person, order]
            compared[turns] = people.mirrored(offsets[1][person, order][turns])
        among = _mutual(compared, entries)
        among *= scale[:, None, None]
    lacking = (0, k - order.shape[1])
    if lacking[1] > 0:
        entries = np.pad(entries, ((0, 0), lacking), constant_values=-1)
        distances = np.pad(distances, ((0, 0), lacking), constant_values=np.nan)
        among = None if among is None else np.pad(among, ((0, 0), lacking, lacking), constant_values=np.nan)
    return Matches(entries, distances, among)


def _joined(people: int, k: int, mutual: bool, parts: list[tuple[NDArray[np.intp], Matches]]) -> Matches:
    """One answer from those for groups of the people, which say where they stand; the others have no neighbours."""
    entries = np.full((people, k), -1, np.int64)
    distances = np.full((people, k), np.nan, np.float32)
    among = np.full((people, k, k), np.nan, np.float32) if mutual else None
    for places, part in parts:
        entries[places], distances[places] = part.entries, part.distances
        if among is not None and part.mutual is not None:
            among[places] = part.mutual
    return Matches(entries, distances, among)


def _rows(neighbours: Neighbours, entries: NDArray[np.int64]) -> NDArray[np.float32]:
    """The rows at `entries`, `[N, C, D]`; anything where an entry is −1."""
    if len(neighbours) == 0:
        return np.zeros((*entries.shape, neighbours.dimension), np.float32)
    return neighbours.vectors().take(entries, axis=0)


def _mutual(offsets: NDArray[np.float32], entries: NDArray[np.int64]) -> NDArray[np.float32]:
    """Squared distances between every person's neighbours, `[N, k, k]`; NaN where there is none.

    From their offsets from the person `[N, k, D]`, which are short: fewer digits cancel than between rows.
    """
    product = offsets @ offsets.swapaxes(1, 2)
    length = np.einsum("nkk->nk", product)
    squared = length[:, :, None] + length[:, None, :]
    product *= 2
    squared -= product
    np.maximum(squared, 0, out=squared)
    lacking = entries < 0
    if lacking.any():
        squared[lacking[:, :, None] | lacking[:, None, :]] = np.nan
    return squared
