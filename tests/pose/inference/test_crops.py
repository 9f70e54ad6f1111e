"""Crops with known answers: where they lie, what they show, the way back."""

from __future__ import annotations

import numpy as np
import pytest

from pose.inference.crops import crop_matrices, cut_crops, rectangle_matrices, to_picture

CORNERS = np.array([[[-0.5, -0.5], [191.5, -0.5], [191.5, 255.5], [-0.5, 255.5]]])  # edges of a crop


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((100, 200, 196, 328), (88, 184, 208, 344)),  # 3:4 already: 96 × 128 grows to 120 × 160
        ((100, 200, 110, 328), (45, 184, 165, 344)),  # narrower: the height decides
        ((100, 200, 196, 210), (88, 125, 208, 285)),  # flatter: the width decides
    ],
)
def test_a_box_grows_to_the_aspect_and_by_a_quarter(box: tuple[int, ...], expected: tuple[int, ...]) -> None:
    corners = to_picture(CORNERS, crop_matrices([box]))[0] + 0.5  # a box's coordinates are those of edges
    x1, y1, x2, y2 = expected
    np.testing.assert_allclose(corners, [[x1, y1], [x2, y1], [x2, y2], [x1, y2]], atol=1e-4)


def test_boxes_do_not_depend_on_each_other() -> None:
    boxes = np.array([[0, 0, 30, 80], [5, 9, 300, 90], [-20, 10, 40, 400]])
    alone = np.concatenate([crop_matrices([box]) for box in boxes])
    np.testing.assert_array_equal(crop_matrices(boxes), alone)


def test_no_boxes() -> None:
    matrices = crop_matrices(np.empty((0, 4)))
    assert matrices.shape == (0, 2, 3)
    assert cut_crops(np.zeros((9, 9, 3), np.uint8), matrices).shape == (0, 256, 192, 3)
    assert to_picture(np.empty((0, 17, 2)), matrices).shape == (0, 17, 2)


def test_a_crop_of_the_same_scale_is_the_picture_itself() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (300, 280, 3), np.uint8)
    matrices = crop_matrices([[40, 20, 232, 276]], padding=1.0)
    np.testing.assert_array_equal(cut_crops(picture, matrices)[0], picture[20:276, 40:232])


def test_outside_of_the_picture_is_black() -> None:
    crop = cut_crops(np.full((256, 192, 3), 200, np.uint8), crop_matrices([[-96, 0, 96, 256]], padding=1.0))[0]
    assert (crop[:, :96] == 0).all()
    assert (crop[:, 96:] == 200).all()


def test_a_turned_crop_stands_somebody_upright() -> None:
    picture = np.zeros((200, 400, 3), np.uint8)
    picture[80:120, 300:340] = 255  # the head of somebody who lies with it to the right
    matrices = crop_matrices([[60, 60, 340, 140]], angles_radians=[np.pi / 2], padding=1.0)
    crop = cut_crops(picture, matrices)[0]
    bright = np.argwhere(crop[..., 0] > 128)
    assert bright[:, 0].max() < 256 / 6  # at the top
    assert abs(bright[:, 1].mean() - 95.5) < 1  # in the middle
    # The top of the crop is the right end of the box.
    np.testing.assert_allclose(to_picture([[[95.5, -0.5]]], matrices)[0, 0], [339.5, 99.5], atol=1e-4)


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0, np.pi])
def test_a_turned_crop_holds_the_whole_box_and_keeps_shapes(angle: float) -> None:
    box = np.array([50.0, 80.0, 150.0, 130.0])
    matrix = crop_matrices([box], angle, padding=1.0)[0]
    linear = matrix[:, :2]
    scale = np.sqrt(np.linalg.det(linear))
    np.testing.assert_allclose(linear.T @ linear, np.eye(2) * scale**2, atol=1e-9)  # no shear, no mirror
    corners = np.array([[x, y] for x in box[::2] for y in box[1::2]]) - 0.5
    inside = (corners - matrix[:, 2]) @ np.linalg.inv(linear).T
    assert (inside > -0.5 - 1e-6).all()
    assert (inside < np.array([191.5, 255.5]) + 1e-6).all()


def test_a_rectangle_of_its_own_angle() -> None:
    matrices = rectangle_matrices([[100, 100]], [[96, 128]], 0.3, padding=1.0)
    corners = to_picture(CORNERS, matrices)[0] + 0.5 - 100
    np.testing.assert_allclose(np.linalg.norm(corners, axis=1), 80, atol=1e-4)  # half the diagonal of 96 × 128
    down = corners[3] - corners[0]  # the crop's downward edge, turned clockwise by 0.3
    np.testing.assert_allclose(down, [-128 * np.sin(0.3), 128 * np.cos(0.3)], atol=1e-4)
