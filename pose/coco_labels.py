"""COCO keypoint JSON: the pictures and the people that `person_keypoints_val2017.json` and its like list."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pose.errors import LabelsError, LabelsMissing, PictureError
from pose.keypoints import KEYPOINT_COUNT
from pose.label_faults import Faults, person_faults
from pose.labelled import AREA_PER_BOX, LabelledPicture, LabelledSet
from pose.picture_size import picture_size

__all__ = ["read_coco"]

_PIXELS: Final = "pixels of the picture"
_KEYPOINT_FILE: Final = "COCO's keypoint labels are in its files person_keypoints_*.json"


def read_coco(path: Path, images: str | Path | None = None) -> LabelledSet:
    """Read a COCO keypoint JSON file.

    Every picture that the file lists is read, also those without people. Annotations of other categories than `person`
    are passed over. A crowd may lack keypoints.

    Args:
        images: folder of the pictures. None looks beside the file and one folder up: there, in `images/`, and in a
            folder named as the end of the file's name, as `val2017/` for `person_keypoints_val2017.json`.

    Raises:
        LabelsMissing: the pictures are not there.
        LabelsError: the file cannot be used; one line for each of the first faults.
    """
    content = _load(path)
    listed, by_picture = _pictures(path, content), _people(path, content)
    folder = _picture_folder(path, images, [picture["file_name"] for picture in listed.values()])
    if strangers := sorted(by_picture.keys() - listed.keys()):
        raise LabelsError(
            f"{path} labels people in picture {strangers[0]}, which its images do not list. Add it there."
        )
    pictures: list[LabelledPicture] = []
    estimated = False
    faults = Faults()
    for number, picture in listed.items():
        file = folder / picture["file_name"]
        try:
            size = picture_size(file)
        except PictureError as error:
            faults.add(str(error))
            continue
        if size != (picture["height"], picture["width"]):
            faults.add(
                f"{file} is {size[1]}×{size[0]} px, but {path} says {picture['width']}×{picture['height']}. "
                "Use the pictures that were labelled, turned as they were then."
            )
            continue
        people = by_picture.get(number, [])
        estimated |= any("area" not in person for person in people)
        pictures.append(_picture(path, file, size, people, number, faults))
    faults.check()
    return LabelledSet(tuple(pictures), estimated)


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise LabelsError(f"{path} cannot be read: {error.strerror}. Make it readable.") from error
    except json.JSONDecodeError as error:
        raise LabelsError(
            f"{path} line {error.lineno} column {error.colno} is not JSON: {error.msg}. Write or fetch the file again."
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise LabelsError(f"{path} is not JSON. Write or fetch the file again.") from error
    for key in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise LabelsError(f"{path} has no list named {key!r}, so it is no COCO file. {_KEYPOINT_FILE}.")
    return content


def _pictures(path: Path, content: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The listed pictures by their id, in the order of the file."""
    listed: dict[int, dict[str, Any]] = {}
    faults = Faults()
    for position, picture in enumerate(content["images"], 1):
        match picture:
            case {"id": int(number), "file_name": str(), "height": int(), "width": int()}:
                if number in listed:
                    faults.add(f"{path} lists picture {number} twice. Number the pictures differently.")
                listed[number] = picture
            case _:
                faults.add(f"{path}: picture {position} of its images lacks id, file_name, height or width. Add them.")
    faults.check()
    if not listed:
        raise LabelsError(f"{path} lists no pictures. {_KEYPOINT_FILE}.")
    return listed


def _people(path: Path, content: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
    """The annotations of people by the id of their picture."""
    persons = {
        category["id"]
        for category in content.get("categories", [])
        if isinstance(category, dict) and category.get("name") == "person" and "id" in category
    }
    by_picture: dict[int, list[dict[str, Any]]] = defaultdict(list)
    faults = Faults()
    keypoints = False
    for position, person in enumerate(content["annotations"], 1):
        match person:
            case {"image_id": int(number), "bbox": [_, _, _, _]}:
                if not persons or person.get("category_id") in persons:
                    by_picture[number].append(person)
                    keypoints |= "keypoints" in person
            case _:
                faults.add(f"{path}: annotation {position} lacks image_id or a bbox of 4 numbers. Add them.")
    faults.check()
    if by_picture and not keypoints:
        raise LabelsError(f"{path} has boxes but no keypoints. {_KEYPOINT_FILE}.")
    return by_picture


def _picture_folder(path: Path, images: str | Path | None, names: list[str]) -> Path:
    """The folder that holds the listed pictures.

    Raises:
        LabelsMissing: there is none, or some of them are not in it.
    """
    if images is None:
        split = path.stem.rpartition("_")[2]
        places = [base / inner for base in (path.parent, path.parent.parent) for inner in ("", "images", split)]
        places += [base / "images" / split for base in (path.parent, path.parent.parent)]
    else:
        places = [Path(images)]
    folder = next((place for place in places if (place / names[0]).is_file()), None)
    if folder is None:
        where = ", ".join(str(place) for place in places)
        raise LabelsMissing(f"{names[0]}, which {path} lists, is not in {where}. Name the folder of the pictures.")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise LabelsMissing(
            f"{len(missing)} of {len(names)} pictures that {path} lists are not in {folder}, such as {missing[0]}. "
            "Put them there, or take them out of the file."
        )
    return folder


def _picture(
    path: Path, file: Path, size: tuple[int, int], people: list[dict[str, Any]], number: int, faults: Faults
) -> LabelledPicture:
    """One picture; nobody in it where there is a fault."""
    height, width = size
    sound = True
    boxes, keypoints = np.zeros((len(people), 4)), np.zeros((len(people), KEYPOINT_COUNT, 3))
    areas, crowd = np.zeros(len(people)), np.zeros(len(people), np.bool_)
    for row, person in enumerate(people):
        name = f"{path}: annotation {person.get('id', '(without id)')} of picture {number}"
        crowd[row] = bool(person.get("iscrowd"))
        given = person.get("keypoints", [0] * 3 * KEYPOINT_COUNT if crowd[row] else [])
        try:
            points = np.array(given, np.float64)
            x, y, w, h = (float(value) for value in person["bbox"])
            areas[row] = float(person.get("area", AREA_PER_BOX * w * h))
        except (TypeError, ValueError):
            faults.add(f"{name} holds something else than numbers. Correct it, or take it out.")
            sound = False
            continue
        if points.shape != (3 * KEYPOINT_COUNT,):
            faults.add(
                f"{name} has {points.size} numbers in keypoints, not 51 (x y v for each of 17). {_KEYPOINT_FILE}."
            )
            sound = False
            continue
        if not areas[row] >= 0 or np.isinf(areas[row]):
            faults.add(f"{name}: the area is {areas[row]:g}; expected are square pixels. Correct it, or take it out.")
            sound = False
        boxes[row] = x + w / 2, y + h / 2, w, h
        keypoints[row] = points.reshape(KEYPOINT_COUNT, 3)
    if sound:
        for row, sentence in person_faults(boxes, keypoints, width, height, _PIXELS):
            name = f"{path}: annotation {people[row].get('id', '(without id)')} of picture {number}"
            faults.add(f"{name}: {sentence}. Correct it, or take it out.")
            sound = False
    rows = slice(None) if sound else slice(0)
    keypoints[keypoints[..., 2] <= 0, :2] = 0
    return LabelledPicture(
        file, size, _corners(boxes[rows]), keypoints[rows].astype(np.float32), areas[rows].astype(np.float32),
        crowd[rows], number,
    )  # fmt: skip


def _corners(boxes: NDArray[np.float64]) -> NDArray[np.float32]:
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], 1).astype(np.float32)
