"""Persons behind keys, in made rooms: who keeps the place keeps the person, and nobody becomes two."""

import numpy as np
import pytest

from stream.people.continuity import Continuity

LEFT, RIGHT = [0, 0, 100, 300], [400, 0, 500, 300]


def boxes(*corners):
    return np.array(corners, np.float32).reshape(-1, 4)


def test_a_key_is_a_person_and_persons_differ():
    continuity = Continuity()
    first = continuity.update([7, 9], boxes(LEFT, RIGHT), 0.0)
    assert len(set(first)) == 2
    assert continuity.update([9, 7], boxes(RIGHT, LEFT), 0.1) == first[::-1]
    assert continuity.persons == set(first)


@pytest.mark.parametrize("gap", [0.1, 0.9])
def test_a_new_key_at_the_place_of_a_vanished_one_is_the_same_person(gap):
    continuity = Continuity(grace_seconds=1.0)
    left, right = continuity.update([1, 2], boxes(LEFT, RIGHT), 0.0)
    assert continuity.update([3, 2], boxes([10, 20, 110, 300], RIGHT), gap) == [left, right]


def test_not_after_the_grace_not_elsewhere_and_not_while_the_other_is_in_sight():
    for keys, where, seconds in (([2], boxes(LEFT), 1.2), ([2], boxes(RIGHT), 0.2), ([1, 2], boxes(LEFT, LEFT), 0.2)):
        continuity = Continuity(grace_seconds=1.0)
        (first,) = continuity.update([1], boxes(LEFT), 0.0)
        assert continuity.update(keys, where, seconds)[-1] != first


def test_two_newcomers_share_out_two_places_by_overlap():
    continuity = Continuity()
    a, b = continuity.update([1, 2], boxes([0, 0, 100, 300], [40, 0, 140, 300]), 0.0)
    assert continuity.update([3, 4], boxes([38, 0, 138, 300], [2, 0, 102, 300]), 0.1) == [b, a]


def test_a_key_that_comes_back_finds_its_place_taken_or_free_again():
    continuity = Continuity()
    (person,) = continuity.update([1], boxes(LEFT), 0.0)
    assert continuity.update([2], boxes(LEFT), 0.1) == [person]
    assert continuity.update([1], boxes(LEFT), 0.2) == [person]  # handed back
    assert continuity.update([1, 2], boxes(LEFT, LEFT), 0.3)[1] != person


def test_nobody_is_remembered_for_longer_than_the_grace():
    continuity = Continuity(grace_seconds=1.0)
    continuity.update([1], boxes(LEFT), 0.0)
    assert continuity.update([], boxes(), 0.9) == []
    assert len(continuity.persons) == 1
    continuity.update([], boxes(), 1.1)
    assert continuity.persons == frozenset()
