"""`gravity59` in small worlds: what must not change it, and what must."""

from __future__ import annotations

import numpy as np
import pytest

from pose.embeddings.gravity59 import gravity59, mirrored, seen
from pose.embeddings.registry import get_embedding
from pose.keypoints import FLIP
from pose.keypoints import Keypoint as K
from tests.worlds import person, poses

LEGS = [K.LEFT_HIP, K.RIGHT_HIP, K.LEFT_KNEE, K.RIGHT_KNEE, K.LEFT_ANKLE, K.RIGHT_ANKLE]


def crowd() -> np.ndarray:
    random = np.random.default_rng(0)
    people = np.stack([person(300, 100)] * 50)
    people[..., :2] += random.normal(0, 20, (50, 17, 2))
    people[..., 2] = random.random((50, 17))
    people[:, K.LEFT_SHOULDER, 2] = 0.9
    return people


@pytest.mark.parametrize("change", [(1, 300, -70), (4, 0, 0), (0.25, 10, 20)], ids=["moved", "larger", "smaller"])
def test_moving_and_scaling_change_nothing(change: tuple[float, float, float]) -> None:
    people, changed = crowd(), crowd()
    changed[..., :2] = changed[..., :2] * change[0] + change[1:]
    np.testing.assert_allclose(gravity59(changed), gravity59(people), atol=2e-3)


def test_the_mirror_image_is_made_from_the_row() -> None:
    people = crowd()
    images = (people * [-1, 1, 1])[:, list(FLIP)]
    np.testing.assert_allclose(mirrored(gravity59(people)), gravity59(images), atol=1e-5)
    np.testing.assert_allclose(mirrored(mirrored(gravity59(people))), gravity59(people))


def test_lying_is_far_from_standing() -> None:
    standing = person(0, 0)
    lying = standing.copy()
    lying[:, :2] = standing[:, [1, 0]] * [1, -1]
    bowed = standing.copy()
    bowed[[K.LEFT_WRIST, K.RIGHT_WRIST], 0] += 20
    rows = gravity59(np.stack([standing, lying, bowed]))
    assert np.linalg.norm(rows[1] - rows[0]) > 5 * np.linalg.norm(rows[2] - rows[0])
    np.testing.assert_allclose(
        get_embedding("nose25").compute(lying[None]), get_embedding("nose25").compute(standing[None]), atol=1e-5
    )


def test_what_is_hidden_does_not_count_wherever_it_is_said_to_be() -> None:
    body, other = person(0, 0), person(0, 0)
    body[LEGS, 2] = other[LEGS, 2] = 0.1
    other[LEGS, :2] = 1e4
    np.testing.assert_array_equal(gravity59(body[None]), gravity59(other[None]))
    other[LEGS, :2] = np.nan
    np.testing.assert_array_equal(gravity59(body[None]), gravity59(other[None]))
    whole, half = gravity59(person(0, 0)[None]), gravity59(body[None])
    counted = seen(half)[0] > 0
    assert 20 < counted.sum() < 59
    np.testing.assert_allclose(half[0, :46][counted[:46]], whole[0, :46][counted[:46]], atol=0.3)
    assert (half[0, :46][~counted[:46]] == 0).all()
    assert (seen(whole) == 1).all()


def test_that_a_point_is_hidden_counts_a_fifth() -> None:
    body = person(0, 0)
    body[LEGS, 2] = 0.1
    points = seen(gravity59(body[None]))[0, 46:]  # head, shoulders, elbows, wrists, hips, knees, ankles
    np.testing.assert_allclose(points[:7], 1)
    np.testing.assert_allclose(points[-4:], 0.2, atol=1e-6)
    body[LEGS, 2] = 0.35  # half-way between not seen and seen
    np.testing.assert_allclose(seen(gravity59(body[None]))[0, -4:], 0.6, atol=1e-6)


def test_a_shoulder_is_needed_and_one_is_enough() -> None:
    body = person(0, 0)
    body[K.LEFT_SHOULDER, 2] = 0.0
    assert np.isfinite(gravity59(body[None])).all()
    body[K.RIGHT_SHOULDER, 2] = 0.0
    assert np.isnan(gravity59(body[None])).all()
    assert np.isnan(gravity59(np.zeros((1, 17, 3)))).all()
    heap = person(0, 0)
    heap[:, :2] = 5
    assert np.isnan(gravity59(heap[None])).all()
    assert gravity59(np.zeros((0, 17, 3))).shape == (0, 59)
    assert gravity59(person(0, 0)[None]).dtype == np.float32


def test_it_is_registered() -> None:
    embedding = get_embedding("gravity59")
    assert (embedding.dimension, embedding.version) == (59, 1)
    assert embedding(poses(person(100, 100), person(300, 100))).shape == (2, 59)
    assert embedding(poses()).shape == (0, 59)
