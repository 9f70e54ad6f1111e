"""The nearest rows against a plain reading of what a person's distance to a row is."""

from __future__ import annotations

import numpy as np
import pytest

import index.search.nearest as module
from index.search.backend import Neighbours
from index.search.mirror_parts import MirrorParts
from index.search.nearest import _smallest, nearest
from pose.embeddings.gravity59 import mirrored, seen
from pose.embeddings.registry import get_embedding
from tests.worlds import person

EMBEDDING = get_embedding("gravity59")


def people(count: int, seed: int, hidden: float = 0.0) -> np.ndarray:
    """Upright people, shaken; a share of their keypoints hidden or half seen."""
    random = np.random.default_rng(seed)
    bodies = np.stack([person(0, 0)] * count)
    bodies[..., :2] += random.normal(0, 40, (count, 17, 2))
    bodies[..., 2] = np.where(random.random((count, 17)) < hidden, random.choice([0.0, 0.3], (count, 17)), 0.9)
    bodies[:, 5, 2] = 0.9
    return EMBEDDING.compute(bodies)


def plain(query: np.ndarray, row: np.ndarray) -> float:
    weight = seen(query[None])[0].astype(np.float64)
    scale = len(query) / (weight**2).sum()
    each = [(weight * (side - query)) ** 2 for side in (row, mirrored(row[None])[0])]
    return float(np.sqrt(scale * min(part.sum() for part in each)))


@pytest.mark.parametrize("exact_rows", [20_000, 0], ids=["all rows", "a short list"])
@pytest.mark.parametrize("hidden", [0.0, 0.3])
def test_a_plain_reading_agrees(exact_rows: int, hidden: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_ROWS", exact_rows)
    rows, queries = people(300, 0, hidden), people(8, 1, hidden)
    neighbours = Neighbours(EMBEDDING.dimension, "cpu")
    neighbours.add(rows)
    # With a short list everything fits into it: 4 × 75 candidates.
    matches = nearest(neighbours, EMBEDDING, queries, 75)
    expected = np.array([[plain(query, row) for row in rows] for query in queries])
    np.testing.assert_allclose(matches.distances, np.sort(expected, axis=1)[:, :75], rtol=1e-6)
    found = np.take_along_axis(expected, matches.entries, axis=1)
    np.testing.assert_allclose(found, matches.distances, rtol=1e-6)
    assert all(len(set(entries)) == 75 for entries in matches.entries.tolist())


def test_rows_find_themselves_and_their_mirror_images() -> None:
    rows = people(50, 0, 0.3)
    neighbours = Neighbours(EMBEDDING.dimension, "cpu")
    neighbours.add(rows)
    for asked in (rows, mirrored(rows)):
        matches = nearest(neighbours, EMBEDDING, asked, 1)
        np.testing.assert_allclose(matches.distances, 0, atol=1e-5)
    apart = nearest(neighbours, EMBEDDING, mirrored(rows), 1, mirror=False)
    assert np.median(apart.distances) > 1


def test_the_distances_among_neighbours_are_those_of_the_sides_compared() -> None:
    rows, (query,) = people(6, 0), people(1, 1)
    neighbours = Neighbours(EMBEDDING.dimension, "cpu")
    neighbours.add(rows)
    matches = nearest(neighbours, EMBEDDING, query[None], 8)
    assert matches.mutual is not None
    sides = []
    for entry in matches.entries[0, :6]:
        both = rows[entry], mirrored(rows[entry][None])[0]
        sides.append(min(both, key=lambda side: float(((side - query) ** 2).sum())))
    expected = ((np.array(sides)[:, None] - sides) ** 2).sum(-1)
    np.testing.assert_allclose(matches.mutual[0, :6, :6], expected, rtol=1e-3, atol=1e-3)
    assert np.isnan(matches.mutual[0, 6:]).all()
    assert matches.entries[0, 6:].tolist() == [-1, -1]


def test_nobody_and_nothing() -> None:
    neighbours = Neighbours(EMBEDDING.dimension, "cpu")
    assert nearest(neighbours, EMBEDDING, people(2, 0), 3).entries.tolist() == [[-1] * 3] * 2
    neighbours.add(people(5, 0))
    nan = np.full((1, EMBEDDING.dimension), np.nan, np.float32)
    assert nearest(neighbours, EMBEDDING, nan, 3).entries.tolist() == [[-1] * 3]
    assert len(nearest(neighbours, EMBEDDING, nan[:0], 3)) == 0


def test_rounding_decides_for_no_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the parts only know that a row and its mirror image lie about as near, both are measured."""
    exact = MirrorParts.compared

    def wrong_where_unsure(self: MirrorParts, queries: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
        middle, lean, noise = exact(self, queries, weights)
        noise = np.full_like(noise, np.median(np.abs(lean)))
        return middle, np.where(np.abs(lean) <= noise[:, None], -lean, lean), noise

    neighbours = Neighbours(EMBEDDING.dimension, "cpu")
    neighbours.add(people(300, 0, 0.3))
    queries = people(8, 1, 0.3)
    expected = nearest(neighbours, EMBEDDING, queries, 32)
    monkeypatch.setattr(MirrorParts, "compared", wrong_where_unsure)
    matches = nearest(neighbours, EMBEDDING, queries, 32)
    np.testing.assert_array_equal(matches.entries, expected.entries)
    np.testing.assert_array_equal(matches.distances, expected.distances)
    np.testing.assert_array_equal(matches.mutual, expected.mutual)


def test_rows_added_later_and_another_mirror_are_compared() -> None:
    rows = people(60, 0)
    for mirror in (True, False):
        neighbours = Neighbours(EMBEDDING.dimension, "cpu")
        for part in (rows[:30], rows[30:]):
            neighbours.add(part)
            matches = nearest(neighbours, EMBEDDING, part, 1, mirror=mirror)
            np.testing.assert_allclose(matches.distances, 0, atol=1e-5)
        for other in (True, False):
            turned = nearest(neighbours, EMBEDDING, mirrored(rows), 1, mirror=other)
            assert (turned.distances < 1e-4).all() == other


@pytest.mark.parametrize("exact_rows", [20_000, 0], ids=["all rows", "a short list"])
@pytest.mark.parametrize("mirror", [True, False])
def test_fewer_rows_than_asked_for(mirror: bool, exact_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_ROWS", exact_rows)
    neighbours = Neighbours(EMBEDDING.dimension, "cpu")
    neighbours.add(people(5, 0))
    matches = nearest(neighbours, EMBEDDING, people(3, 1, 0.2), 8, mirror=mirror)
    assert matches.mutual is not None
    assert [sorted(line) for line in matches.entries[:, :5].tolist()] == [[0, 1, 2, 3, 4]] * 3
    assert np.isfinite(matches.distances[:, :5]).all()
    assert np.isfinite(matches.mutual[:, :5, :5]).all()
    assert (matches.entries[:, 5:] == -1).all()
    assert np.isnan(matches.distances[:, 5:]).all()
    assert np.isnan(matches.mutual[:, 5:]).all()
    assert np.isnan(matches.mutual[:, :, 5:]).all()


def test_the_smallest_are_found_with_ties_and_nan() -> None:
    random = np.random.default_rng(0)
    nan = float("nan")
    for values in (
        random.random((20, 100)),
        random.integers(0, 5, (20, 100)),
        [[3, 1, 2, 1, 1, 0], [5, 4, 3, 2, 1, 0], [7] * 6],
        [[nan, 2, nan, 1, 0, 3], [nan] * 6, [nan, 1, nan, nan, nan, nan]],
        [[nan] * 6, [7] * 6],
    ):
        array = np.array(values, np.float32)
        for k in (1, 2, 3, 5, 6, 200):
            places = _smallest(array, k)
            assert places.shape == (len(array), min(k, array.shape[1]))
            assert (places // array.shape[1] == np.arange(len(array))[:, None]).all()
            assert all(len(set(line)) == places.shape[1] for line in places.tolist())
            np.testing.assert_array_equal(np.sort(array.take(places), axis=1), np.sort(array, axis=1)[:, :k])
