"""The starter's recipe: the chosen pictures come out of git, and near-copies of judging pictures stay out."""

import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench import make_starter


def picture(seed: int) -> np.ndarray:
    """A picture of its own: large coloured patches."""
    patches = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return cv2.resize(patches, (96, 96), interpolation=cv2.INTER_NEAREST)


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture(seed))


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    repository = tmp_path / "stanford40"
    for name, seed in (("a.png", 1), ("b.png", 2), ("c.png", 3)):
        save(repository / "JPEGImages" / name, seed)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(repository)]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "pictures"]):
        subprocess.run([*git, *command], check=True)
    return repository


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    save(data / "postures" / "train" / "standing" / "d.png", 4)
    save(data / "postures" / "train" / "standing" / "e.png", 5)
    save(data / "postures" / "test" / "standing" / "other.png", 6)
    cv2.imwrite(str(data / "postures" / "test" / "standing" / "mirrored.png"), picture(5)[:, ::-1])
    save(data / "yoga" / "test" / "tree" / "same.png", 2)
    return data


def test_pictures_come_out_of_git_byte_for_byte(snapshot, tmp_path):
    make_starter.git_pictures(snapshot, "JPEGImages", ["c.png", "a.png"], tmp_path)
    for name in ("a.png", "c.png"):
        assert (tmp_path / name).read_bytes() == (snapshot / "JPEGImages" / name).read_bytes()
    with pytest.raises(FileNotFoundError, match=r"JPEGImages/z\.png"):
        make_starter.git_pictures(snapshot, "JPEGImages", ["z.png"], tmp_path)


def test_near_copies_of_judging_pictures_are_left_out(snapshot, data, tmp_path, monkeypatch):
    listing = tmp_path / "chosen.txt"
    listing.write_text("# by eye\nstanding a.png\nwalking b.png\nwalking c.png\n", encoding="utf-8")
    monkeypatch.setattr(make_starter, "CHOSEN", listing)
    into = tmp_path / "train"
    into.mkdir()
    assert make_starter.lay_out(data, snapshot, into) == {"standing": (2, 1), "walking": (1, 1)}
    assert sorted(str(path.relative_to(into)) for path in into.glob("*/*")) == [
        "standing/a.png", "standing/d.png", "walking/c.png",
    ]  # fmt: skip
    assert (data / "postures" / "train" / "standing" / "e.png").is_file()  # a link was taken away, not the picture


def test_without_judging_pictures_nothing_is_laid_out(snapshot, tmp_path):
    with pytest.raises(FileNotFoundError, match="postures/test"):
        make_starter.lay_out(tmp_path / "empty", snapshot, tmp_path)


def test_the_list_that_ships_names_every_picture_once():
    chosen = make_starter.chosen_pictures(make_starter.CHOSEN)
    names = [name for several in chosen.values() for name in several]
    assert len(names) == len(set(names))
    assert {"standing", "walking"} <= set(chosen)
    assert min(map(len, chosen.values())) >= 20
