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
_ONE_THREAD_PRODUCTS: Final = 2**18
"""From more than so many multiplications on, the BLAS under NumPy takes several threads, which wait for each other by
spinning. Five people in 2,000 rows beside two busy cores: 13 ms on average and 5.2 ms of CPU time so, 0.6 and 0.17 ms
in pieces; on cores of their own the two threads would save a few hundredths of a millisecond."""
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
    if len(neighbours) == 0:
        return _joined(len(queries), k, mutual, [])
    mirrored = embedding.mirrored if mirror else None
    if mirrored is None and embedding.seen is None:
        entries, distances = neighbours.search(queries, k)
        offsets = neighbours.vectors().take(entries, axis=0) - queries[:, None] if mutual else None
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
    """N people as they are and, where mirror images count, as in a mirror: a row's mirror image is as far from a person
    as the row is from the person's mirror image.

    Attributes:
        sides: float32 `[1 or 2, N, D]`.
        weights: how well each number is seen, float32 `[1 or 2, N, D]`.
        mirrored: turns rows to those of their mirror images; None where these do not count.
    """

    sides: NDArray[np.float32]
    weights: NDArray[np.float32]
    mirrored: Mirror | None

    @classmethod
    def of(cls, queries: NDArray[np.float32], weights: NDArray[np.float32], mirrored: Mirror | None) -> _People:
        if mirrored is None:
            return cls(queries[None], weights[None], None)
        return cls(np.stack((queries, mirrored(queries))), np.stack((weights, np.abs(mirrored(weights)))), mirrored)


def _nearest_of_all(neighbours: Neighbours, people: _People, k: int) -> NDArray[np.int64]:
    """The `k` nearest of all rows `[N, k or fewer]`, in any order.

    Σ w² (x − q)² = Σ w² x² − 2 Σ w² q x + Σ w² q² is one product of matrices for all people and rows.
    """
    squared_weights = people.weights**2
    asked = np.concatenate((squared_weights, -2 * squared_weights * people.sides), axis=2)
    sides, count, numbers = asked.shape
    squared = _product(neighbours.squares_and_values(), asked.reshape(-1, numbers).T)  # [R, N or 2 N]
    squared = np.minimum.reduce(np.ascontiguousarray(squared.T).reshape(sides, count, -1))  # [N, R]
    if k >= squared.shape[1]:
        return np.broadcast_to(np.arange(squared.shape[1]), squared.shape)
    return squared.argpartition(k - 1, axis=1)[:, :k]


def _product(rows: NDArray[np.float32], asked: NDArray[np.float32]) -> NDArray[np.float32]:
    """`rows @ asked`, on this thread alone."""
    step = max(1, _ONE_THREAD_PRODUCTS // asked.size)
    whole = len(rows) // step * step
    product: NDArray[np.float32] = np.empty((len(rows), asked.shape[1]), np.float32)
    np.matmul(rows[:whole].reshape(-1, step, len(asked)), asked, out=product[:whole].reshape(-1, step, asked.shape[1]))
    np.matmul(rows[whole:], asked, out=product[whole:])
    return product


def _shortlist(neighbours: Neighbours, people: _People, count: int) -> NDArray[np.int64]:
    """`[N, C]`: the `count` nearest rows of every query and of its mirror image, each once; −1 fills up."""
    sides, people_count, numbers = people.sides.shape
    found = neighbours.candidates(people.sides.reshape(-1, numbers), count)
    found = np.concatenate(found.reshape(sides, people_count, -1), axis=1)
    if sides == 2:
        found.sort(axis=1)
        found[:, 1:][found[:, 1:] == found[:, :-1]] = -1
    return found


def _measured(neighbours: Neighbours, people: _People, found: NDArray[np.int64], k: int, mutual: bool) -> Matches:
    """The best `k` of the candidates `[N, C]`."""
    rows = neighbours.vectors().take(found, axis=0)  # [N, C, D]; anything where an entry is −1
    offsets = rows - people.sides[:, :, None]  # [1 or 2, N, C, D]
    offsets *= people.weights[:, :, None]
    of_sides = np.einsum("sncd,sncd->snc", offsets, offsets)
    # As if all were seen: a distance over a part is scaled to the full number of dimensions.
    weights = people.weights[0]
    scale = rows.shape[2] / np.einsum("nd,nd->n", weights, weights)
    squared = np.minimum.reduce(of_sides) * scale[:, None]
    missing = found < 0
    if missing.any():
        squared[missing] = np.inf
    order = squared.argsort(axis=1, kind="stable")[:, :k]  # [N, k or fewer]
    order += np.arange(0, found.size, found.shape[1])[:, None]  # places in [N × C], as `take` is quick
    entries, distances = found.take(order), np.sqrt(squared.take(order))
    distances[entries < 0] = np.nan
    among = None
    if mutual:
        side = of_sides.argmin(axis=0).take(order)
        numbers = rows.shape[2]
        compared = offsets.reshape(-1, numbers).take(side * found.size + order, axis=0)  # [N, k, D]
        if people.mirrored is not None:
            turned, each = np.flatnonzero(side), compared.reshape(-1, numbers)
            each[turned] = people.mirrored(each.take(turned, axis=0))
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
