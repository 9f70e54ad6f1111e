"""Places in which nobody new is: they rest, longer each time, and move on with people."""

from __future__ import annotations

import numpy as np
import pytest

from pose.detections import Detections
from stream.people.refused_places import (
    FORGOTTEN_SECONDS,
    LONGEST_PAUSE_SECONDS,
    PAUSE_SECONDS,
    SURER,
    RefusedPlaces,
)

TRIPOD = np.array([500, 338, 514, 392], np.float32)
NOBODY: dict[int, np.ndarray] = {}


def worth(places, seconds, box=TRIPOD, score=0.25, people=NOBODY):
    detections = Detections.upright(box[None], np.array([score], np.float32))
    return len(places.worth_a_look(detections, people, seconds)) == 1


def looks(places, seconds, score):
    """When a place is looked at that the detector sees every 0.1 s and every look refuses."""
    told = []
    for seconds_now in np.arange(0.0, seconds, 0.1).tolist():
        if worth(places, seconds_now, score=score):
            places.refuse(TRIPOD, score, seconds_now)
            told.append(seconds_now)
    return told


def test_a_place_rests_longer_each_time_up_to_a_bound():
    pauses = np.diff(looks(RefusedPlaces(), 60, 0.25))
    expected = [PAUSE_SECONDS, 2 * PAUSE_SECONDS, 4 * PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    np.testing.assert_allclose(pauses[:5], expected, atol=0.11)


def test_a_place_that_may_well_be_a_person_rests_shortly():
    np.testing.assert_allclose(np.diff(looks(RefusedPlaces(), 20, 0.5)), PAUSE_SECONDS, atol=0.11)


def test_a_surer_detection_is_looked_at():
    places = RefusedPlaces()
    places.refuse(TRIPOD, 0.25, 0.0)
    assert not worth(places, 0.5, score=0.25 + SURER - 0.01)
    assert worth(places, 0.5, score=0.25 + SURER + 0.01)


def test_another_place_is_looked_at():
    places = RefusedPlaces()
    places.refuse(TRIPOD, 0.25, 0.0)
    assert worth(places, 0.5, TRIPOD + 10)
    assert not worth(places, 0.5, TRIPOD + 1)


def test_a_place_is_forgotten():
    places = RefusedPlaces()
    for _ in range(5):
        places.refuse(TRIPOD, 0.25, 0.0)
    assert not worth(places, 11.0)
    later = FORGOTTEN_SECONDS + 1
    assert worth(places, later)
    places.refuse(TRIPOD, 0.25, later)
    assert worth(places, later + PAUSE_SECONDS + 0.1)  # as for the first time


@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_a_second_box_moves_on_with_its_person(scale):
    person, upper = np.array([100, 100, 150, 220], np.float32), np.array([100, 100, 150, 160], np.float32)
    places = RefusedPlaces()
    places.refuse(upper, 0.3, 0.0, 7, person)
    moved = np.array([80, 0, 80, 0], np.float32)
    assert not worth(places, 1.0, scale * upper + moved, 0.3, {7: scale * person + moved})
    assert worth(places, 1.0, upper, 0.3, {7: scale * person + moved})  # where the person was


def test_a_second_box_goes_with_its_person():
    person = np.array([100, 100, 150, 220], np.float32)
    places = RefusedPlaces()
    places.refuse(person, 0.3, 0.0, 7, person)
    assert worth(places, 0.5, person, 0.3)
