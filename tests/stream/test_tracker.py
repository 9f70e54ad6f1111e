"""The tracker, in made worlds: people who walk, cross, hide and leave, at low and at high frame rates."""

import numpy as np
import pytest

from stream.tracker import Tracker
from tests.worlds import person, poses


def numbers(tracker, people, seconds):
    return [identity.number for identity in tracker.update(people, seconds)]


@pytest.mark.parametrize("fps", [2, 5, 10, 60])
def test_one_walker_keeps_one_number(fps):
    tracker = Tracker()
    # 1.4 m/s for a person of 1.7 m and 200 px: 165 px per second
    told = {tuple(numbers(tracker, poses(person(100 + 165 * t, 100)), t)) for t in np.arange(0, 4, 1 / fps)}
    assert told == {(1,)}


def test_numbers_follow_the_people_not_the_order_of_rows():
    tracker = Tracker()
    left, right = person(100, 100), person(600, 100)
    assert numbers(tracker, poses(left, right), 0.0) == [1, 2]
    assert numbers(tracker, poses(right, left), 0.1) == [2, 1]


@pytest.mark.parametrize("fps", [5, 25])
def test_crossing_people_keep_their_numbers(fps):
    """One walks right, one left; they pass each other with 40 px between their heights."""
    tracker = Tracker()
    first, last = None, None
    for t in np.arange(0, 4, 1 / fps):
        last = numbers(tracker, poses(person(100 + 150 * t, 100), person(700 - 150 * t, 140)), t)
        first = first or last
    assert last == first


def test_a_person_hidden_for_half_a_second_keeps_the_number_and_one_away_for_longer_gets_a_new_one():
    tracker = Tracker(max_lost_seconds=1.0)
    walker = [person(100 + 100 * t, 100) for t in np.arange(0, 6, 0.1)]
    for step in range(10):
        assert numbers(tracker, poses(walker[step]), step / 10) == [1]
    for step in range(10, 15):
        assert numbers(tracker, poses(), step / 10) == []
    assert numbers(tracker, poses(walker[15]), 1.5) == [1]
    assert numbers(tracker, poses(walker[40]), 4.0) == [2]


def test_sure_people_choose_before_doubtful_ones():
    """A ghost that fits the track better than the person, but is doubtful, must not take the number."""
    tracker = Tracker(sure_score=0.5)
    numbers(tracker, poses(person(300, 100)), 0.0)
    ghost, real = person(301, 100), person(310, 100)
    assert numbers(tracker, poses(ghost, real, scores=(0.3, 0.9)), 0.1) == [2, 1]


def test_a_doubtful_person_still_keeps_the_number_when_nobody_sure_wants_it():
    tracker = Tracker()
    numbers(tracker, poses(person(300, 100)), 0.0)
    assert numbers(tracker, poses(person(302, 100), scores=(0.2,)), 0.1) == [1]


def test_numbers_are_never_reused_and_memory_ends():
    tracker = Tracker(max_lost_seconds=0.5)
    seen = [numbers(tracker, poses(person(100 + 400 * (n % 2), 100)), 2.0 * n)[0] for n in range(20)]
    assert seen == list(range(1, 21))
    assert tracker.keys == {20}


def test_nobody_is_a_frame_like_any_other():
    tracker = Tracker()
    assert numbers(tracker, poses(), 0.0) == []
    assert numbers(tracker, poses(person(1, 1)), 0.1) == [1]
