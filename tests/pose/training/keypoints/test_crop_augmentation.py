"""Samples: keypoints go where the pixels go, whatever is done to the crop."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pose.datasets.labelled import Visibility
from pose.inference.crops import crop_matrices
from pose.keypoints import FLIP, Keypoint
from pose.training.keypoints.crop_augmentation import CUT_OFF, CropAugmentation, crop_matrix, make_sample
from tests.worlds import person

PLAIN = CropAugmentation(
    any_turn=0, tilt=0, upright_degrees=0, scale=(1, 1), shift=0, mirror=0, half_body=0, colour=0, blur=0, erase=0
)  # fmt: skip
BOX = np.array([150, 90, 234, 282], np.float32)


@pytest.fixture
def crop() -> np.ndarray:
    """A crop whose every pixel says where it is: blue is x, green is y, red tells the halves apart."""
    rows, columns = np.mgrid[:384, :384]
    return np.stack([columns / 2, rows / 2, (columns > 191) * 90 + 60], -1).astype(np.uint8)


@pytest.fixture
def standing() -> np.ndarray:
    keypoints = person(192, 105, height=180)
    keypoints[:, 2] = Visibility.SEEN
    return keypoints


def sample(crop, keypoints, seed=0, **settings):
    chosen = CropAugmentation(**{**{n: getattr(PLAIN, n) for n in PLAIN.__dataclass_fields__}, **settings})
    return make_sample(crop, keypoints, BOX, np.random.default_rng(seed), chosen)


def origin(pixels: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Where in the crop the pixels below keypoints come from."""
    x, y = keypoints[:, :2].round().astype(int).T
    return pixels[y, x, :2].astype(float) * 2


def test_a_plain_sample_is_what_the_network_is_shown_in_use(crop, standing):
    matrix = cv2.invertAffineTransform(crop_matrices(BOX[None])[0])
    np.testing.assert_allclose(crop_matrix(BOX), matrix, atol=1e-9)
    np.testing.assert_allclose(
        sample(crop, standing).keypoints[:, :2], standing[:, :2] @ matrix[:, :2].T + matrix[:, 2], atol=1e-3
    )


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_quarter_turn_turns_picture_and_keypoints_alike(crop, standing, turn):
    """As if the crop and the box had been turned by numpy first."""
    times = turn // 90
    turned = np.rot90(crop, -times).copy()  # numpy's k > 0 is counterclockwise
    middle = 383 / 2
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[turn]
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    corners = (BOX.reshape(2, 2) - 192) @ rotation.T + 192
    box = np.concatenate([corners.min(0), corners.max(0)])
    expected = cv2.warpAffine(turned, crop_matrix(box), (192, 256), flags=cv2.INTER_LINEAR)
    matrix = crop_matrix(BOX, turn)
    np.testing.assert_allclose(cv2.warpAffine(crop, matrix, (192, 256), flags=cv2.INTER_LINEAR), expected, atol=2)
    points = (standing[:, :2] - middle) @ rotation.T + middle
    there = crop_matrix(box)
    np.testing.assert_allclose(
        standing[:, :2] @ matrix[:, :2].T + matrix[:, 2], points @ there[:, :2].T + there[:, 2], atol=1e-3
    )


@pytest.mark.parametrize("seed", range(12))
def test_keypoints_go_where_their_pixels_go(crop, standing, seed):
    found = sample(crop, standing, seed, any_turn=0.6, tilt=0.4, scale=(0.7, 1.35), shift=0.15, half_body=0.3)
    seen = found.keypoints[:, 2] > 0
    inside = seen & ((found.keypoints[:, :2] > 2) & (found.keypoints[:, :2] < (189, 253))).all(1)
    assert inside.sum() >= 4
    np.testing.assert_allclose(origin(found.pixels, found.keypoints[inside]), standing[inside, :2], atol=4)


def test_a_mirror_exchanges_sides(crop, standing):
    plain, mirrored = sample(crop, standing), sample(crop, standing, mirror=1)
    np.testing.assert_allclose(mirrored.pixels, plain.pixels[:, ::-1], atol=2)
    expected = plain.keypoints[list(FLIP)]
    expected[:, 0] = 191 - expected[:, 0]
    np.testing.assert_allclose(mirrored.keypoints, expected, atol=1e-3)


def test_unknown_stays_unknown_and_what_is_cut_off_says_so(crop, standing):
    standing[Keypoint.NOSE] = 0, 0, Visibility.UNKNOWN
    standing[Keypoint.LEFT_EAR] = 0, 0, Visibility.ABSENT
    standing[Keypoint.LEFT_ANKLE, :2] = 383, 383
    found = sample(crop, standing).keypoints
    assert found[Keypoint.NOSE].tolist() == [0, 0, Visibility.UNKNOWN]
    assert found[Keypoint.LEFT_EAR].tolist() == [0, 0, Visibility.ABSENT]
    assert found[Keypoint.LEFT_ANKLE].tolist() == [0, 0, CUT_OFF]


def test_half_bodies_fill_the_sample(crop, standing):
    """Somebody behind a desk has no ankles, and the crop on disk keeps its pixels."""
    before = crop.copy()
    kinds = set()
    for seed in range(40):
        found = sample(crop, standing, seed, half_body=1)
        kept = found.keypoints[:, 2] > 0
        kinds.add((bool(kept[Keypoint.NOSE]), bool(kept[Keypoint.LEFT_ANKLE]), found.whole))
    assert kinds >= {(True, False, True), (True, False, False), (False, True, True), (False, True, False)}
    np.testing.assert_array_equal(crop, before)


def test_what_is_painted_over_is_hidden(crop, standing):
    changed = [sample(crop, standing, seed, erase=1).keypoints[:, 2] for seed in range(20)]
    assert {float(value) for row in changed for value in row} == {Visibility.SEEN, Visibility.HIDDEN}


def test_turns_are_spread_as_asked(crop, standing):
    turns = np.array(
        [sample(crop, standing, seed, any_turn=0.5, tilt=0.25, upright_degrees=5).turn for seed in range(400)]
    )
    assert np.mean(np.abs(turns) > 45) == pytest.approx(0.5 * 0.75, abs=0.07)
    assert np.mean(np.abs(turns) < 5) == pytest.approx(0.25 + 0.5 * 10 / 360 + 0.25 * 5 / 45, abs=0.07)
