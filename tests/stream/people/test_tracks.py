"""What the tracker remembers: rows stay together, and people are expected where they walk to."""

import numpy as np
import pytest

from pose.poses import Poses
from stream.people.similarity import Bodies, compare
from stream.people.tracks import Identity, Tracks
from tests.worlds import person, poses


def newcomers(keys: list[int], people: Poses, seconds: float) -> Tracks:
    return Tracks.newcomers(keys, Bodies.of(people), list(range(len(keys))), seconds)


def see(tracks: Tracks, rows: list[int], people: Poses, seconds: float) -> None:
    tracks.see(np.array(rows), Bodies.of(people), np.arange(len(rows)), seconds)


def walkers(speed: float) -> Tracks:
    """Two people seen for a second; the second one walks to the right, px per second."""
    tracks = newcomers([1, 2], poses(person(100, 100), person(500, 100)), 0.0)
    for t in np.arange(1, 11) / 10:
        see(tracks, [1, 0], poses(person(500 + speed * t, 100), person(100, 100)), t)
    return tracks


def similarity(tracks: Tracks, people: Poses, seconds: float) -> dict[int, float]:
    """Of the first one of `people` to those in `tracks`, by row; without those who are not alike at all."""
    likely, _ = compare(Bodies.of(people), people.scores.tolist(), *tracks.expected(seconds))
    return {track: alike for person, track, alike in likely if person == 0}


def test_people_are_expected_where_they_walk_to():
    tracks = walkers(100.0)
    assert tracks.shift(np.zeros(2)) == pytest.approx(np.zeros((2, 2)))
    assert tracks.shift(np.full(2, 0.2))[0] == pytest.approx([0, 0])
    assert tracks.shift(np.full(2, 0.2))[1] == pytest.approx(
        [19, 0], abs=1.0
    )  # the average velocity still rises, and coasting ends
    there, behind = (similarity(tracks, poses(person(x, 100)), 1.2) for x in (619, 600))
    assert there[1] > behind[1] > 0
    assert 0 not in there


def test_time_that_stands_still_leaves_velocity_and_size():
    tracks = walkers(100.0)
    before, size = tracks.velocity.copy(), tracks.size.copy()
    see(tracks, [0, 1], poses(person(900, 100), person(50, 100, 300.0)), 1.0)
    assert np.array_equal(tracks.velocity, before)
    assert np.array_equal(tracks.size, size)


def test_where_no_keypoint_is_seen_twice_the_box_tells_how_far_somebody_moved():
    tracks = newcomers([1, 2], poses(person(100, 100), person(500, 100)), 0.0)
    unseen = person(140, 100)
    unseen[:, 2] = 0.1
    see(tracks, [0, 1], poses(unseen, person(540, 100)), 1.0)
    assert tracks.velocity[0] == pytest.approx(tracks.velocity[1])
    assert tracks.velocity[0, 0] > 30


def test_rows_stay_together_when_people_come_and_go():
    tracks = walkers(100.0)
    tracks.identities[1] = Identity(2, 7)
    joined = tracks.joined(newcomers([3], poses(person(900, 100)), 1.0))
    kept = joined.select([2, 1])
    assert (len(joined), kept.identities) == (3, [Identity(3, None), Identity(2, 7)])
    assert kept.velocity[0] == pytest.approx([0, 0])
    assert kept.velocity[1, 0] > 90
    assert kept.people["born_seconds"].tolist() == [1.0, 0.0]
    assert len(kept.select([])) == 0
    assert len(kept.select([]).expected(2.0)[0]) == 0


def test_the_reid_distance_is_a_part_of_how_far_people_get():
    others = poses(person(520, 100), person(900, 100), person(500, 190, 80.0))
    tracks = walkers(0.0).joined(newcomers([3, 4, 5], others, 2.0))
    assert tracks.reid_distance(1, 2) < 1 < tracks.reid_distance(1, 3)
    assert tracks.reid_distance(1, 4) == np.inf
