"""The simulated network: two made people beside each other, of whom it is known who is where."""

import numpy as np

from bench.crowd import NOBODY, Moment, Truth, crowd
from bench.identity import by_detections, by_finder
from bench.simulated_network import Simulation, owners_of
from pose.keypoint_finder import VISIBLE
from pose.poses import Poses


def moment(gap_px: float) -> Moment:
    """Two people of 100×200 px, so far apart."""
    rng = np.random.default_rng(3)
    body = rng.random((17, 2)) * (100, 200)
    bodies = np.stack([body, body + np.array([gap_px, 0])]) + 50
    truth = Truth(0.0, bodies, np.zeros((2, 17), bool))
    boxes = np.concatenate((bodies.min(1), bodies.max(1)), axis=1)
    keypoints = np.concatenate((bodies, np.ones((2, 17, 1))), axis=2)
    return Moment(0.0, Poses(keypoints, boxes, np.ones(2)), np.arange(2), truth)


def look(simulation: Simulation, now: Moment) -> Poses:
    simulation.moment = now
    return Poses(simulation.look(now.poses.boxes), now.poses.boxes, now.poses.scores)


def test_a_crop_shows_who_fills_it() -> None:
    now = moment(300)
    assert owners_of(look(Simulation(), now), now.truth).tolist() == [0, 1]


def test_a_crop_slips_to_a_neighbour_who_is_in_it_only() -> None:
    near, far = moment(40), moment(300)
    assert owners_of(look(Simulation(slip=1.0), near), near.truth).tolist() == [1, 0]
    assert owners_of(look(Simulation(slip=1.0), far), far.truth).tolist() == [0, 1]


def test_who_is_lost_is_hardly_visible() -> None:
    now = moment(300)
    keypoints = look(Simulation(lose=1.0), now).keypoints
    assert np.median(keypoints[..., 2]) < VISIBLE + 0.1
    assert owners_of(Poses(keypoints, now.poses.boxes, now.poses.scores), now.truth).tolist() == [NOBODY, NOBODY]


def test_one_person_has_one_row() -> None:
    now = moment(300)
    twice = now.poses.select([0, 0])
    assert sorted(owners_of(twice, now.truth).tolist()) == [NOBODY, 0]


def test_without_faults_the_finder_finds_more_than_the_detector() -> None:
    moments = list(crowd(2, 10, 6.0, miss=0.3, seed=1))
    seen, numbers = by_finder(moments, slip=0.0, lose=0.0, every=0.3)
    detected, _ = by_detections(moments)
    assert len(seen) == len(numbers) == len(moments)
    found = [sum((one.owners != NOBODY).sum() for one in several) for several in (seen, detected)]
    assert found[0] > found[1]
