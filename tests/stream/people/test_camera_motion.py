"""CameraMotion: a made scene, seen by a camera that keeps still, pans, zooms and shakes."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stream.people.camera_motion import CameraMotion

WIDTH, HEIGHT = 640, 360
NOBODY = np.zeros((0, 4), np.float32)


def scene() -> NDArray[np.uint8]:
    """A wall of coloured blocks, larger than the picture."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 255, (24, 40, 3), np.uint8)
    return cv2.GaussianBlur(cv2.resize(blocks, (960, 576), interpolation=cv2.INTER_NEAREST), (0, 0), 2)


def seen(x: float = 100, y: float = 100, zoom: float = 1.0) -> NDArray[np.uint8]:
    """What a camera sees whose left upper corner is at x, y of the scene."""
    view = np.array([[zoom, 0, -zoom * x], [0, zoom, -zoom * y]])
    return cv2.warpAffine(scene(), view, (WIDTH, HEIGHT))


def moved(first: NDArray[np.uint8], second: NDArray[np.uint8], boxes: NDArray[np.float32] = NOBODY):
    camera = CameraMotion()
    assert camera.update(first, boxes) is None  # nothing to compare with
    return camera.update(second, boxes)


def test_a_camera_that_keeps_still_has_no_motion():
    noise = np.random.default_rng(1).normal(0, 3, (HEIGHT, WIDTH, 3))
    assert moved(seen(), np.clip(seen() + noise, 0, 255).astype(np.uint8)) is None


@pytest.mark.parametrize(("x", "y"), [(8.0, 0.0), (-12.0, 0.0), (3.0, 5.0)])
def test_a_pan_is_measured_in_pixels_of_the_frame(x, y):
    motion = moved(seen(), seen(100 + x, 100 + y))
    assert motion is not None
    np.testing.assert_allclose(motion @ (320, 180, 1), (320 - x, 180 - y), atol=0.6)


def test_a_zoom_is_measured():
    motion = moved(seen(), seen(zoom=1.04))
    assert motion is not None
    np.testing.assert_allclose(motion @ (300, 200, 1), (312, 208), atol=1.0)


def test_a_person_who_walks_through_is_not_the_camera():
    def with_somebody(x: int) -> NDArray[np.uint8]:
        picture = seen()
        picture[20:350, x : x + 320] = seen(400, 150)[20:350, :320]
        return picture

    assert moved(with_somebody(200), with_somebody(212), np.array([[195, 15, 540, 355]], np.float32)) is None


def test_a_cut_and_another_size_say_nothing():
    other = np.random.default_rng(2).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    assert moved(seen(), other) is None
    assert moved(seen(), np.ascontiguousarray(seen()[:180])) is None


def test_a_plain_wall_says_nothing():
    assert moved(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), np.full((HEIGHT, WIDTH, 3), 95, np.uint8)) is None
