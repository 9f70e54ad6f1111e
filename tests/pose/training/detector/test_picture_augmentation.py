"""Samples of drawn pictures: their boxes must still surround what is drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose.datasets.labelled import LabelledPicture
from pose.datasets.reading import read_labelled
from pose.errors import LabelsError
from pose.training.detector.ignored_boxes import with_ignored_boxes
from pose.training.detector.picture_augmentation import (
    DetectorAugmentation,
    make_sample,
    quarter_turned,
    turned_boxes,
)

PLAIN = DetectorAugmentation(
    whole=1, sideways=0, upside_down=0, any_turn=0, tilt_degrees=0, mirror=0, colour=0, blur=0
)  # fmt: skip
SIDE = 128


def world(keypoints: np.ndarray | None = None, crowd: bool = False) -> tuple[LabelledPicture, np.ndarray]:
    """A white rectangle on black, labelled as a person."""
    image = np.zeros((100, 200, 3), np.uint8)
    image[30:70, 80:100] = 255
    points = np.full((1, 17, 3), -1.0, np.float32) if keypoints is None else keypoints
    box = np.array([[80, 30, 100, 70]], np.float32)
    return LabelledPicture(Path("made.png"), (100, 200), box, points, np.array([800.0]), np.array([crowd]), 1), image


def drawn(sample) -> np.ndarray:
    """The box around what is white in the turned pixels."""
    pixels = np.rot90(sample.pixels, -sample.quarter_turns)
    y, x = np.nonzero(pixels[..., 0] > 200)
    return np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])


def test_the_whole_picture_is_stretched_as_the_detector_sees_it():
    picture, image = world()
    sample = make_sample(picture, image, SIDE, np.random.default_rng(0), PLAIN)
    expected = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    apart = np.abs(sample.pixels.astype(int) - expected)[1:-1, 1:-1]  # at the edge there is a little of the border
    assert apart.max() <= 8  # fractions of a pixel are rounded differently
    np.testing.assert_allclose(sample.boxes, [[51.2, 38.4, 64.0, 89.6]], atol=1e-4)
    assert sample.quarter_turns == 0
    assert not len(sample.ignored)


@pytest.mark.parametrize("seed", range(12))
def test_boxes_follow_the_pixels(seed):
    picture, image = world()
    settings = replace(PLAIN, whole=0, zoom=(0.8, 1.2), sideways=0.5, upside_down=0.3, mirror=0.5)
    sample = make_sample(picture, image, SIDE, np.random.default_rng(seed), settings)
    np.testing.assert_allclose(sample.boxes[0], drawn(sample), atol=1.6)


def test_quarter_turns_of_boxes():
    box = np.array([[1, 2, 3, 5]], np.float32)
    np.testing.assert_array_equal(quarter_turned(box, 1, 10), [[5, 1, 8, 3]])
    np.testing.assert_array_equal(quarter_turned(box, 2, 10), [[7, 5, 9, 8]])
    np.testing.assert_array_equal(quarter_turned(box, 4, 10), box)


def test_a_turned_box_surrounds_the_keypoints_and_not_the_corners():
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, :5] = [[90, 32, 2], [82, 50, 2], [98, 50, 2], [86, 68, 2], [94, 68, 2]]
    box = np.array([[80, 30, 100, 70]], np.float32)
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(turned_boxes(box, keypoints, quarter), [[-70, 80, -30, 100]], atol=1e-6)
    unlabelled = np.full((1, 17, 3), -1.0, np.float32)
    np.testing.assert_allclose(turned_boxes(box, unlabelled, quarter), [[-70, 80, -30, 100]], atol=1e-6)
    half = np.sqrt(0.5) * np.array([[1.0, -1.0, 0.0], [1.0, 1.0, 0.0]])
    found = turned_boxes(box, keypoints, half)[0]
    points = np.concatenate([keypoints[0, :5, :2], [[80, 50], [100, 50], [90, 30]]]) @ half[:, :2].T
    assert (found[:2] <= points.min(0) + 1e-6).all()
    assert (found[2:] >= points.max(0) - 1e-6).all()
    corners = np.array([[80, 30], [100, 30], [80, 70], [100, 70]]) @ half[:, :2].T
    assert np.prod(found[2:] - found[:2]) < 0.9 * np.prod(corners.max(0) - corners.min(0))


def test_crowds_and_people_who_are_mostly_outside_are_ignored():
    picture, image = world(crowd=True)
    sample = make_sample(picture, image, SIDE, np.random.default_rng(0), PLAIN)
    assert (len(sample.boxes), len(sample.ignored)) == (0, 1)
    picture, image = world()
    picture = replace(picture, boxes=np.array([[-90, 30, 10, 70]], np.float32))
    sample = make_sample(picture, image, SIDE, np.random.default_rng(0), PLAIN)
    assert (len(sample.boxes), len(sample.ignored)) == (0, 1)
    np.testing.assert_allclose(sample.ignored, [[0, 38.4, 6.4, 89.6]], atol=1e-4)


def test_ignored_boxes_are_read_as_crowds(made_people, tmp_path):
    folder = tmp_path / "ignore"
    folder.mkdir()
    (folder / "made_000.txt").write_text("0.5 0.5 0.25 0.5\n")
    (folder / "made_001.txt").write_text("")
    found = with_ignored_boxes(made_people, folder).pictures
    height, width = found[0].size
    assert found[0].crowd.tolist() == [False, True]
    np.testing.assert_allclose(
        found[0].boxes[1], [width * 3 / 8, height / 4, width * 5 / 8, height * 3 / 4], rtol=1e-6
    )  # fmt: skip
    assert found[1:] == made_people.pictures[1:]
    (folder / "made_002.txt").write_text("0.5 0.5 nan 0.5\n")
    with pytest.raises(LabelsError, match=r"made_002\.txt cannot be used"):
        with_ignored_boxes(made_people, folder)
    assert read_labelled(tmp_path / "made").pictures[0].crowd.tolist() == [False]
