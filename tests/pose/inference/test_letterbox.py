"""Letterbox: the reference's sizes and pixels, and the way back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pose.inference.letterbox import BORDER_GREY, Letterbox


def drawn(picture: np.ndarray, box: Letterbox) -> np.ndarray:
    canvas = np.full((*box.shape, 3), 7, np.uint8)
    box.draw(picture, canvas)
    return canvas


def test_three_hundred_sizes(golden: Path) -> None:
    with np.load(golden / "pose_letterbox.npz") as arrays:
        columns, table = [str(name) for name in arrays["columns"]], arrays["table"]
    assert len(table) == 300
    compared = 0
    for values in table:
        row = dict(zip(columns, values, strict=True))
        box = Letterbox.fit(
            int(row["h"]),
            int(row["w"]),
            int(row["size"]),
            int(row["stride"]),
            rectangular=bool(row["auto"]),
            enlarge=bool(row["scaleup"]),
        )
        if row["out_h"] < 0:
            # Departure: a picture so thin that one side rounds to nothing stops the reference; we keep one pixel.
            assert min(box.inner_height, box.inner_width) == 1
            continue
        compared += 1
        assert box.shape == (row["out_h"], row["out_w"])
        assert box.scale == pytest.approx(row["ratio"], rel=1e-12)
        # The reference tells borders as halves before it rounds them: an odd one is wider at the bottom and right.
        assert (box.left, box.top) == (round(row["dw"] - 0.1), round(row["dh"] - 0.1))
        assert box.width - box.inner_width == 2 * row["dw"]
        assert box.height - box.inner_height == 2 * row["dh"]
    assert compared > 200


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [("up128_auto", 128, {}), ("down64_square", 64, {"rectangular": False, "enlarge": False})],
)
def test_pixels(golden: Path, name: str, size: int, options: dict) -> None:
    with np.load(golden / "pose_letterbox.npz") as arrays:
        picture, expected = arrays["image"], arrays[name]
    box = Letterbox.fit(*picture.shape[:2], size, 64, **options)
    np.testing.assert_array_equal(drawn(picture, box), expected)


@pytest.mark.parametrize(
    ("height", "width"), [(75, 111), (111, 75), (64, 64), (1, 1), (1, 5000), (5000, 1), (33, 1000), (720, 1280)]
)
def test_the_picture_is_inside_and_grey_is_around(height: int, width: int) -> None:
    picture = np.full((height, width, 3), 200, np.uint8)
    box = Letterbox.fit(height, width, 128, 32)
    canvas = drawn(picture, box)
    inside = np.zeros(box.shape, bool)
    inside[box.top : box.top + box.inner_height, box.left : box.left + box.inner_width] = True
    assert (canvas[inside] == 200).all()
    assert (canvas[~inside] == BORDER_GREY).all()
    assert max(box.shape) == 128
    assert all(side % 32 == 0 for side in box.shape)


def test_a_wide_picture_costs_less_than_a_square() -> None:
    assert Letterbox.fit(720, 1280, 960, 64).shape == (576, 960)  # the example of the reference: 60 % of 960²


@pytest.mark.parametrize(("height", "width"), [(75, 111), (300, 401), (128, 128), (1, 1), (2000, 30)])
def test_on_the_device_it_is_the_same_picture(height: int, width: int) -> None:
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    box = Letterbox.fit(height, width, 128, 32)
    on_device = box.draw_on_device(torch.from_numpy(picture))
    assert on_device.shape == (3, *box.shape)
    difference = np.abs(on_device.numpy().transpose(1, 2, 0) - drawn(picture, box))
    # OpenCV's bilinear works with 11-bit fractions and cuts its intermediate sums, so an eighth of its values is one
    # lower than ours, which is float32 and rounded once.
    assert difference.max() <= 1
    assert difference.mean() < 0.2


@pytest.mark.parametrize(("height", "width"), [(720, 1280), (75, 111), (1, 1), (8000, 10), (10, 8000)])
def test_to_source_takes_back_what_was_fitted(height: int, width: int) -> None:
    box = Letterbox.fit(height, width, 416, 32)
    corners = np.float32([[box.left, box.top], [box.left + box.inner_width, box.top + box.inner_height]])
    np.testing.assert_allclose(box.to_source(corners), [[0, 0], [width, height]], rtol=1e-5)
    assert box.to_source(np.zeros((0, 17, 2), np.float32)).shape == (0, 17, 2)


def test_nothing_lies_outside_the_picture() -> None:
    box = Letterbox.fit(720, 1280, 416, 32)
    points = np.float32([[-500, -500], [5000, 5000]])
    assert box.to_source(points).tolist() == [[0, 0], [1280, 720]]


@pytest.mark.parametrize(
    ("name", "network", "picture"),
    [
        ("wide", (576, 960), (720, 1280)),
        ("tall", (640, 512), (1080, 810)),
        ("up", (448, 640), (75, 111)),
    ],
)
def test_mapping_back_against_the_reference(
    golden: Path, name: str, network: tuple[int, int], picture: tuple[int, int]
) -> None:
    """Ours, and the reference's formula read plainly, on rows the reference mapped.

    Two departures, both on purpose. The reference holds only its first four boxes inside the picture: it clips rows 0–3
    where it means columns 0–3. And it recomputes the border without the rounding that the letterbox made, so it can be
    half a pixel of the input off; ours takes back exactly what was drawn.
    """
    with np.load(golden / "pose_nms.npz") as arrays:
        rows, boxes, keypoints = arrays["scaled_from"], arrays[f"scaled_box_{name}"], arrays[f"scaled_kpt_{name}"]
        with_pad = arrays[f"scaled_box_rp_{name}"]
    corners = rows[:, :4].reshape(-1, 2, 2)  # in pixels of the input
    points = rows[:, 6:].reshape(-1, 17, 3)[..., :2]
    gain = min(network[0] / picture[0], network[1] / picture[1])
    pad = np.float64([network[1] - picture[1] * gain, network[0] - picture[0] * gain]) / 2
    limit = np.float64([picture[1], picture[0]])

    plain = (corners - pad) / gain
    plain[:4] = plain[:4].clip(0, limit)  # the slip: rows, not columns
    np.testing.assert_allclose(plain.reshape(-1, 4), boxes, atol=1e-2)
    reference_points = keypoints.reshape(-1, 17, 3)[..., :2]
    np.testing.assert_allclose(((points - pad) / gain).clip(0, limit), reference_points, atol=1e-2)
    given = (corners - [7, 11]) / 0.5
    given[:4] = given[:4].clip(0, limit)
    np.testing.assert_allclose(given.reshape(-1, 4), with_pad, atol=1e-2)

    box = Letterbox.fit(*picture, max(network), 64)
    assert box.shape == network
    half_a_pixel = (0.5 + 0.5) / gain + 1e-2  # of the border's rounding, and of the inner size's
    ours = box.to_source(corners)
    assert np.abs(ours - boxes.reshape(-1, 2, 2).clip(0, limit)).max() <= half_a_pixel
    assert np.abs(box.to_source(points) - reference_points).max() <= half_a_pixel
    assert (ours >= 0).all()
    assert (ours <= limit).all()
