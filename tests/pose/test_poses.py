"""`Poses`: shapes checked at birth, nothing changes afterwards."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pose.poses import Poses
from tests.worlds import person, poses


@pytest.fixture
def three() -> Poses:
    """A small sure person, a large unsure one, a large sure one."""
    return poses(person(100, 50, 60), person(300, 50, 310), person(600, 50, 300), scores=(0.9, 0.5, 0.8))


def test_float32_and_read_only(three: Poses) -> None:
    people = Poses(np.zeros((2, 17, 3)), [[0, 0, 1, 1]] * 2, (0.5, 0.25))  # type: ignore[arg-type]
    for name, shape in (("keypoints", (2, 17, 3)), ("boxes", (2, 4)), ("scores", (2,))):
        array = getattr(people, name)
        assert array.dtype == np.float32
        assert array.shape == shape
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        people.scores = np.zeros(2)  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        people.label = "standing"  # type: ignore[attr-defined]


def test_the_maker_keeps_a_writable_array() -> None:
    scores = np.ones(1, np.float32)
    Poses(np.zeros((1, 17, 3), np.float32), np.zeros((1, 4), np.float32), scores)
    scores[0] = 0.5


def test_arrays_of_other_people_are_shared(three: Poses) -> None:
    again = Poses(three.keypoints + 1, three.boxes, three.scores)
    assert again.boxes is three.boxes
    assert again.scores is three.scores
    assert not again.keypoints.flags.writeable


@pytest.mark.parametrize(
    ("keypoints", "boxes", "scores", "words"),
    [
        ((2, 17, 2), (2, 4), (2,), r"keypoints has shape \(2, 17, 2\), expected \(2, 17, 3\)"),
        ((2, 16, 3), (2, 4), (2,), "keypoints has shape"),
        ((3, 17, 3), (2, 4), (2,), "keypoints has shape"),
        ((2, 17, 3), (2, 5), (2,), r"boxes has shape \(2, 5\), expected \(2, 4\)"),
        ((2, 17, 3), (1, 4), (2,), "boxes has shape"),
        ((17, 3), (4,), (), r"expected \(N, 17, 3\)"),
        ((0, 6), (0, 4), (0,), "keypoints has shape"),  # what the reference gives for nobody
        ((2, 17, 3), (2, 4), (2, 1), r"expected \(N, 17, 3\)"),
    ],
)
def test_wrong_shapes(keypoints: tuple, boxes: tuple, scores: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Poses(np.zeros(keypoints), np.zeros(boxes), np.zeros(scores))


def test_nobody_is_a_shape() -> None:
    nobody = Poses.empty()
    assert len(nobody) == 0
    assert nobody.keypoints.shape == (0, 17, 3)
    assert nobody.by_prominence().tolist() == []
    for rows in ([], np.array([], bool), slice(None)):
        assert nobody.select(rows).boxes.shape == (0, 4)
    assert repr(nobody) == "Poses(people=0, keypoints=[0, 17, 3])"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([2, 0], [2, 0]),
        (np.array([True, False, True]), [0, 2]),
        ([False, False, False], []),
        (slice(1, None), [1, 2]),
        ([], []),
        ([1, 1], [1, 1]),
    ],
)
def test_select(three: Poses, rows: object, expected: list[int]) -> None:
    selected = three.select(rows)  # type: ignore[arg-type]
    assert len(selected) == len(expected)
    np.testing.assert_array_equal(selected.scores, three.scores[expected])
    np.testing.assert_array_equal(selected.keypoints, three.keypoints[expected])
    np.testing.assert_array_equal(selected.boxes, three.boxes[expected])


def test_prominence_is_area_times_score(three: Poses) -> None:
    assert three.by_prominence().tolist() == [2, 1, 0]


def test_equally_prominent_people_keep_their_order() -> None:
    twins = poses(person(100, 50), person(400, 50), scores=(0.5, 0.5))
    assert twins.by_prominence().tolist() == [0, 1]
    inside_out = Poses(np.zeros((2, 17, 3)), [[9, 9, 0, 0], [0, 0, 1, 1]], [0.9, 0.1])  # type: ignore[arg-type]
    assert inside_out.by_prominence().tolist() == [1, 0]


def test_concatenated_people_come_picture_by_picture(three: Poses) -> None:
    both = Poses.concatenate([three.select([2]), Poses.empty(), three])
    np.testing.assert_array_equal(both.keypoints, three.keypoints[[2, 0, 1, 2]])
    np.testing.assert_array_equal(both.boxes, three.boxes[[2, 0, 1, 2]])
    np.testing.assert_array_equal(both.scores, three.scores[[2, 0, 1, 2]])
    assert Poses.concatenate([three]) is three
