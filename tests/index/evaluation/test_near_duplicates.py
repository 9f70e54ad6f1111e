"""Near-duplicates: one person moved, scaled, mirrored and jittered is the same; another person is not."""

from __future__ import annotations

import numpy as np
import pytest

from index import Examples
from index.evaluation.near_duplicates import NEAR_DUPLICATE_DISTANCE, families, near_duplicates_between
from pose.keypoints import FLIP

PEOPLE = np.random.default_rng(0).normal(200, 60, (4, 17, 3)).astype(np.float32)


def of(keypoints: np.ndarray, names: str) -> Examples:
    """Origins of people with these keypoints, one letter of `names` each as the picture's content."""
    count = len(keypoints)
    return Examples(
        tuple(f"{name}.jpg" for name in names),
        tuple(names),
        np.zeros(count, np.int32),
        np.asarray(keypoints, np.float32),
        np.zeros((count, 4), np.float32),
        np.zeros((count, 2), np.int32),
    )


def moved(person: np.ndarray, scale: float = 0.5, mirror: bool = False, noise: float = 0.0) -> np.ndarray:
    person = person[list(FLIP)] * [-1, 1, 1] if mirror else person
    jitter = np.random.default_rng(1).normal(0, 1, (17, 2))
    spread = np.sqrt(((person[:, :2] - person[:, :2].mean(0)) ** 2).sum(1).mean())
    person = person.copy()
    person[:, :2] += jitter / np.sqrt((jitter**2).sum(1).mean()) * noise * spread
    person[:, :2] = person[:, :2] * scale + [30, -7]
    return person


@pytest.mark.parametrize("mirror", [False, True])
def test_the_same_person_in_another_picture(mirror: bool) -> None:
    asked = of(np.stack([moved(PEOPLE[2], mirror=mirror), moved(PEOPLE[1], mirror=mirror, noise=0.05)]), "xy")
    assert near_duplicates_between(asked, of(PEOPLE, "abcd")).tolist() == [2, -1]


def test_how_much_alike() -> None:
    for noise, near_duplicate in ((0.6 * NEAR_DUPLICATE_DISTANCE, 0), (1.6 * NEAR_DUPLICATE_DISTANCE, -1)):
        assert near_duplicates_between(of(moved(PEOPLE[0], noise=noise)[None], "x"), of(PEOPLE, "abcd")).tolist() == [
            near_duplicate
        ]


def test_the_same_file() -> None:
    unlike = np.random.default_rng(5).normal(0, 50, (2, 17, 3))
    assert near_duplicates_between(of(unlike, "xc"), of(PEOPLE, "abcd")).tolist() == [-1, 2]


def test_unknown_origins_have_no_near_duplicates() -> None:
    assert near_duplicates_between(Examples.unknown(2), Examples.unknown(3)).tolist() == [-1, -1]
    assert families(Examples.unknown(3)).tolist() == [0, 1, 2]
    assert near_duplicates_between(Examples.unknown(0), of(PEOPLE, "abcd")).tolist() == []


def test_within_one_database_a_row_is_not_its_own_near_duplicate() -> None:
    everybody = of(np.stack([*PEOPLE, moved(PEOPLE[3])]), "abcde")
    assert near_duplicates_between(everybody, everybody, np.arange(5)).tolist() == [-1, -1, -1, 4, 3]
    same_picture = of(np.stack([*PEOPLE, moved(PEOPLE[3])]), "abcdd")
    assert near_duplicates_between(same_picture, same_picture, np.arange(5)).tolist() == [-1] * 5


def test_families_hold_by_way_of_a_third() -> None:
    step = 0.7 * NEAR_DUPLICATE_DISTANCE
    once = moved(PEOPLE[0], 1.0, noise=step)
    twice = once.copy()
    twice[:, :2] += once[:, :2] - PEOPLE[0, :, :2] - [30, -7]
    everybody = of(np.stack([PEOPLE[1], PEOPLE[0], once, twice, PEOPLE[2]]), "abcdb")
    assert near_duplicates_between(of(twice[None], "x"), of(PEOPLE[:1], "y")).tolist() == [-1]
    assert families(everybody).tolist() == [0, 1, 1, 1, 1]
