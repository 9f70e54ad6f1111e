"""Near-duplicates: a copy that was shrunk, recompressed, brightened, cut or mirrored is found; a stranger is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose.datasets.near_duplicates import fingerprints, near_duplicates

Change = Callable[[np.ndarray], np.ndarray]


def scene(seed: int, height: int = 240, width: int = 320) -> np.ndarray:
    """A landscape: bright sky above dark ground, the same in each, and things of its own before it."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 210, np.uint8)
    picture[int(0.6 * height) :] = 50
    for _ in range(12):
        x, y = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(width // 12, width // 4), rng.integers(height // 12, height // 4)
        cv2.rectangle(picture, (int(x), int(y)), (int(x + w), int(y + h)), rng.integers(0, 255, 3).tolist(), -1)
    return picture


def saved(folder: Path, name: str, picture: np.ndarray, quality: int = 90) -> Path:
    path = folder / name
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return path


CHANGES: dict[str, Change] = {
    "as it is": lambda picture: picture,
    "smaller": lambda picture: cv2.resize(picture, (100, 75), interpolation=cv2.INTER_AREA),
    "stretched": lambda picture: cv2.resize(picture, (300, 300)),
    "mirrored": lambda picture: picture[:, ::-1],
    "brighter": lambda picture: cv2.convertScaleAbs(picture, alpha=0.8, beta=40),
    "grey": lambda picture: cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
    "cut": lambda picture: picture[5:-5, 6:-6],
    "mirrored and cut": lambda picture: picture[4:-4, -7:5:-1],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_copy_is_found(change: Change, tmp_path: Path) -> None:
    judging = [saved(tmp_path, f"judging{seed}.png", scene(seed)) for seed in range(8)]
    copy = saved(tmp_path, "copy.jpg", change(scene(5)), quality=60)
    assert near_duplicates([copy], judging) == {copy: judging[5]}


def test_strangers_of_the_same_layout_are_not(tmp_path: Path) -> None:
    judging = [saved(tmp_path, f"judging{seed}.png", scene(seed)) for seed in range(20)]
    training = [saved(tmp_path, f"training{seed}.png", scene(seed)) for seed in range(100, 120)]
    assert near_duplicates(training, judging) == {}


def test_pictures_of_one_colour_and_broken_files_are_nobodys_duplicates(tmp_path: Path) -> None:
    flat = saved(tmp_path, "flat.png", np.full((50, 40, 3), 90, np.uint8))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    whole = saved(tmp_path, "whole.png", scene(0))
    assert near_duplicates([flat, broken, whole], [broken, flat, whole]) == {whole: whole}


def test_nothing_to_compare(tmp_path: Path) -> None:
    whole = saved(tmp_path, "whole.png", scene(0))
    assert near_duplicates([], [whole]) == {}
    assert near_duplicates([whole], []) == {}
    assert fingerprints([]).shape == (0, 1024)


def test_fingerprints_correlate() -> None:
    """Their product is Pearson's correlation of the sharpened pictures: 1 with itself, −1 with its negative."""
    rows = fingerprints([scene(0), 255 - scene(0), scene(1)])
    assert rows.dtype == np.float32
    expected = np.corrcoef(rows)
    np.testing.assert_allclose(rows @ rows.T, expected, atol=1e-5)
    np.testing.assert_allclose(expected[0, :2], [1, -1], atol=0.02)


def test_real_pictures(shared: Path) -> None:
    """People lying on beds and mats: each is its own near-duplicate and no other's."""
    lying = sorted((shared / "data/postures/test/lying").glob("*.jpg"))
    assert near_duplicates(lying, lying) == {path: path for path in lying}
    assert near_duplicates(lying[::2], lying[1::2]) == {}
