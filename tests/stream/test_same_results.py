"""What is said of a recording depends on the file and the settings alone: not on timing, other sources or workers."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from index import PostureIndex, starter_prefix
from pose import PoseEstimator
from stream import scenes
from stream.settings.model import Settings

FRAMES = 60


@pytest.fixture(scope="module")
def clips(shared_videos):
    return shared_videos / "gym_two_people.mp4", shared_videos / "running.mp4"


@pytest.fixture(scope="module")
def index():
    return PostureIndex.load(starter_prefix(), device="cpu")


def story(found, source, pause=lambda: None):
    """What is said of the first frames of a source: boxes, keypoints, numbers and postures."""
    told = []
    for scene in found:
        if scene.frame.source == str(source):
            people = [(p.row, p.track, p.posture, p.classification.label, p.probability) for p in scene.people]
            told.append((scene.frame.number, scene.poses.boxes, scene.poses.keypoints, people))
        pause()
        if len(told) == FRAMES:
            break
    found.close()
    return told


def assert_same(one, other):
    assert len(one) == len(other) == FRAMES
    for (number, boxes, keypoints, people), (its_number, its_boxes, its_keypoints, its_people) in zip(
        one, other, strict=True
    ):
        assert number == its_number
        np.testing.assert_array_equal(boxes, its_boxes)
        np.testing.assert_array_equal(keypoints, its_keypoints)
        assert people == its_people


@pytest.mark.parametrize("pose", [{}, {"calm_every_seconds": 0.2, "settled_every_seconds": 0.2}])
def test_workers_other_sources_and_a_slow_reader_change_nothing(clips, index, pose):
    clip, other = clips
    settings = Settings.model_validate({"pose": pose})
    with PoseEstimator(device="cpu", threads=1) as one_worker, PoseEstimator(device="cpu", threads=2) as two_workers:
        alone = story(scenes(clip, one_worker, index, settings), clip)
        assert {person[1] for *_, people in alone for person in people} >= {1, 2}
        assert_same(alone, story(scenes(clip, two_workers, index, settings), clip))
        pauses = itertools.cycle([0.0, 0.0, 0.02, 0.0, 0.005])
        beside = scenes([other, clip], two_workers, index, settings)
        assert_same(alone, story(beside, clip, lambda: time.sleep(next(pauses))))
