"""Keypoints from heat maps: Gaussians at known places, and the plain method over the whole map."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pose.inference.crops import crop_matrices, to_picture
from pose.inference.heatmaps import decode_heatmaps

HEIGHT, WIDTH = 64, 48


def gaussian(x: float, y: float, sigma: float = 2.0, height: float = 0.9) -> np.ndarray:
    """A map with its peak at x, y in cells."""
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    return (height * np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * sigma**2))).astype(np.float32)


def plainly_decoded(heatmap: np.ndarray) -> np.ndarray:
    """x, y in cells by blurring the whole map and scaling it back to its old maximum, as the paper says it."""
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    blurred = cv2.GaussianBlur(heatmap.astype(np.float64), (11, 11), 0, borderType=cv2.BORDER_CONSTANT)
    log = np.log(np.maximum(blurred * heatmap.max() / max(blurred.max(), 1e-9), 1e-10))
    if not (1 < x < WIDTH - 2 and 1 < y < HEIGHT - 2):
        return np.array([x, y], float)
    gradient = np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]]) / 2
    xx = log[y, x + 2] - 2 * log[y, x] + log[y, x - 2]
    yy = log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]
    xy = log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]
    step = -np.linalg.solve(np.array([[xx, xy], [xy, yy]]) / 4, gradient)
    return np.array([x, y]) + np.clip(step, -1, 1)


@pytest.mark.parametrize(("x", "y"), [(20.0, 30.0), (20.3, 30.4), (19.75, 31.5), (40.2, 8.9)])
def test_a_gaussian_between_cells(x: float, y: float) -> None:
    pixels, scores = decode_heatmaps(gaussian(x, y)[None, None])
    # 0.01 cells: the blur's kernel ends at 2.5 sigma.
    np.testing.assert_allclose(pixels[0, 0], [x * 4, y * 4], atol=0.04)
    assert scores[0, 0] == gaussian(x, y).max()


def test_a_keypoint_at_the_edge_stays_in_its_cell() -> None:
    maps = np.stack([gaussian(0.2, 30), gaussian(46.4, 30), gaussian(20, 62.3), gaussian(1.2, 1.3)])
    pixels, _ = decode_heatmaps(maps[None])
    np.testing.assert_array_equal(pixels[0] / 4, [[0, 30], [46, 30], [20, 62], [1, 1]])


def test_as_the_whole_map_blurred() -> None:
    rng = np.random.default_rng(5)
    maps = np.stack(
        [
            gaussian(*rng.uniform((2, 2), (45, 61)), sigma=rng.uniform(1, 3), height=rng.uniform(0.05, 1))
            + gaussian(*rng.uniform((0, 0), (47, 63)), height=0.04)  # a neighbour that pulls
            + rng.normal(0, 0.003, (HEIGHT, WIDTH)).astype(np.float32)
            for _ in range(4 * 17)
        ]
    ).reshape(4, 17, HEIGHT, WIDTH)
    pixels, _ = decode_heatmaps(maps)
    expected = np.array([[plainly_decoded(one) for one in person] for person in maps])
    np.testing.assert_allclose(pixels, expected * 4, atol=0.01)


def test_a_flat_map_gives_a_place_and_its_score() -> None:
    pixels, scores = decode_heatmaps(np.zeros((1, 2, HEIGHT, WIDTH)))
    assert np.isfinite(pixels).all()
    assert (scores == 0).all()


def test_nobody() -> None:
    pixels, scores = decode_heatmaps(np.empty((0, 17, HEIGHT, WIDTH), np.float32))
    assert pixels.shape == (0, 17, 2)
    assert scores.shape == (0, 17)


@pytest.mark.parametrize("picture", ["000000227491", "000000281759", "000000459437"])
def test_keypoints_of_real_maps(parity: Path, picture: str) -> None:
    with np.load(parity / "topdown" / f"{picture}.npz") as arrays:
        maps, boxes, expected = arrays["heatmaps"], arrays["boxes"], arrays["keypoints"]
    pixels, scores = decode_heatmaps(maps)
    pixels += 1.5  # the file was made with cell i at pixel 4 i + 1.5
    found = to_picture(pixels, crop_matrices(boxes[: len(maps)]))  # the file keeps the crops of some boxes
    np.testing.assert_allclose(found, expected[..., :2], rtol=0, atol=0.05)
    np.testing.assert_allclose(scores, expected[..., 2], rtol=2.0**-11)  # the maps are in half precision
