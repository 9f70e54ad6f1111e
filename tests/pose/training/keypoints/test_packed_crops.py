"""Packed crops: labels and pixels stay together on the way from the picture."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pose.datasets.labelled import LabelledPicture
from pose.errors import LabelsMissing, TrainingError
from pose.keypoints import Keypoint
from pose.training.keypoints.packed_crops import CROP_SIDE, PackedCrops, pack_crops
from tests.pose.training.conftest import COLOURS, draw_people


def test_keypoints_lie_on_what_was_drawn_there(packed):
    for crop, keypoints in zip(packed.pixels, packed.keypoints, strict=True):
        for point in (Keypoint.LEFT_WRIST, Keypoint.RIGHT_ANKLE, Keypoint.LEFT_KNEE):  # no other dot is near
            x, y = keypoints[point, :2].round().astype(int)
            np.testing.assert_allclose(crop[y, x], COLOURS[point], atol=12)


def test_the_box_is_in_the_middle_and_half_as_high_as_the_crop(packed):
    middle = (packed.boxes[:, :2] + packed.boxes[:, 2:]) / 2
    np.testing.assert_allclose(middle, CROP_SIDE / 2, atol=1)
    sides = packed.boxes[:, 2:] - packed.boxes[:, :2]
    np.testing.assert_allclose(np.maximum(sides[:, 1], sides[:, 0] * 4 / 3), CROP_SIDE / 2, rtol=1e-4)


@pytest.mark.parametrize("side", [96, 1600])
def test_a_reduced_picture_keeps_its_keypoints(tmp_path, side):
    """A dot in a picture so large that it is reduced first, and in one that is enlarged."""
    x, y, size = 0.3 * side, 0.6 * side, side / 40
    image = np.zeros((side, side, 3), np.uint8)
    rows, columns = np.mgrid[:side, :side]
    image[:] = (255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * size**2)))[..., None].round()
    cv2.imwrite(str(tmp_path / "dot.png"), image)
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, 0] = x, y, 2
    box = np.array([[0.1, 0.1, 0.8, 0.9]], np.float32) * side
    picture = LabelledPicture(tmp_path / "dot.png", (side, side), box, keypoints, box[:, 0], np.zeros(1, bool), 1)
    packed = pack_crops([picture], tmp_path / "packed")
    light = packed.pixels[0, ..., 0].astype(float)
    rows, columns = np.mgrid[:CROP_SIDE, :CROP_SIDE]
    found = (light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()
    np.testing.assert_allclose(packed.keypoints[0, 0, :2], found, atol=0.15)


def test_sets_are_the_beginnings_of_file_names(tmp_path):
    pictures = (
        draw_people(tmp_path / "a", 2, prefix="one").pictures + draw_people(tmp_path / "b", 1, prefix="two").pictures
    )
    packed = pack_crops(pictures, tmp_path / "packed")
    assert packed.names == ("one", "two")
    assert packed.sets.tolist() == [0, 0, 0, 1]


def test_faults_are_sentences(tmp_path, packed):
    with pytest.raises(LabelsMissing, match=r"crops\.npy is missing"):
        PackedCrops.open(tmp_path / "nowhere")
    np.save(tmp_path / "packed" / "set.npy", np.zeros(2, np.int32))
    with pytest.raises(TrainingError, match="do not belong together"):
        PackedCrops.open(tmp_path / "packed")
    with pytest.raises(TrainingError, match="Nobody is labelled"):
        pack_crops([], tmp_path / "none")
    assert json.loads((tmp_path / "packed" / "names.json").read_text()) == ["made"]


def test_a_disk_that_is_too_full_is_told_before(tmp_path, monkeypatch):
    pictures = draw_people(tmp_path / "made", 2).pictures
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_000_000))
    with pytest.raises(TrainingError, match=r"Crops of 3 people need 0\.0 GB in .*packed"):
        pack_crops(pictures, tmp_path / "packed")
    assert not (tmp_path / "packed" / "crops.npy").exists()
