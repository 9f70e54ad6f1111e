"""Who rests: made people who tremble, travel, raise an arm."""

from __future__ import annotations

import numpy as np
import pytest

from pose.keypoints import Keypoint as K
from stream.people.rest import CALM_SECONDS, Rest
from tests.worlds import person, poses


def calm_frames(frames, fps=25.0):
    """In which of the frames somebody is calm."""
    rest, told = None, []
    for number, keypoints in enumerate(frames):
        seconds = number / fps
        keypoints = keypoints.astype(np.float32)
        rest = Rest(keypoints, 0.0) if rest is None else rest.goes_on(keypoints, poses(keypoints).boxes[0], seconds)
        told.append(rest.is_calm(seconds))
    return told


@pytest.mark.parametrize("height", [60, 150, 400])
def test_who_stands_still_is_calm_after_a_while_however_the_keypoints_tremble(height):
    random = np.random.default_rng(0)
    frames = []
    for _ in range(50):
        one = person(200, 150, height)
        one[:, :2] += random.normal(0, 0.008 * height, (17, 2))
        frames.append(one)
    told = calm_frames(frames)
    assert told == [number / 25 > CALM_SECONDS for number in range(50)]


def test_a_box_that_moves_by_a_pixel_is_no_movement():
    assert calm_frames([person(200 + number % 2, 150) for number in range(30)])[-1]


@pytest.mark.parametrize("fps", [5.0, 25.0, 60.0])
def test_a_walker_is_never_calm(fps):
    """Half a body height a second, keeping the shape."""
    frames = [person(100 + 75 * number / fps, 150) for number in range(round(4 * fps))]
    assert not any(calm_frames(frames, fps))


def test_one_who_only_creeps_begins_anew_now_and_then():
    frames = [person(100 + 2 * number / 25, 150) for number in range(500)]
    told = calm_frames(frames)
    assert 0.5 < np.mean(told) < 1


def test_an_arm_that_rises_ends_the_rest():
    still = person(200, 150)
    raised = still.copy()
    for joint in (K.LEFT_ELBOW, K.LEFT_WRIST):
        raised[joint, 1] -= 40
    told = calm_frames([still] * 25 + [raised] * 25)
    assert told[24]
    assert not any(told[25:37])
    assert told[-1]


def test_nothing_seen_is_no_rest():
    unseen = person(200, 150)
    unseen[:, 2] = 0.1
    assert not any(calm_frames([unseen] * 25))
