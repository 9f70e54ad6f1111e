"""Labels of turned pictures: a made person of whom every joint's new place can be told by hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.keypoints import TURNS, of_large, turned, upper_bodies
from pose.datasets.labelled import LabelledPicture, LabelledSet
from pose.keypoints import Keypoint as K
from pose.poses import Poses

SIZE = 240, 320  # height, width


def labelled(points: dict[int, tuple[float, float]], box: tuple[float, float, float, float]) -> LabelledPicture:
    keypoints = np.zeros((1, 17, 3), np.float32)
    for joint, place in points.items():
        keypoints[0, joint] = (*place, 2)
    area = 0.53 * (box[2] - box[0]) * (box[3] - box[1])
    return LabelledPicture(
        Path("made.png"), SIZE, np.array([box], np.float32), keypoints, np.array([area]), np.array([False]), 1
    )


STANDING = labelled(
    {
        K.NOSE: (160, 40), K.LEFT_SHOULDER: (180, 70), K.RIGHT_SHOULDER: (140, 70), K.LEFT_ELBOW: (185, 100),
        K.RIGHT_ELBOW: (135, 100), K.LEFT_HIP: (170, 130), K.RIGHT_HIP: (150, 130), K.LEFT_ANKLE: (170, 220),
    },
    (120, 20, 200, 230),
)  # fmt: skip


@pytest.mark.parametrize("turn", TURNS)
def test_labels_turn_with_the_pixels(turn: int) -> None:
    bgr = np.zeros((*SIZE, 3), np.uint8)
    seen = STANDING.keypoints[0, :, 2] > 0
    for number, (x, y) in enumerate(STANDING.keypoints[0, seen, :2].astype(int), 1):
        bgr[y, x] = number
    after = turned(LabelledSet((STANDING,), False), turn).pictures[0]
    there = cv2.rotate(bgr, TURNS[turn])
    assert after.size == there.shape[:2]
    for number, (x, y) in enumerate(after.keypoints[0, seen, :2].astype(int), 1):
        assert there[y, x, 0] == number
    low, high = after.boxes[0, :2], after.boxes[0, 2:]
    assert ((after.keypoints[0, seen, :2] > low) & (after.keypoints[0, seen, :2] < high)).all()


def test_nobody_found_is_a_similarity_of_0_and_the_best_of_several_counts() -> None:
    right = np.concatenate((STANDING.keypoints[..., :2], np.ones((1, 17, 1))), axis=2)
    wrong = right + np.array([80, 0, 0])
    both = Poses(np.concatenate((wrong, right)), np.repeat(STANDING.boxes, 2, 0), np.array([0.9, 0.3]))
    assert of_large(STANDING, Poses.empty()) == [0.0]
    assert of_large(STANDING, both) == [1.0]


def test_an_upper_body_is_cut_off_above_the_hips() -> None:
    shown: list[tuple[int, ...]] = []

    class Estimator:
        def __call__(self, pictures: list[np.ndarray]) -> list[Poses]:
            shown.extend(picture.shape for picture in pictures)
            points = np.concatenate((STANDING.keypoints[..., :2] - np.array([90, 0]), np.ones((1, 17, 1))), axis=2)
            return [Poses(points, STANDING.boxes, np.ones(1)) for _ in pictures]

    similarity = upper_bodies(Estimator(), np.zeros((*SIZE, 3), np.uint8), STANDING)  # type: ignore[arg-type]
    assert shown == [(124, 140, 3)]  # the torso is 60 px long: 6 above the hips, half a torso to every other side
    assert similarity == [1.0]
