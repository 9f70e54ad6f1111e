"""Class folders as people really have them."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from index.building.pictures import find_pictures, printable
from index.errors import FolderError, FolderMissing
from pose.datasets.picture_file import decode_picture
from pose.errors import PictureError


def scene() -> np.ndarray:
    """A picture whose corners differ: top left blue, top right green, bottom left red, bottom right grey."""
    picture = np.full((40, 60, 3), 128, np.uint8)
    picture[:20, :30], picture[:20, 30:], picture[20:, :30] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return picture


def encode(suffix: str, picture: np.ndarray) -> bytes:
    done, data = cv2.imencode(suffix, picture)
    assert done
    return data.tobytes()


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF block that says how it is to be turned."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    block = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "images_data"


def put(path: Path, data: bytes | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(".png", scene()) if data is None else data)
    return path


def test_nesting_and_odd_names(root: Path) -> None:
    names = ["a.jpg", "deep/er/b.PNG", "spa ce ½ größer.webp", "new\nline.jpeg", "-dash.bmp", "no_suffix"]
    for name in names:
        put(root / "standing" / name)
    put(root / "sitting" / "c.jpg")
    (root / "empty").mkdir()
    found = find_pictures(root)
    assert found.classes == ("empty", "sitting", "standing")
    assert [picture.label for picture in found.pictures] == ["sitting"] + ["standing"] * 6
    assert {str(picture.path.relative_to(root / "standing")) for picture in found.pictures[1:]} == set(names)
    assert list(found.pictures) == sorted(found.pictures, key=lambda picture: (picture.label, picture.path))
    assert find_pictures(str(root)) == found


def test_names_that_are_not_utf8(root: Path) -> None:
    put(root / "standing" / os.fsdecode(b"\xff\xfe.jpg"))
    put(root / os.fsdecode(b"s\xe4tze") / "a.jpg")
    found = find_pictures(root)
    assert found.classes == ("standing", "s\ufffdtze")
    assert printable(found.pictures[0].path.name) == "\\xff\\xfe.jpg"


def test_labels_do_not_depend_on_how_a_disk_spells_letters(root: Path) -> None:
    put(root / "gro\u0308sser" / "a.jpg")
    assert find_pictures(root).classes == ("gr\u00f6sser",)


def test_what_is_no_picture_is_passed_over(root: Path) -> None:
    put(root / "standing" / "a.jpg")
    for name in (".hidden.jpg", "._a.jpg", ".git/b.jpg", "__MACOSX/c.jpg"):
        put(root / "standing" / name)
    for name in ("notes.txt", "Thumbs.db", "clip.mp4"):
        put(root / "standing" / name, b"something else")
    put(root / ".cache" / "d.jpg")
    put(root / "loose.jpg")
    put(root / "README.md", b"text")
    found = find_pictures(root)
    assert [picture.path.name for picture in found.pictures] == ["a.jpg"]
    assert found.classes == ("standing",)
    assert sorted(path.name for path in found.others) == ["README.md", "Thumbs.db", "clip.mp4", "notes.txt"]
    assert [path.name for path in found.outside] == ["loose.jpg"]


def test_links_within_a_class_and_to_stores_of_pictures_are_followed(root: Path, tmp_path: Path) -> None:
    put(root / "standing" / "a.jpg")
    (root / "standing" / "loop").symlink_to(root / "standing")
    put(tmp_path / "elsewhere" / "b.jpg")
    (root / "sitting").symlink_to(tmp_path / "elsewhere")
    put(tmp_path / "store" / "1234")
    (root / "standing" / "c.jpg").symlink_to(tmp_path / "store" / "1234")
    found = find_pictures(root)
    assert [(picture.label, picture.path.name) for picture in found.pictures] == [
        ("sitting", "b.jpg"), ("standing", "a.jpg"), ("standing", "c.jpg"),
    ]  # fmt: skip
    assert found.left_out == ()


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("aaa/loop", ".."), ("aaa/up", "../.."), ("aaa/other", "../bbb"), ("aaa/deep", "../bbb/deep"),
        ("aaa/b.jpg", "../bbb/b.jpg"), ("aaa/outside", "../../outside"), ("aaa/gone.jpg", "nowhere.jpg"),
        ("aaa/round", "round"), ("aaa/loose.jpg", "../loose.jpg"), ("ccc", "bbb"), ("ccc", "."), ("ccc", ".."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("relative", [True, False])
def test_links_that_lead_out_of_their_class_are_left_out_and_named(
    root: Path, tmp_path: Path, link: str, target: str, relative: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root / "aaa" / "a.jpg")
    put(root / "bbb" / "b.jpg")
    put(root / "bbb" / "deep" / "c.jpg")
    put(root / "loose.jpg")
    put(tmp_path / "outside" / "d.jpg")
    (root / link).symlink_to(target)
    if relative:
        monkeypatch.chdir(tmp_path)
        root = Path(root.name)
    found = find_pictures(root)
    assert [picture.path.name for picture in found.pictures] == ["a.jpg", "b.jpg", "c.jpg"]
    assert found.left_out == (root / link,)
    assert found.classes == ("aaa", "bbb")


def test_a_class_folder_that_is_a_link_may_be_turned_in_itself(root: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "deep" / "b.jpg")
    (tmp_path / "elsewhere" / "again").symlink_to("deep")
    root.mkdir()
    (root / "sitting").symlink_to(tmp_path / "elsewhere")
    found = find_pictures(root)
    assert len(found.pictures) == 1
    assert found.left_out == ()


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    put(root / "standing" / "a.jpg")
    os.mkfifo(root / "standing" / "pipe.jpg")
    assert [picture.path.name for picture in find_pictures(root).pictures] == ["a.jpg"]


def test_no_such_folder(root: Path) -> None:
    with pytest.raises(FolderMissing, match=r"no folder .*FOLDER/standing/\*\.jpg"):
        find_pictures(root)
    put(root)
    with pytest.raises(FolderError, match="is not a folder"):
        find_pictures(root)


def test_an_empty_folder(root: Path) -> None:
    root.mkdir()
    with pytest.raises(FolderError, match=r"is empty\. Expected is one folder per posture"):
        find_pictures(root)
    (root / "standing").mkdir()
    put(root / "sitting" / "notes.txt", b"text")
    with pytest.raises(FolderError, match="no pictures in the folder"):
        find_pictures(root)


def test_pictures_without_class_folders(root: Path) -> None:
    put(root / "a.jpg")
    put(root / "b.jpg")
    with pytest.raises(FolderError, match=r"2 picture\(s\) but no class folders.*standing/\*\.jpg"):
        find_pictures(root)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff", ".ppm", ".jp2", ".gif"])
def test_formats(suffix: str) -> None:
    picture = decode_picture(encode(suffix, scene()))
    assert picture.shape == (40, 60, 3)
    assert picture.dtype == np.uint8
    blue, green, red = picture[5, 10].astype(int), picture[5, 50].astype(int), picture[35, 10].astype(int)
    assert (blue.argmax(), green.argmax(), red.argmax()) == (0, 1, 2)


@pytest.mark.parametrize(
    ("turned", "how"),
    [
        (6, cv2.ROTATE_90_CLOCKWISE),
        (3, cv2.ROTATE_180),
        (8, cv2.ROTATE_90_COUNTERCLOCKWISE),
    ],
)
def test_exif_turns_the_picture_upright(turned: int, how: int) -> None:
    picture = decode_picture(with_orientation(encode(".jpg", scene()), turned))
    expected = cv2.rotate(scene(), how)
    assert picture.shape == expected.shape
    assert np.abs(picture.astype(int) - expected).mean() < 10


def test_depth_grey_and_transparency() -> None:
    deep = decode_picture(encode(".png", scene().astype(np.uint16) * 257))
    np.testing.assert_array_equal(deep, scene())
    grey = decode_picture(encode(".png", scene()[:, :, 0]))
    np.testing.assert_array_equal(grey, np.repeat(scene()[:, :, :1], 3, axis=2))
    clear = decode_picture(encode(".png", np.dstack([scene(), scene()[:, :, 0]])))
    np.testing.assert_array_equal(clear, scene())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_damaged_picture_is_named(suffix: str) -> None:
    random = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    data = encode(suffix, random)
    for damaged in (b"", b"hello", data[:20], data[: len(data) // 2]):
        with pytest.raises(PictureError, match=r"x\.jpg cannot be read as a picture"):
            decode_picture(damaged, "x.jpg")
