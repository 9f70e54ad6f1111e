"""What a database says about distances in it, in worlds where it can be worked out."""

from __future__ import annotations

import numpy as np
import pytest

from index.search.backend import Neighbours
from index.search.calibration import Calibration, calibrate
from pose.embeddings.registry import Embedding, get_embedding
from tests.worlds import person


def of(rows: np.ndarray) -> Calibration:
    neighbours = Neighbours(rows.shape[1], "cpu")
    neighbours.add(rows.astype(np.float32))
    plain = Embedding("plain", rows.shape[1], 1, lambda keypoints: keypoints.reshape(len(keypoints), -1))
    return calibrate(neighbours, plain, np.zeros(len(rows), np.int64))


def line(*places: float) -> np.ndarray:
    return np.array(places)[:, None] * [1.0, 0.0]


def test_evenly_spaced_rows() -> None:
    places = np.arange(200)
    apart = np.sort(np.abs(places[:, None] - places), axis=1)[:, 1:]
    assert of(line(*places)).radius == pytest.approx(1.2 * np.percentile(apart[:, 2], 98))
    assert of(line(*places)).bandwidth == pytest.approx(0.85 * np.median(apart[:, 9]))


def test_copies_change_nothing() -> None:
    once = of(np.repeat(line(*range(60)), 2, axis=0))
    assert of(np.repeat(line(*range(60)), 4, axis=0)).bandwidth is not None
    assert once.radius is not None
    assert once.radius >= 1.2  # the nearest other place is 1 away, whatever the copies


def test_too_few_rows_to_say() -> None:
    assert of(line(*range(9))).radius is None
    assert of(line(*range(9))).bandwidth == pytest.approx(0.85)
    assert of(line(*range(10))).radius is not None
    assert of(np.repeat(line(0, 1, 2), 4, axis=0)).radius is None
    assert of(np.repeat(line(0), 4, axis=0)).bandwidth is None
    assert of(np.zeros((0, 2))) == Calibration()


def test_a_sample_stands_for_a_large_database() -> None:
    rows = np.random.default_rng(0).random((6000, 5))
    neighbours = Neighbours(5, "cpu")
    neighbours.add(rows.astype(np.float32))
    _, distances = neighbours.search(rows.astype(np.float32), 6)
    assert of(rows).radius == pytest.approx(1.2 * np.percentile(distances[:, 3], 98), rel=0.03)


@pytest.mark.parametrize("sides", [1, 2])
def test_left_and_right_are_told_apart_where_the_labels_do(sides: int) -> None:
    """Twelve people lean left and twelve right: one class is mirrored, two classes are not."""
    random, leaning = np.random.default_rng(0), []
    for side in (-1, 1):
        for _ in range(12):
            body = person(0, 0)
            body[:, 0] += side * 0.4 * (200 - body[:, 1]) + random.normal(0, 2, 17)
            leaning.append(body)
    embedding = get_embedding("gravity59")
    neighbours = Neighbours(embedding.dimension, "cpu")
    neighbours.add(embedding.compute(np.array(leaning)))
    codes = np.repeat([0, sides - 1], 12)
    assert calibrate(neighbours, embedding, codes).mirror == (sides == 1)
