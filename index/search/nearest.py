"""The nearest rows as a person sees them: in a mirror too, and on the part of the person that is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.search.backend import Neighbours
from index.search.matches import Matches
from index.search.mirror_parts import Mirror
from pose.embeddings.registry import Embedding

__all__ = ["nearest"]

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
    rows = len(neighbours)
    if rows == 0 or len(queries) == 0:
        return _joined(len(queries), k, mutual, [])
    mirrored = embedding.mirrored if mirror else None
    if mirrored is None and embedding.seen is None:
        entries, distances = neighbours.search(queries, k)
        if not mutual:
            return Matches(entries, distances)
        offsets = neighbours.vectors().take(entries, axis=0) - queries[:, None]
        offsets[entries < 0] = np.nan
        return Matches(entries, distances, _mutual(offsets))
    weights = np.ones_like(queries) if embedding.seen is None else embedding.seen(queries)
    whole = np.isfinite(queries).all(axis=1)
    if rows <= EXACT_ROWS:
        groups = [(whole, 1)]
    else:
        in_part = whole & (weights < FULLY_SEEN).any(axis=1)
        groups = [(whole & ~in_part, 1), (in_part, SHORTLIST)]
    parts: list[tuple[NDArray[np.intp] | slice, Matches]] = []
    for asked, factor in groups:
        everybody = bool(asked.all())
        if everybody or asked.any():
            who = slice(None) if everybody else np.flatnonzero(asked)
            people = _People(queries[who], weights[who], mirrored)
            if rows <= EXACT_ROWS:
                found = _nearest_of_all(neighbours, people, k)
            else:
                found = _nearest_of_some(neighbours, people, k, factor * k)
            part = _measured(people, *found, k, mutual)
            if everybody:
                return part
            parts.append((who, part))
    return _joined(len(queries), k, mutual, parts)


@dataclass(frozen=True, slots=True)
class _People:
    """N people.

    Attributes:
        queries: float32 `[N, D]`.
        weights: how well each number is seen, float32 `[N, D]`.
        mirrored: turns rows to those of their mirror images; None where these do not count.
    """

    queries: NDArray[np.float32]
    weights: NDArray[np.float32]
    mirrored: Mirror | None

    def sides(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Queries and weights of the people as they are and, where mirror images count, as in a mirror: a row's mirror
        image is as far from a person as the row is from the person's mirror image."""
        as_they_are = self.queries, self.weights
        if self.mirrored is None:
            return [as_they_are]
        return [as_they_are, (self.mirrored(self.queries), np.abs(self.mirrored(self.weights)))]


def _nearest_of_all(neighbours: Neighbours, people: _People, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The `k` nearest of all rows in any order: their numbers `[N, k or fewer]`, and each as it is or as in a mirror,
    whichever is nearer, `[N, k or fewer, D]`."""
    parts = neighbours.mirror_parts(people.mirrored)
    middle, lean, noise = parts.compared(people.queries, people.weights)
    nearer = np.abs(lean)
    np.subtract(middle, nearer, out=nearer)
    places = _smallest(nearer, k)
    rows = nearer.shape[1]
    found, lean = places % rows, lean.take(places)
    if people.mirrored is not None:
        person, place = np.nonzero(np.abs(lean) <= noise[:, None])
        if len(person):  # as near on either side, as far as the product tells
            close = neighbours.vectors().take(found[person, place], axis=0)
            one, other = (_squared(close, queries[person], weights[person]) for queries, weights in people.sides())
            lean[person, place] = one - other
    return found, parts.sides.take(found + rows * (lean > 0), axis=0)


def _smallest(values: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Where in N × R the `k` smallest of each of N rows are, `[N, k or fewer]`, in any order."""
    people, rows = values.shape
    if k >= rows:
        return np.arange(people * rows).reshape(people, rows)
    # Numbers without their places take half the time: 20 people in 2,000 rows 0.07 ms, with `argpartition` 0.14.
    edge = np.partition(values, k - 1, axis=1)[:, k - 1 : k]
    places = np.flatnonzero(~(values > edge))  # NaN counts: `k` or more of each
    if len(places) == people * k:
        return places.reshape(people, k)
    return values.argpartition(k - 1, axis=1)[:, :k] + np.arange(0, values.size, rows)[:, None]


def _nearest_of_some(
    neighbours: Neighbours, people: _People, k: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """As `_nearest_of_all`, from the `count` rows that FAISS finds for every person and for the mirror image; −1 fills
    up."""
    sides = people.sides()
    found = neighbours.candidates(np.concatenate([queries for queries, _ in sides]), count)
    found = np.concatenate(np.split(found, len(sides)), axis=1)  # [N, C]
    if len(sides) == 2:
        found.sort(axis=1)
        found[:, 1:][found[:, 1:] == found[:, :-1]] = -1
    rows = neighbours.vectors().take(found, axis=0)  # [N, C, D]; anything where an entry is −1
    squared = np.array([_squared(rows, queries[:, None], weights[:, None]) for queries, weights in sides])
    nearer = np.where(found < 0, np.inf, squared.min(axis=0))
    chosen = nearer.argpartition(min(k, found.shape[1]) - 1)[:, :k]
    chosen += np.arange(0, found.size, found.shape[1])[:, None]
    each = rows.reshape(-1, rows.shape[2]).take(chosen.ravel(), axis=0)
    if people.mirrored is not None:
        turned = np.flatnonzero(squared.argmin(axis=0).take(chosen))
        each[turned] = people.mirrored(each.take(turned, axis=0))
    found = found.take(chosen)
    each[found.ravel() < 0] = np.nan
    return found, each.reshape(*found.shape, -1)


def _squared(
    rows: NDArray[np.float32], queries: NDArray[np.float32], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Squared distances `[...]` from people to rows `[..., D]`, over what is seen."""
    offsets = rows - queries
    offsets *= weights
    squared: NDArray[np.float32] = np.einsum("...d,...d->...", offsets, offsets)
    return squared


def _measured(people: _People, found: NDArray[np.int64], rows: NDArray[np.float32], k: int, mutual: bool) -> Matches:
    """`k` neighbours in order, of the rows `[N, k or fewer, D]` with the numbers `found`."""
    # As if all were seen: a distance over a part is scaled to the full number of dimensions.
    part_seen = np.einsum("nd,nd->n", people.weights, people.weights) / rows.shape[2]
    offsets = rows - people.queries[:, None]  # [N, C, D]
    offsets *= (people.weights / np.sqrt(part_seen)[:, None])[:, None]
    squared = np.einsum("ncd,ncd->nc", offsets, offsets)
    order = squared.argsort(axis=1, kind="stable")  # NaN last
    order += np.arange(0, found.size, found.shape[1])[:, None]  # places in [N × C], as `take` is quick
    entries, distances = found.take(order), np.sqrt(squared.take(order))
    among = _mutual(offsets.reshape(-1, offsets.shape[2]).take(order, axis=0)) if mutual else None
    lacking = (0, k - order.shape[1])
    if lacking[1] > 0:
        entries = np.pad(entries, ((0, 0), lacking), constant_values=-1)
        distances = np.pad(distances, ((0, 0), lacking), constant_values=np.nan)
        among = None if among is None else np.pad(among, ((0, 0), lacking, lacking), constant_values=np.nan)
    return Matches(entries, distances, among)


def _joined(people: int, k: int, mutual: bool, parts: list[tuple[NDArray[np.intp] | slice, Matches]]) -> Matches:
    """One answer from those for groups of the people, which say where they stand; the others have no neighbours."""
    entries = np.full((people, k), -1, np.int64)
    distances = np.full((people, k), np.nan, np.float32)
    among = np.full((people, k, k), np.nan, np.float32) if mutual else None
    for places, part in parts:
        entries[places], distances[places] = part.entries, part.distances
        if among is not None and part.mutual is not None:
            among[places] = part.mutual
    return Matches(entries, distances, among)


def _mutual(offsets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Squared distances between every person's neighbours, `[N, k, k]`.

    From their offsets from the person `[N, k, D]`, which are short: fewer digits cancel than between rows. NaN where
    these are.
    """
    product = offsets @ offsets.swapaxes(1, 2)
    length = np.einsum("nkk->nk", product)
    squared = length[:, :, None] + length[:, None, :]
    product *= 2
    squared -= product
    return np.maximum(squared, 0, out=squared)
