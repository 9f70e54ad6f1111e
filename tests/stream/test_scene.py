"""A scene is checked at birth and cannot change. Strategy: the smallest valid one, then one fault at a time."""

import dataclasses

import numpy as np
import pytest

from index.classification import Classification
from pose.poses import Poses
from pose.reason import Reason
from stream.frame import Frame
from stream.scene import Person, Scene

NOBODY = Classification(None, 0.0, float("nan"), None, Reason.TOO_FEW_KEYPOINTS, (), (), ())


def frame():
    return Frame(np.zeros((4, 6, 3), np.uint8), "cam", 7, 0, 0.5, 10.0)


def poses(people):
    return Poses(np.zeros((people, 17, 3)), np.zeros((people, 4)), np.zeros(people))


def test_prints_shapes_and_is_frozen():
    scene = Scene(frame(), poses(2), [Person(1, 3, NOBODY, "standing", 0.8, 0.1)])
    assert scene.people[0].row == 1
    assert isinstance(scene.people, tuple)
    assert "6x4" in repr(scene)
    assert "keypoints=[2, 17, 3]" in repr(scene)
    assert "people=1" in repr(scene)
    with pytest.raises(dataclasses.FrozenInstanceError):
        scene.people = ()
    assert dataclasses.replace(scene, people=()).people == ()


def test_nobody_is_a_scene():
    assert Scene(frame(), Poses.empty()).people == ()


@pytest.mark.parametrize("rows", [(2,), (0, 0), (0, 5)])
def test_rows_must_exist_and_differ(rows):
    with pytest.raises(ValueError, match="row"):
        Scene(frame(), poses(2), tuple(Person(row, None, NOBODY, None, 0.0, None) for row in rows))


@pytest.mark.parametrize(("row", "probability"), [(-1, 0.5), (0, 1.2), (0, -0.1), (0, float("nan"))])
def test_person_is_checked(row, probability):
    with pytest.raises(ValueError, match="expected"):
        Person(row, None, NOBODY, None, probability, None)
