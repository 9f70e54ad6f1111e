"""The rejection radius, in worlds where it can be worked out."""

from __future__ import annotations

import numpy as np
import pytest

from index.backend import Neighbours
from index.radius import rejection_radius


def of(rows: np.ndarray) -> float | None:
    neighbours = Neighbours(rows.shape[1], "cpu")
    neighbours.add(rows.astype(np.float32))
    return rejection_radius(neighbours)


def line(*places: float) -> np.ndarray:
    return np.array(places)[:, None] * [1.0, 0.0]


def test_evenly_spaced_rows() -> None:
    assert of(line(*range(20))) == pytest.approx(1.5)


def test_it_is_a_percentile_of_the_nearest_distances() -> None:
    places = [*range(100), 200]
    nearest = [1.0] * 100 + [101.0]
    assert of(line(*places)) == pytest.approx(1.5 * np.percentile(nearest, 95))


def test_copies_do_not_shrink_it() -> None:
    assert of(np.repeat(line(*range(20)), 4, axis=0)) == pytest.approx(1.5)


def test_too_few_rows_to_say() -> None:
    assert of(line(*range(9))) is None
    assert of(line(*range(10))) == pytest.approx(1.5)
    assert of(np.repeat(line(0, 1, 2), 30, axis=0)) is None
    assert of(np.repeat(line(0, 1, 2), 4, axis=0)) is None
    assert of(np.zeros((0, 2))) is None


def test_a_sample_stands_for_a_large_database() -> None:
    rows = np.random.default_rng(0).random((6000, 5))
    neighbours = Neighbours(5, "cpu")
    neighbours.add(rows.astype(np.float32))
    _, distances = neighbours.search(rows.astype(np.float32), 2)
    assert of(rows) == pytest.approx(1.5 * np.percentile(distances[:, 1], 95), rel=0.03)
