"""How much boxes overlap, by hand."""

from __future__ import annotations

import numpy as np

from pose.boxes import iou


def test_overlaps_by_hand() -> None:
    boxes = np.array([[0, 0, 10, 10], [20, 20, 30, 40]], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [50, 50, 50, 50]], np.float32)
    np.testing.assert_allclose(iou(boxes, others), [[1, 1 / 3, 0, 0], [0, 0, 0.5, 0]], atol=1e-6)


def test_nobody() -> None:
    none = np.zeros((0, 4), np.float32)
    assert iou(none, np.ones((3, 4), np.float32)).shape == (0, 3)
    assert iou(np.ones((3, 4), np.float32), none).shape == (3, 0)


def test_whole_numbers_are_numbers() -> None:
    assert iou(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 3, 2]])) == 1 / 3
