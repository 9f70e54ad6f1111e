"""What the tracker remembers: rows stay together, and people are expected where they walk to."""

import numpy as np
import pytest

from pose.poses import Poses
from stream.tracks import Tracks
from tests.worlds import person, poses


def walkers(speed: float) -> Tracks:
    """Two people seen for a second; the second one walks to the right, px per second."""
    tracks = Tracks.newcomers([1, 2], poses(person(100, 100), person(500, 100)), 0.0)
    for t in np.arange(1, 11) / 10:
        tracks.see([1, 0], [0, 1], poses(person(500 + speed * t, 100), person(100, 100)), t)
    return tracks


def test_people_are_expected_where_they_walk_to():
    tracks = walkers(100.0)
    assert tracks.shift(1.0) == pytest.approx(np.zeros((2, 2)))
    assert tracks.shift(1.2)[0] == pytest.approx([0, 0])
    assert tracks.shift(1.2)[1] == pytest.approx(
        [19, 0], abs=1.0
    )  # the average velocity still rises, and coasting ends
    there, behind = poses(person(619, 100)), poses(person(600, 100))
    assert tracks.similarity(there, 1.2)[0, 1] > tracks.similarity(behind, 1.2)[0, 1] > 0
    assert tracks.similarity(there, 1.2)[0, 0] == 0


def test_time_that_stands_still_leaves_velocity_and_size():
    tracks = walkers(100.0)
    before, size = tracks.velocity.copy(), tracks.size.copy()
    tracks.see([0, 1], [0, 1], poses(person(900, 100), person(50, 100, 300.0)), 1.0)
    assert np.array_equal(tracks.velocity, before)
    assert np.array_equal(tracks.size, size)


def test_rows_stay_together_when_people_come_and_go():
    tracks = walkers(100.0)
    tracks.numbers[1] = 7
    joined = tracks.joined(Tracks.newcomers([3], poses(person(900, 100)), 1.0))
    kept = joined.select([2, 1])
    assert (len(joined), kept.keys, kept.numbers) == (3, [3, 2], [None, 7])
    assert kept.velocity[0] == pytest.approx([0, 0])
    assert kept.velocity[1, 0] > 90
    assert kept.born_seconds.tolist() == [1.0, 0.0]
    assert len(kept.select([])) == 0
    assert kept.select([]).similarity(Poses.empty(), 2.0).shape == (0, 0)


def test_the_way_back_is_a_share_of_how_far_people_get():
    newcomers = poses(person(520, 100), person(900, 100), person(500, 190, 80.0))
    tracks = walkers(0.0).joined(Tracks.newcomers([3, 4, 5], newcomers, 2.0))
    assert tracks.way_back(1, 2) < 1 < tracks.way_back(1, 3)
    assert tracks.way_back(1, 4) == np.inf
