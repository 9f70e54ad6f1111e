"""How alike two people are: by place, by size, by keypoints, and how far that reaches."""

import numpy as np
import pytest

from pose.poses import Poses
from stream.people.similarity import Bodies, compare, keypoint_similarity, scores_apart
from tests.worlds import person, poses

NOBODY = np.zeros(0)
SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000


def alike(a: Poses, b: Poses, slack: float = 0.0) -> np.ndarray:
    """Similarity of everybody in `a` to everybody in `b`."""
    likely, _ = compare(Bodies.of(a), a.scores.tolist(), Bodies.of(b), np.full(len(b), slack))
    table = np.zeros((len(a), len(b)))
    for row, column, similarity in likely:
        table[row, column] = similarity
    return table


def doubles(people: Poses) -> list[tuple[int, int]]:
    return [
        pair[:2] for pair in compare(Bodies.of(people), people.scores.tolist(), Bodies.of(Poses.empty()), NOBODY)[1]
    ]


def oks(a: np.ndarray, b: np.ndarray, area: float) -> float:
    """Of two people, keypoints `[17, 3]`."""
    points = (Bodies.of(poses(keypoints)).points for keypoints in (a, b))
    (similarity,) = keypoint_similarity(*points, (-2 * area * (2 * SIGMAS) ** 2).astype(np.float32)[None])
    return similarity


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


def test_pairs_come_most_alike_first_and_only_those_alike_enough():
    people, others = poses(person(100, 100), person(140, 100)), poses(person(152, 100), person(110, 100))
    likely, _ = compare(Bodies.of(people), [0.9, 0.8], Bodies.of(others), np.zeros(2))
    assert [pair[:2] for pair in likely] == [(0, 1), (1, 0), (1, 1), (0, 0)]
    assert likely == sorted(likely, key=lambda pair: -pair[2])
    assert compare(Bodies.of(people), [0.9, 0.8], Bodies.of(others), np.zeros(2), likely[1][2])[0] == likely[:2]


def test_oks_is_cocos_over_the_keypoints_both_show():
    a, b = person(100, 100), person(103, 104)
    expected = np.exp(-25 / (2 * 5000 * (2 * SIGMAS) ** 2))
    assert oks(a, b, 5000) == pytest.approx(expected.mean(), rel=1e-5)
    b[5:, 2] = 0.1
    assert oks(a, b, 5000) == pytest.approx(expected[:5].mean(), rel=1e-5)
    b[:, 2] = 0.1
    assert oks(a, b, 5000) == 0


def test_coordinates_of_a_keypoint_out_of_sight_do_not_count_even_if_missing():
    a, b = person(100, 100), person(103, 104)
    b[5:, 2] = 0.1
    expected = oks(a, b, 5000)
    b[5:, :2] = np.nan
    box = poses(person(103, 104))
    points = Bodies.of(Poses(b[None], box.boxes, box.scores)).points
    assert np.isfinite(points).all()
    spread = (-2 * 5000 * (2 * SIGMAS) ** 2).astype(np.float32)[None]
    assert keypoint_similarity(Bodies.of(poses(a)).points, points, spread) == pytest.approx([expected])


def test_doubles_name_the_better_score_first_and_leave_neighbours_alone():
    people = poses(person(300, 100), person(303, 100), person(340, 100), person(900, 100), scores=(0.6, 0.9, 0.8, 0.5))
    assert doubles(people) == [(1, 0)]
    assert doubles(Poses.empty()) == doubles(poses(person(1, 1))) == []


def test_doubles_come_best_first_each_once_whatever_their_size():
    same, smaller = person(300, 100), person(601, 101, 190.0)
    people = poses(same, person(600, 100), same, smaller, scores=(0.5, 0.7, 0.5, 0.8))
    assert doubles(people) == [(3, 1), (0, 2)]


def test_skeletons_are_no_doubles_where_boxes_do_not_overlap():
    """Head and shoulders of one box, legs of another below it: only the hips are seen in both."""
    body = person(300, 100)
    upper, lower = body.copy(), body.copy()
    upper[13:, 2] = lower[:11, 2] = 0.1
    boxes = np.array([[280, 80, 320, 184], [280, 183, 320, 280]], np.float32)
    assert doubles(Poses(np.stack([upper, lower]), boxes, np.array([0.9, 0.8]))) == [(0, 1)]
    boxes[1, 1] = 185
    assert doubles(Poses(np.stack([upper, lower]), boxes, np.array([0.9, 0.8]))) == []


def test_a_score_fades_with_the_overlap_with_a_better_one_whatever_the_order():
    def apart(people: Poses) -> np.ndarray:
        return scores_apart(Bodies.of(people), people.scores)

    people = poses(person(300, 100), person(300, 100), person(900, 100), scores=(0.3, 0.8, 0.4))
    assert apart(people) == pytest.approx([0.3 * np.exp(-2), 0.8, 0.4])
    boxes = np.array([[0, 0, 100, 100], [0, 0, 50, 100], [0, 0, 100, 50]], np.float32)
    inside = Poses(np.zeros((3, 17, 3)), boxes, np.array([0.9, 0.5, 0.5]))
    # Half of the first; a third of each other, which is the lesser explanation of the third.
    assert apart(inside) == pytest.approx([0.9, 0.5 * np.exp(-0.5), 0.5 * np.exp(-0.5)])
    assert apart(Poses.empty()).shape == (0,)
