"""Given keypoints: found by the end of a picture's path, used in the network's place."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from index.building.build import build_index
from index.building.given_keypoints import GivenKeypoints
from index.errors import KeypointsError
from pose.weight_files.digest import sha256
from tests.worlds import person


def write(path: Path, paths: list[str], keypoints: np.ndarray) -> Path:
    np.savez(path, path=np.array(paths), keypoint=keypoints)
    return path


def test_the_longest_end_of_the_path_counts(tmp_path: Path) -> None:
    people = np.stack([person(100 * n, 50, 100 + n) for n in range(4)])
    given = GivenKeypoints(write(tmp_path / "k.npz", ["a.jpg", "s/a.jpg", "t/s/a.jpg", "s/a.jpg"], people))
    found = given.people([Path("x/a.jpg"), Path("x/s/a.jpg"), Path("x/t/s/a.jpg"), Path("x/b.jpg")])
    assert [len(poses) for poses in found] == [1, 2, 1, 0]
    np.testing.assert_array_equal(found[1].keypoints, people[[1, 3]])
    np.testing.assert_array_equal(found[2].keypoints, people[[2]])
    low, high = people[2, :, :2].min(0), people[2, :, :2].max(0)
    assert (found[2].boxes[0, :2] < low).all()
    assert (found[2].boxes[0, 2:] > high).all()
    assert found[2].scores.tolist() == [1]


def test_a_relative_path_is_known_by_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = GivenKeypoints(write(tmp_path / "k.npz", ["test/s/a.jpg"], person(0, 0)[None]))
    (tmp_path / "test").mkdir()
    monkeypatch.chdir(tmp_path / "test")
    assert len(given.people([Path("s/a.jpg")])[0]) == 1


def test_a_database_is_built_from_them(tmp_path: Path) -> None:
    for name in ("standing/a.png", "standing/b.png", "sitting/c.png"):
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "pictures" / name), np.full((40, 30, 3), len(name) + ord(name[-5]), np.uint8))
    people = np.stack([person(10, 10, 60), person(12, 10, 64)])
    given = GivenKeypoints(write(tmp_path / "k.npz", ["standing/a.png", "sitting/c.png"], people))
    index, report = build_index(tmp_path / "pictures", given, prefix=tmp_path / "db", progress=False)
    assert index.labels == ("sitting", "standing")
    np.testing.assert_array_equal(index.examples.keypoints, people[::-1])
    assert index.examples.sizes.tolist() == [[40, 30]] * 2
    assert report.reasons().startswith("no person found 1")
    assert index.networks == given.parts == (("given keypoints", sha256(tmp_path / "k.npz")),)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(KeypointsError, match=r"k\.npz is missing"):
        GivenKeypoints(tmp_path / "k.npz")
    (tmp_path / "text.npz").write_text("keypoints")
    with pytest.raises(KeypointsError, match=r"text\.npz is no file of keypoints. Expected is a \.npz with the arrays"):
        GivenKeypoints(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", path=np.array(["a"]))
    with pytest.raises(KeypointsError, match="is no file of keypoints"):
        GivenKeypoints(tmp_path / "other.npz")
    np.savez(tmp_path / "objects.npz", path=np.array(["a", None]), keypoint=np.zeros((2, 17, 3)))
    with pytest.raises(KeypointsError, match="is no file of keypoints"):
        GivenKeypoints(tmp_path / "objects.npz")
    with pytest.raises(KeypointsError, match=r"keypoint \(2, 17, 2\)"):
        GivenKeypoints(write(tmp_path / "flat.npz", ["a", "b"], np.zeros((2, 17, 2))))
