"""The nearest rows as a person sees them: in a mirror too, and on the part of the person that is seen."""

from __future__ import annotations

from collections.abc import Callable
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
        return Matches(entries, distances, _mutual(_rows(neighbours, entries), entries) if mutual else None)
    people = len(queries)
    entries = np.full((people, k), -1, np.int64)
    distances = np.full((people, k), np.nan, np.float32)
    among = np.full((people, k, k) if mutual else (people, 0, 0), np.nan, np.float32)
    whole = np.isfinite(queries).all(axis=1)
    weights = np.ones_like(queries) if embedding.seen is None else embedding.seen(queries)
    if len(neighbours) <= EXACT_ROWS:
        groups = [(whole, 1)]
    else:
        in_part = whole & (weights < FULLY_SEEN).any(axis=1)
        groups = [(whole & ~in_part, 1), (in_part, SHORTLIST)]
    for asked, factor in groups:
        if asked.any():
            if len(neighbours) <= EXACT_ROWS:
                found = _nearest_of_all(neighbours, queries[asked], weights[asked], k, mirrored)
            else:
                found = _shortlist(neighbours, queries[asked], factor * k, mirrored)
            places = np.flatnonzero(asked)
            entries[places], distances[places], vectors = _measured(
                neighbours, queries[asked], weights[asked], found, k, mirrored
            )
            if mutual:
                scale = _as_if_all_seen(weights[asked])[:, None, None]
                among[places] = _mutual(vectors, entries[places]) * scale
    return Matches(entries, distances, among if mutual else None)


def _nearest_of_all(
    neighbours: Neighbours,
    queries: NDArray[np.float32],
    weights: NDArray[np.float32],
    k: int,
    mirrored: Mirror | None,
) -> NDArray[np.int64]:
    """The `k` nearest of all rows `[N, k or fewer]`, in any order.

    Σ w² (x − q)² = Σ w² x² − 2 Σ w² q x + Σ w² q² is one product of matrices for all people and rows; the mirror
    image of x against q is x against the mirror image of q.
    """
    squared_weights = weights**2
    weighted = -2 * squared_weights * queries
    asked = np.concatenate((squared_weights, weighted), axis=1)
    if mirrored is not None:
        asked = np.concatenate((asked, np.concatenate((np.abs(mirrored(squared_weights)), mirrored(weighted)), axis=1)))
    squared = asked @ neighbours.squares_and_values().T  # [N or 2 N, R]
    if mirrored is not None:
        squared = np.minimum(squared[: len(queries)], squared[len(queries) :])
    if k >= squared.shape[1]:
        return np.broadcast_to(np.arange(squared.shape[1]), squared.shape)
    return np.argpartition(squared, k - 1, axis=1)[:, :k]


def _shortlist(
    neighbours: Neighbours, queries: NDArray[np.float32], count: int, mirrored: Mirror | None
) -> NDArray[np.int64]:
    """`[N, C]`: the `count` nearest rows of every query and of its mirror image, each once; −1 fills up."""
    if mirrored is None:
        return neighbours.search(queries, count)[0]
    people = len(queries)
    both, _ = neighbours.search(np.concatenate((queries, mirrored(queries))), count)
    found = np.sort(np.concatenate((both[:people], both[people:]), axis=1), axis=1)
    found[:, 1:][found[:, 1:] == found[:, :-1]] = -1
    return found


def _measured(
    neighbours: Neighbours,
    queries: NDArray[np.float32],
    weights: NDArray[np.float32],
    found: NDArray[np.int64],
    k: int,
    mirrored: Mirror | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """The best `k` of the candidates `[N, C]`: entries and distances `[N, k]`, and the rows as compared `[N, k, D]`."""
    people, dimension = queries.shape
    rows = _rows(neighbours, found)  # [N, C, D]
    plain = rows * weights[:, None]
    compared = queries * weights
    squared = _squared(plain, compared)
    if mirrored is not None:
        turned = mirrored(rows.reshape(-1, dimension)).reshape(rows.shape) * weights[:, None]
        squared_turned = _squared(turned, compared)
        nearer = squared_turned < squared
        squared = np.where(nearer, squared_turned, squared)
    squared = np.where(found >= 0, squared * _as_if_all_seen(weights)[:, None], np.inf)
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]  # [N, k or fewer]
    best = np.take_along_axis(squared, order, axis=1)
    person = np.arange(people)[:, None]
    vectors = plain[person, order]
    if mirrored is not None:
        vectors = np.where(nearer[person, order][..., None], turned[person, order], vectors)
    entries = np.where(np.isfinite(best), np.take_along_axis(found, order, axis=1), -1)
    distances = np.where(np.isfinite(best), np.sqrt(best), np.nan)
    missing = k - order.shape[1]
    if missing > 0:
        entries = np.pad(entries, ((0, 0), (0, missing)), constant_values=-1)
        distances = np.pad(distances, ((0, 0), (0, missing)), constant_values=np.nan)
        vectors = np.pad(vectors, ((0, 0), (0, missing), (0, 0)))
    return entries, distances.astype(np.float32), vectors


def _as_if_all_seen(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a squared distance over the part that is seen is multiplied by, `[N]`."""
    scale: NDArray[np.float32] = weights.shape[1] / (weights**2).sum(axis=1)
    return scale


def _rows(neighbours: Neighbours, entries: NDArray[np.int64]) -> NDArray[np.float32]:
    """The rows at `entries`, `[N, C, D]`; anything where an entry is −1."""
    if len(neighbours) == 0:
        return np.zeros((*entries.shape, neighbours.dimension), np.float32)
    return neighbours.vectors()[entries]


def _squared(rows: NDArray[np.float32], queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Squared distances `[N, C]` from every query to its candidates."""
    difference = rows - queries[:, None]
    return np.einsum("ncd,ncd->nc", difference, difference)


def _mutual(vectors: NDArray[np.float32], entries: NDArray[np.int64]) -> NDArray[np.float32]:
    """Squared distances between every person's neighbours, `[N, k, k]`; NaN where there is none."""
    length = np.einsum("nkd,nkd->nk", vectors, vectors)
    squared = length[:, :, None] + length[:, None, :] - 2 * vectors @ vectors.swapaxes(1, 2)
    there = entries >= 0
    return np.where(there[:, :, None] & there[:, None, :], squared.clip(min=0), np.float32(np.nan))
