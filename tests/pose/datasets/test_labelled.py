"""Reading labelled people: the same small world as YOLO-pose text and as COCO JSON, and every way to get it wrong."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pose.datasets.labelled import LabelledPicture, LabelledSet, Visibility
from pose.datasets.reading import read_labelled
from pose.errors import LabelsError, LabelsMissing

HEIGHT, WIDTH = 60, 80
BOX = (8.0, 6.0, 32.0, 48.0)  # x, y of the corner, width, height in pixels
POINTS = np.array([[8 + n, 6 + 2 * n, (2, 1, 0)[n % 3]] for n in range(17)], float)


def paint(path: Path, height: int = HEIGHT, width: int = WIDTH) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))
    return path


def line(points: np.ndarray = POINTS, box: tuple[float, ...] = BOX) -> str:
    x, y, width, height = box
    numbers = [(x + width / 2) / WIDTH, (y + height / 2) / HEIGHT, width / WIDTH, height / HEIGHT]
    numbers += (points / (WIDTH, HEIGHT, 1)).ravel().tolist()
    return " ".join(["0", *(f"{number:.6f}" for number in numbers)])


def yolo(root: Path, text: str | bytes = line()) -> Path:
    """`root` with one picture and these lines."""
    paint(root / "images" / "a.jpg")
    (root / "labels").mkdir(exist_ok=True)
    (root / "labels" / "a.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def coco(**changes: Any) -> dict[str, Any]:
    """The content of a COCO file with one picture and one person."""
    person = {"id": 5, "image_id": 9, "category_id": 1, "bbox": list(BOX), "area": 700.5, "iscrowd": 0,
              "keypoints": POINTS.ravel().tolist(), "num_keypoints": 12}  # fmt: skip
    return {
        "images": [{"id": 9, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH}],
        "annotations": [person | changes],
        "categories": [{"id": 1, "name": "person"}],
    }


def coco_file(root: Path, content: Any = None, name: str = "people.json", picture: str = "images/a.jpg") -> Path:
    paint(root / picture)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(coco() if content is None else content))
    return root / name


def check(picture: LabelledPicture) -> None:
    assert picture.size == (HEIGHT, WIDTH)
    np.testing.assert_allclose(picture.boxes, [[8, 6, 40, 54]], atol=1e-4)
    wanted = POINTS.copy()
    wanted[2::3] = 0  # absent: no position
    np.testing.assert_allclose(picture.keypoints[0], wanted, atol=1e-4)
    assert not picture.crowd.any()


# Reading


def test_yolo_folder(tmp_path: Path) -> None:
    labelled = read_labelled(yolo(tmp_path))
    (picture,) = labelled.pictures
    check(picture)
    assert picture.path == tmp_path / "images" / "a.jpg"
    np.testing.assert_allclose(picture.areas, [0.53 * 32 * 48], rtol=1e-5)
    assert labelled.area_is_estimated
    assert repr(labelled) == "LabelledSet(pictures=1, people=1)"
    assert repr(picture) == "LabelledPicture(a.jpg, 80×60, people=1)"


def test_coco_file(tmp_path: Path) -> None:
    labelled = read_labelled(coco_file(tmp_path))
    (picture,) = labelled.pictures
    check(picture)
    np.testing.assert_array_equal(picture.areas, np.array([700.5], np.float32))
    assert picture.image_id == 9
    assert not labelled.area_is_estimated


def test_pictures_without_people_count(tmp_path: Path) -> None:
    yolo(tmp_path, f"\n{line()}\r\n\r\n{line()}")
    for name in ("b", "c"):
        paint(tmp_path / "images" / f"{name}.png", 30, 20)
    (tmp_path / "labels" / "b.txt").write_text("\n")
    (tmp_path / "images" / ".hidden.jpg").write_bytes(b"")
    (tmp_path / "images" / "Thumbs.db").write_bytes(b"")
    labelled = read_labelled(tmp_path)
    assert [len(picture) for picture in labelled.pictures] == [2, 0, 0]
    assert [picture.image_id for picture in labelled.pictures] == [1, 2, 3]
    assert [picture.size for picture in labelled.pictures] == [(60, 80), (30, 20), (30, 20)]
    assert labelled.pictures[1].keypoints.shape == (0, 17, 3)

    content = coco()
    content["images"].insert(0, {"id": 2, "file_name": "b.png", "height": 30, "width": 20})
    labelled = read_labelled(coco_file(tmp_path, content, "labels.json"))
    assert [(picture.image_id, len(picture)) for picture in labelled.pictures] == [(2, 0), (9, 1)]


def test_unknown_keypoints_have_no_position(tmp_path: Path) -> None:
    points = POINTS.copy()
    points[4] = (1e4, np.nan, -1)
    points[0] = (-30, 20, 2)  # an annotator may place what the picture's edge cut off
    (picture,) = read_labelled(yolo(tmp_path, line(points))).pictures
    np.testing.assert_array_equal(picture.keypoints[0, 4], [0, 0, Visibility.UNKNOWN])
    np.testing.assert_allclose(picture.keypoints[0, 0], [-30, 20, Visibility.SEEN], atol=1e-4)


def test_coco_areas_crowds_and_categories(tmp_path: Path) -> None:
    content = coco()
    (person,) = content["annotations"]
    bare = {key: person[key] for key in ("image_id", "category_id", "bbox", "keypoints")}
    crowd = {"image_id": 9, "category_id": 1, "bbox": list(BOX), "iscrowd": 1, "area": 3}
    dog = {"image_id": 9, "category_id": 18, "bbox": list(BOX)}
    content["annotations"] = [dog, person, crowd, bare]
    content["categories"].append({"id": 18, "name": "dog"})
    labelled = read_labelled(coco_file(tmp_path, content))
    (picture,) = labelled.pictures
    np.testing.assert_allclose(picture.areas, [700.5, 3, 0.53 * 32 * 48], rtol=1e-6)
    np.testing.assert_array_equal(picture.crowd, [False, True, False])
    assert not picture.keypoints[1].any()
    assert labelled.area_is_estimated
    content["categories"] = []
    content["annotations"] = [person]
    assert len(read_labelled(coco_file(tmp_path, content)).pictures[0]) == 1


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("people.json", "a.jpg"),
        ("people.json", "images/a.jpg"),
        ("annotations/people.json", "images/a.jpg"),
        ("annotations/person_keypoints_val2017.json", "val2017/a.jpg"),
        ("annotations/person_keypoints_val2017.json", "images/val2017/a.jpg"),
        ("person_keypoints_val2017.json", "val2017/a.jpg"),
    ],
)
def test_where_pictures_of_a_coco_file_are_found(tmp_path: Path, name: str, picture: str) -> None:
    file = coco_file(tmp_path, name=name, picture=picture)
    for path in (file, tmp_path):  # the file, or the folder it is in
        assert read_labelled(path).pictures[0].path.resolve() == (tmp_path / picture).resolve()


def test_pictures_may_be_named(tmp_path: Path) -> None:
    file = coco_file(tmp_path, picture="far/away/a.jpg")
    with pytest.raises(LabelsMissing, match=r"a\.jpg, which .* lists, is not in .*Name the folder of the pictures\."):
        read_labelled(file)
    assert read_labelled(file, tmp_path / "far" / "away").pictures[0].path == tmp_path / "far" / "away" / "a.jpg"
    with pytest.raises(LabelsMissing, match=r"a\.jpg, which .* is not in .*nowhere\. Name"):
        read_labelled(file, tmp_path / "nowhere")


def test_labels_without_a_picture_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    yolo(tmp_path)
    (tmp_path / "labels" / "classes.txt").write_text("person")
    read_labelled(tmp_path)
    assert not caplog.records
    (tmp_path / "labels" / "lost.txt").write_text(line())
    assert len(read_labelled(tmp_path)) == 1
    assert "1 label files" in caplog.text
    assert "such as lost.txt" in caplog.text


def test_the_set_to_judge_by(shared: Path) -> None:
    labelled = read_labelled(shared / "data" / "coco_val300")
    assert repr(labelled) == "LabelledSet(pictures=300, people=852)"
    for picture in labelled.pictures[::30]:
        assert cv2.imread(str(picture.path)).shape[:2] == picture.size


# Values


def test_values_are_checked_and_read_only() -> None:
    boxes, points, areas = np.zeros((2, 4), np.float32), np.zeros((2, 17, 3)), np.ones(2)
    crowd = np.zeros(2, bool)
    picture = LabelledPicture(Path("a.jpg"), (1, 2), boxes, points, areas, crowd, 1)
    assert len(picture) == 2
    for array in (picture.boxes, picture.keypoints, picture.areas, picture.crowd):
        assert not array.flags.writeable
    assert (picture.keypoints.dtype, picture.areas.dtype, picture.crowd.dtype) == (np.float32, np.float32, np.bool_)
    boxes[0] = 1  # the caller's own stays writable
    with pytest.raises(ValueError, match=r"keypoints has shape \(2, 17, 2\), expected \(2, 17, 3\)"):
        LabelledPicture(Path("a.jpg"), (1, 2), boxes, points[..., :2], areas, crowd, 1)
    with pytest.raises(ValueError, match=r"crowd has shape \(1,\), expected \(2,\)"):
        LabelledPicture(Path("a.jpg"), (1, 2), boxes, points, areas, crowd[:1], 1)
    with pytest.raises(ValueError, match=r"boxes has shape \(2, 4\), expected \(N, 4\)"):
        LabelledPicture(Path("a.jpg"), (1, 2), boxes, points, areas[None], crowd, 1)
    with pytest.raises(AttributeError):
        LabelledSet((picture,), True).pictures = ()  # type: ignore[misc]


# Faults


def with_number(column: int, word: str) -> str:
    words = line().split()
    words[column] = word
    return " ".join(words)


YOLO_FAULTS = {
    "55 columns": (
        " ".join(line().split()[:-1]),
        r"a\.txt line 1 has 55 columns, not 56\. A line is 0 cx cy w h, then",
    ),
    "a box alone": ("0 .5 .5 .2 .2", r"a\.txt line 1 has 5 columns, not 56"),
    "a word": (with_number(8, "left"), r"a\.txt line 1 column 9 is 'left', not a number\. A line is"),
    "another class": (with_number(0, "7"), r"a\.txt line 1 is of class 7; only class 0, a person, has .* Take lines"),
    "pixels": (with_number(5, "312"), r"line 1: nose is at 312, .*; expected are shares of the picture, 0–1\. Correct"),
    "infinity": (with_number(6, "inf"), r"line 1: nose is at .*, inf; expected"),
    "box far away": (with_number(1, "3"), r"line 1: the centre of the box is at 3, 0\.5; expected are shares"),
    "box of nothing": (with_number(3, "0"), r"line 1: the box is 0 × 0\.8 large; expected are shares .*more than 0\."),
    "box too large": (with_number(4, "40"), r"line 1: the box is 0\.4 × 40 large"),
    "box not a number": (with_number(4, "nan"), r"line 1: the box is 0\.4 × nan large"),
    "visibility": (with_number(10, "3"), r"the visibility of left eye is 3; known are 2 seen, 1 hidden, 0 absent, -1"),
    "share of visibility": (with_number(7, "0.9"), r"the visibility of nose is 0\.9; known are"),
    "no text": (b"\xff\xfe\x00", r"a\.txt is not text\. A line is"),
}


@pytest.mark.parametrize("name", YOLO_FAULTS)
def test_faults_of_lines(tmp_path: Path, name: str) -> None:
    text, sentence = YOLO_FAULTS[name]
    with pytest.raises(LabelsError, match=sentence) as told:
        read_labelled(yolo(tmp_path, text))
    assert "\n" not in str(told.value)
    assert str(told.value).endswith(".")


def test_faults_are_told_together(tmp_path: Path) -> None:
    yolo(tmp_path, f"{line()}\n\n0 1\n{with_number(5, 'x')}\n")
    paint(tmp_path / "images" / "b.jpg")
    (tmp_path / "labels" / "b.txt").write_text("0")
    (tmp_path / "images" / "c.jpg").write_bytes(b"damaged")
    with pytest.raises(LabelsError) as told:
        read_labelled(tmp_path)
    sentences = str(told.value).splitlines()
    assert [sentence.rpartition("/")[2][:14] for sentence in sentences] == [
        "a.txt line 3 h", "a.txt line 4 c", "b.txt line 1 h", "c.jpg cannot b"
    ]  # fmt: skip
    (tmp_path / "labels" / "a.txt").write_text("0 1\n" * 9)
    with pytest.raises(LabelsError) as told:
        read_labelled(tmp_path)
    assert len(str(told.value).splitlines()) == 6
    assert str(told.value).endswith("There may be more; reading stopped here.")


COCO_FAULTS: dict[str, tuple[Callable[[], Any], str]] = {
    "a list": (lambda: [1], r"no list named 'images', so it is no COCO file\. COCO's keypoint labels are in"),
    "no annotations": (lambda: {"images": []}, r"no list named 'annotations'"),
    "no pictures": (lambda: coco() | {"images": []}, r"lists no pictures"),
    "boxes only": (
        lambda: coco() | {"annotations": [{"image_id": 9, "category_id": 1, "bbox": [1, 2, 3, 4]}]},
        r"has boxes but no keypoints\. COCO's keypoint labels are in its files person_keypoints",
    ),
    "a picture without size": (
        lambda: coco() | {"images": [{"id": 9, "file_name": "a.jpg"}]},
        r"picture 1 of its images lacks id, file_name, height or width\. Add them\.",
    ),
    "a picture twice": (lambda: coco() | {"images": coco()["images"] * 2}, r"lists picture 9 twice\. Number"),
    "another size": (
        lambda: coco() | {"images": [{"id": 9, "file_name": "a.jpg", "height": 80, "width": 60}]},
        r"a\.jpg is 80×60 px, but .* says 60×80\. Use the pictures that were labelled, turned",
    ),
    "an annotation without box": (
        lambda: coco(bbox=[1, 2]),
        r"annotation 1 lacks image_id or a bbox of 4 numbers\. Add",
    ),
    "an annotation that is none": (lambda: coco() | {"annotations": ["x"]}, r"annotation 1 lacks image_id"),
    "a stranger": (lambda: coco(image_id=3), r"labels people in picture 3, which its images do not list\. Add it"),
    "16 keypoints": (
        lambda: coco(keypoints=[1] * 48),
        r"annotation 5 of picture 9 has 48 numbers in its keypoints, not 51: x y v for each of 17\. Correct",
    ),
    "no word": (lambda: coco(keypoints=["a"] * 51), r"annotation 5 of picture 9 holds something else than numbers\."),
    "no number": (lambda: coco(bbox=[1, 2, None, 4]), r"annotation 5 of picture 9 holds something else than numbers"),
    "area of words": (lambda: coco(area="large"), r"annotation 5 of picture 9 holds something else than numbers"),
    "huge": (lambda: coco(area=10**400), r"annotation 5 of picture 9 holds something else than numbers"),
    "negative area": (lambda: coco(area=-4), r"annotation 5 of picture 9: the area is -4 square pixels\. Correct"),
    "box outside": (
        lambda: coco(bbox=[200, 1, 9, 9]),
        r"the centre of the box is at 204\.5, 5\.5; expected are pixels",
    ),
    "empty box": (lambda: coco(bbox=[1, 1, 0, 9]), r"the box is 0 × 9 large; expected are pixels of the picture, more"),
    "visibility": (lambda: coco(keypoints=[1, 1, 5] * 17), r"the visibility of nose is 5; known are"),
    "keypoint outside": (lambda: coco(keypoints=[999, 1, 2] * 17), r"nose is at 999, 1; expected are pixels"),
}


@pytest.mark.parametrize("name", COCO_FAULTS)
def test_faults_of_coco_files(tmp_path: Path, name: str) -> None:
    content, sentence = COCO_FAULTS[name]
    with pytest.raises(LabelsError, match=sentence) as told:
        read_labelled(coco_file(tmp_path, content()))
    assert "\n" not in str(told.value)
    assert str(told.value).endswith(".")


@pytest.mark.parametrize(
    "changes", [{"category_id": [1]}, {"iscrowd": "no"}, {"keypoints": 7}, {"keypoints": {"a": 1}}]
)
def test_odd_coco_values_are_no_tracebacks(tmp_path: Path, changes: dict[str, Any]) -> None:
    content = coco(**changes)
    content["categories"].append({"id": [2], "name": ["x"]})
    with contextlib.suppress(LabelsError):
        read_labelled(coco_file(tmp_path, content))


def test_files_that_are_no_coco(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"images":\n oops}')
    with pytest.raises(LabelsError, match=r"x\.json line 2 column 2 is not JSON: .*\. Write or fetch the file again\."):
        read_labelled(tmp_path / "x.json")
    (tmp_path / "x.json").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(LabelsError, match=r"x\.json is not JSON\. Write or fetch"):
        read_labelled(tmp_path / "x.json")
    (tmp_path / "x.txt").write_text("a")
    with pytest.raises(LabelsError, match=r"x\.txt is not a JSON file\. Expected is a folder with images/ and labels/"):
        read_labelled(tmp_path / "x.txt")


def test_folders_that_hold_no_set(tmp_path: Path) -> None:
    with pytest.raises(LabelsMissing, match=r"There is no .*nothing\. Expected is a folder with images/ and labels/"):
        read_labelled(tmp_path / "nothing")
    with pytest.raises(LabelsMissing, match=r"has neither labels/ nor a JSON file\. Expected"):
        read_labelled(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(LabelsMissing, match=r"has images/ but no labels/\. Expected"):
        read_labelled(tmp_path)
    (tmp_path / "labels").mkdir()
    with pytest.raises(LabelsMissing, match=r"There are no pictures in .*images\. Known are \.bmp, "):
        read_labelled(tmp_path)
    (tmp_path / "images" / "val2017").mkdir()
    with pytest.raises(
        LabelsMissing, match=r"It holds folders \(val2017\); give each its own pair of images/ and labels/"
    ):
        read_labelled(tmp_path)
    (tmp_path / "images" / "val2017").rmdir()
    (tmp_path / "images").rmdir()
    with pytest.raises(LabelsMissing, match=r"There is no folder .*images beside labels/\. Put the pictures there\."):
        read_labelled(tmp_path)


def test_several_coco_files(tmp_path: Path) -> None:
    for split in ("train2017", "val2017"):
        coco_file(tmp_path, name=f"annotations/person_keypoints_{split}.json", picture=f"{split}/a.jpg")
    with pytest.raises(
        LabelsError, match=r"several JSON files: annotations/person_keypoints_train2017\.json, .*Name the"
    ):
        read_labelled(tmp_path)


def test_missing_pictures_are_counted(tmp_path: Path) -> None:
    content = coco()
    content["images"] += [{"id": n, "file_name": f"{n}.jpg", "height": 1, "width": 1} for n in (1, 2)]
    with pytest.raises(LabelsMissing, match=r"2 of 3 pictures that .* lists are not in .*images, such as 1\.jpg\. Put"):
        read_labelled(coco_file(tmp_path, content))


def test_a_folder_of_pictures_is_for_json_only(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="has its pictures in images/"):
        read_labelled(yolo(tmp_path), images=tmp_path)
