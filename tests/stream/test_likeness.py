"""How alike two people are: by place, by size, by keypoints, and how far that reaches."""

import numpy as np
import pytest

from pose.poses import Poses
from stream.likeness import Overlaps, keypoint_similarity, likeness
from tests.worlds import person, poses


def alike(a: Poses, b: Poses, slack: float = 0.0) -> np.ndarray:
    return likeness(a, b.keypoints, b.boxes.astype(np.float64), np.full(len(b), slack))


def test_the_same_is_wholly_alike_and_the_distant_not_at_all():
    people = poses(person(100, 100), person(900, 100))
    assert np.allclose(alike(people, people), np.eye(2))
    assert alike(Poses.empty(), people).shape == (0, 2)
    assert alike(people, Poses.empty()).shape == (2, 0)


def test_it_falls_with_distance_and_with_difference_in_size_and_is_blind_to_scale():
    here = poses(person(100, 100))
    steps = [alike(here, poses(person(100 + d, 100)))[0, 0] for d in (0, 10, 20, 40, 80)]
    assert steps == sorted(steps, reverse=True)
    assert alike(here, poses(person(100, 100, 150.0)))[0, 0] < 0.6
    near, far = poses(person(0, 0, 400.0)), poses(person(0, 0, 100.0))
    moved = poses(person(40, 0, 400.0)), poses(person(10, 0, 100.0))
    assert alike(near, moved[0])[0, 0] == pytest.approx(alike(far, moved[1])[0, 0], abs=1e-4)


def test_slack_forgives_a_distance():
    here, there = poses(person(100, 100)), poses(person(130, 100))
    assert alike(here, there, 30.0)[0, 0] > alike(here, there)[0, 0] + 0.1


def test_keypoints_decide_between_equal_boxes():
    standing = poses(person(100, 100))
    turned = person(100, 100)
    turned[5:, 0] = 200 - turned[5:, 0]  # left and right exchanged in the same box
    same = Poses(np.stack([turned, person(100, 100)]), np.repeat(standing.boxes, 2, 0), np.ones(2))
    scores = alike(same, standing)[:, 0]
    assert scores[1] > scores[0] + 0.1


def test_oks_is_cocos_over_the_keypoints_both_show():
    a, b = person(100, 100)[None], person(103, 104)[None]
    sigmas = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
    expected = np.exp(-25 / (2 * 5000 * (2 * sigmas) ** 2))
    assert keypoint_similarity(a, b, np.array([5000.0])) == pytest.approx([expected.mean()], rel=1e-5)
    b[0, 5:, 2] = 0.1
    assert keypoint_similarity(a, b, np.array([5000.0])) == pytest.approx([expected[:5].mean()], rel=1e-5)
    b[0, :, 2] = 0.1
    assert keypoint_similarity(a, b, np.array([5000.0])) == 0


def test_doubles_name_the_better_score_first_and_leave_neighbours_alone():
    people = poses(person(300, 100), person(303, 100), person(340, 100), person(900, 100), scores=(0.6, 0.9, 0.8, 0.5))
    assert [pair[:2] for pair in Overlaps.of(people).doubles()] == [(1, 0)]
    assert Overlaps.of(Poses.empty()).doubles() == Overlaps.of(poses(person(1, 1))).doubles() == []


def test_a_score_fades_with_the_overlap_with_a_better_one_whatever_the_order():
    people = poses(person(300, 100), person(300, 100), person(900, 100), scores=(0.3, 0.8, 0.4))
    assert Overlaps.of(people).scores_apart() == pytest.approx([0.3 * np.exp(-2), 0.8, 0.4])
    boxes = np.array([[0, 0, 100, 100], [0, 0, 50, 100], [0, 0, 100, 50]], np.float32)
    inside = Poses(np.zeros((3, 17, 3)), boxes, np.array([0.9, 0.5, 0.5]))
    # Half of the first; a third of each other, which is the lesser explanation of the third.
    assert Overlaps.of(inside).scores_apart() == pytest.approx([0.9, 0.5 * np.exp(-0.5), 0.5 * np.exp(-0.5)])
    assert Overlaps.of(Poses.empty()).scores_apart().shape == (0,)
