"""The weights of the vote, where they can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from index import Matches
from index.classification import vote
from index.search.ridge_weights import ridge_weights


def line(query: float, *places: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances and squared mutual distances of neighbours on a line, nearest first."""
    rows = np.array(sorted(places, key=lambda place: abs(place - query)))
    return np.abs(rows - query)[None], (rows[:, None] - rows)[None] ** 2


def test_one_neighbour() -> None:
    assert ridge_weights(*line(0, 0.001), 1.0)[0, 0] == pytest.approx(1 / 1.3, abs=1e-3)
    assert ridge_weights(*line(0, 50.0), 1.0)[0, 0] == pytest.approx(0, abs=1e-6)


def test_two_neighbours_by_hand() -> None:
    distances, mutual = line(0, 1.0, -2.0)
    h = 1.5  # smaller than 0.85 times the distance to the last one
    k = np.exp(-0.5 * np.array([1.0, 4.0]) / h**2)
    alike = np.array([[1.3, np.exp(-0.5 * 9 / h**2)], [np.exp(-0.5 * 9 / h**2), 1.3]])
    np.testing.assert_allclose(ridge_weights(distances, mutual, h)[0], np.linalg.solve(alike, k))


def test_copies_share_one_vote() -> None:
    """Six frames of one scene at 1.0 against two different pictures at 1.0 on the other side."""
    distances, mutual = line(0, *[1.0] * 6, -0.9, -1.1)
    codes = np.array([1 if place < 0 else 0 for place in sorted([1.0] * 6 + [-0.9, -1.1], key=abs)])
    weights = ridge_weights(distances, mutual, 1.0)[0]
    copies, others = weights[codes == 0].sum(), weights[codes == 1].sum()
    assert copies < 1.3 * others  # by distance alone it would be three to one


def test_missing_neighbours_weigh_nothing() -> None:
    distances, mutual = line(0, 1.0, -2.0)
    padded = np.full((1, 4), np.nan), np.full((1, 4, 4), np.nan)
    padded[0][:, :2], padded[1][:, :2, :2] = distances, mutual
    weights = ridge_weights(*padded, 1.0)
    np.testing.assert_allclose(weights[0, :2], ridge_weights(distances, mutual, 1.0)[0])
    assert weights[0, 2:].tolist() == [0, 0]
    assert ridge_weights(np.zeros((2, 0)), np.zeros((2, 0, 0)), 1.0).shape == (2, 0)


def test_far_from_everything_all_labels_are_as_likely() -> None:
    distances, mutual = line(0, 1.0, 1.5, -2.0)
    matches = Matches(np.array([[0, 1, 2]]), distances.astype(np.float32) + 100, mutual.astype(np.float32))
    (classification,) = vote(matches, np.array([0, 0, 1]), ("standing", "sitting"), bandwidth=1.0)
    assert [part for _, part in classification.probabilities] == pytest.approx([0.5, 0.5])
    assert classification.reason == "no majority"


def test_probabilities_add_up_to_one() -> None:
    random = np.random.default_rng(0)
    rows, queries = random.random((40, 3)), random.random((5, 3))
    distances = np.linalg.norm(queries[:, None] - rows, axis=-1)
    order = np.argsort(distances, axis=1)
    mutual = ((rows[order][:, :, None] - rows[order][:, None]) ** 2).sum(-1)
    matches = Matches(order, np.take_along_axis(distances, order, 1), mutual)
    for classification in vote(matches, random.integers(0, 4, 40), tuple("abcd"), bandwidth=0.3):
        parts = [part for _, part in classification.probabilities]
        assert sum(parts) == pytest.approx(1)
        assert parts == sorted(parts, reverse=True)
        assert classification.probability == pytest.approx(parts[0])
        assert len(classification.entries) == 5
