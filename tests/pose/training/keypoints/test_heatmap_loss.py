"""Heat maps to be learnt, and the loss: what is known counts, what is unknown does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pose.datasets.labelled import Visibility
from pose.inference.heatmaps import decode_heatmaps
from pose.training.keypoints.crop_augmentation import CUT_OFF
from pose.training.keypoints.heatmap_loss import HeatmapLoss, HeatmapLossSettings, heatmaps

SHAPE = (64, 48)


def keypoints(*rows: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32)[None]


def test_a_known_keypoint_is_a_gaussian_around_its_exact_place():
    (maps,) = heatmaps(keypoints((80, 120, 2), (0, 0, 0), (0, 0, -1), (82, 122, 1)), SHAPE, sigma=2)
    assert maps[0, 30, 20] == 1
    assert maps[0, 30, 22] == pytest.approx(np.exp(-0.5))
    assert maps[0].sum() == pytest.approx(2 * np.pi * 4, rel=1e-3)
    assert (maps[1:3] == 0).all()
    np.testing.assert_allclose(maps[3, 30:32, 20:22], np.exp(-0.0625))  # half-way between four cells


def test_what_is_taught_is_what_is_read():
    places = np.random.default_rng(0).uniform((20, 20), (170, 230), (17, 2))
    points = torch.from_numpy(np.concatenate([places, np.full((17, 1), 2.0)], 1)).float()[None]
    xy, scores = decode_heatmaps(heatmaps(points, SHAPE, 2).numpy())
    np.testing.assert_allclose(xy[0], places, atol=0.05)
    assert (scores > 0.9).all()


def test_unknown_gives_no_gradient():
    maps = torch.rand(1, 3, *SHAPE, requires_grad=True)
    HeatmapLoss(HeatmapLossSettings())(maps, keypoints((80, 120, 2), (0, 0, -1), (0, 0, 0))).backward()
    assert maps.grad is not None
    assert maps.grad[0, 0].abs().sum() > 0
    assert (maps.grad[0, 1] == 0).all()
    assert (maps.grad[0, 2] > 0).all()  # absent: down to an empty map


def test_visibility_decides_the_weight():
    settings = HeatmapLossSettings(hidden=0.5, absent=0.1, cut_off=0.2)
    for visibility, weight in (
        (Visibility.SEEN, 1),
        (Visibility.HIDDEN, 0.5),
        (Visibility.ABSENT, 0.1),
        (CUT_OFF, 0.2),
    ):
        maps = torch.zeros(1, 4, *SHAPE, requires_grad=True)
        with torch.no_grad():
            maps[0, 3] = 1
        seen = keypoints((80, 120, 2), (80, 120, 2), (80, 120, 2), (80, 120, float(visibility)))
        HeatmapLoss(settings)(maps, seen).backward()
        wanted = heatmaps(seen, SHAPE, 2)[0, 3]
        expected = 2 * (1 - wanted) * weight / (np.pi * 4) / (3 + weight)
        torch.testing.assert_close(maps.grad[0, 3], expected)


def test_empty_maps_lose_one():
    assert float(
        HeatmapLoss(HeatmapLossSettings())(torch.zeros(1, 1, *SHAPE), keypoints((80, 120, 2)))
    ) == pytest.approx(1, rel=1e-3)
