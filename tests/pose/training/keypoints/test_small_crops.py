"""Samples of small crops and the large network's answer for them: both lie where the small crop of a person lies."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from pose.inference.crops import CROP_SIZE, SMALL_CROP_SIZE, crop_matrices, cut_crops
from pose.training.keypoints.crop_augmentation import CUT_OFF
from pose.training.keypoints.crop_batches import CropBatch, CropBatches
from pose.training.keypoints.heatmap_loss import heatmaps
from pose.training.keypoints.small_crop_settings import SmallCropTrainingSettings
from pose.training.keypoints.small_crops import TO_LARGE, AtSmallCells, shrunk

BOX = np.array([[120.0, 80, 200, 280]])


@pytest.mark.parametrize("angle", [0.0, 0.2, math.pi / 2])
def test_a_small_crop_lies_in_the_large_one_as_in_the_picture(angle):
    large, small = (crop_matrices(BOX, np.array([angle]), size)[0] for size in (CROP_SIZE, SMALL_CROP_SIZE))
    if angle == math.pi / 2:  # the box lies across the crop, so its width decides, and a small crop is narrower
        assert np.linalg.norm(small[:, 0]) > 4 / 3 * np.linalg.norm(large[:, 0])
        return
    composed = large @ np.vstack((TO_LARGE, (0, 0, 1)))
    np.testing.assert_allclose(composed, small, atol=1e-9)


def test_shrunk_pixels_are_those_of_the_picture():
    rows, columns = np.mgrid[:360, :320]
    waves = 128 + 60 * np.sin(columns / 19) + 60 * np.cos(rows / 23)
    picture = np.repeat(waves[..., None], 3, 2).astype(np.uint8)
    large = cut_crops(picture, crop_matrices(BOX, None, CROP_SIZE), CROP_SIZE)
    small = cut_crops(picture, crop_matrices(BOX, None, SMALL_CROP_SIZE), SMALL_CROP_SIZE)
    found = shrunk(CropBatch(large, np.zeros((1, 17, 3), np.float32), np.zeros(1), np.ones(1, bool))).pixels
    assert found.shape == (1, 192, 128, 3)
    np.testing.assert_allclose(found.astype(float), small, atol=3)  # both were rounded twice


def test_keypoints_move_along_and_are_cut_off_at_the_sides():
    places = [(95.5, 127.5, 2), (11, 30, 1), (10, 30, 2), (181, 30, 2), (180, 30, 2), (0, 0, 0), (0, 0, -1), (0, 0, -2)]
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, : len(places)] = places
    batch = CropBatch(np.zeros((1, 256, 192, 3), np.uint8), keypoints, np.array([3.0]), np.ones(1, bool))
    found = shrunk(batch)
    y = 95.5 + (30 - 127.5) * 0.75
    wanted = [
        (63.5, 95.5, 2), (63.5 - 84.5 * 0.75, y, 1), (0, 0, CUT_OFF), (0, 0, CUT_OFF), (63.5 + 84.5 * 0.75, y, 2),
        (0, 0, 0), (0, 0, -1), (0, 0, CUT_OFF),
    ]  # fmt: skip
    np.testing.assert_allclose(found.keypoints[0, : len(places)], wanted, atol=1e-4)
    assert found.keypoints.dtype == np.float32
    assert found.turns is batch.turns
    np.testing.assert_array_equal(batch.keypoints, keypoints)


def test_maps_of_the_large_network_are_read_at_the_small_cells(packed):
    """A large network that is always right answers for a small crop as its labels say."""
    batch = CropBatches(packed, 8, SmallCropTrainingSettings().augmentation)[0]

    class Right(nn.Module):
        def forward(self, x):
            return heatmaps(torch.from_numpy(batch.keypoints), (64, 48), sigma=2)

    found = AtSmallCells(Right())(torch.zeros(8, 3, 256, 192))
    small = torch.from_numpy(shrunk(batch).keypoints)
    wanted = heatmaps(small, (48, 32), SmallCropTrainingSettings().loss.sigma)
    inside = small[..., 2] > 0
    assert found.shape == wanted.shape
    assert inside.sum() > 60
    torch.testing.assert_close(found[inside], wanted[inside], rtol=0, atol=0.03)  # between cells: bicubic
