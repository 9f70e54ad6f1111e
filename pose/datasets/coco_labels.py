"""COCO keypoint JSON: the pictures and the people that `person_keypoints_val2017.json` and its like list."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pose.datasets.label_faults import Faults, person_faults
from pose.datasets.labelled import LabelledSet
from pose.datasets.picture_file import picture_size
from pose.errors import LabelsError, LabelsMissing, PictureError, reason_of
from pose.keypoints import KEYPOINT_COUNT

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
    files: list[tuple[Path, tuple[int, int], int, int]] = []
    people: list[dict[str, Any]] = []
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
        files.append((file, size, number, len(by_picture[number])))
        people += by_picture[number]
    faults.check()
    boxes, keypoints, areas, crowd = _numbers(path, people, faults)
    extent = np.array(
        [(listed[person["image_id"]]["width"], listed[person["image_id"]]["height"]) for person in people]
    )
    for row, sentence in person_faults(boxes, keypoints, extent.reshape(-1, 2), _PIXELS):
        faults.add(f"{_name(path, people[row])}: {sentence}. Correct it, or take it out.")
    for row in np.flatnonzero((areas < 0) | np.isinf(areas)).tolist():
        faults.add(f"{_name(path, people[row])}: the area is {areas[row]:g} square pixels. Correct it, or take it out.")
    faults.check()
    return LabelledSet.from_rows(files, boxes, keypoints, areas, crowd)


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise LabelsError(f"{path} cannot be read: {reason_of(error)}. Make it readable.") from error
    except json.JSONDecodeError as error:
        raise LabelsError(
            f"{path} line {error.lineno} column {error.colno} is not JSON: {error.msg}. Write or fetch the file again."
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
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
    categories = content.get("categories")
    persons = [
        category.get("id")
        for category in (categories if isinstance(categories, list) else [])
        if isinstance(category, dict) and category.get("name") == "person"
    ]
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


def _numbers(
    path: Path, people: list[dict[str, Any]], faults: Faults
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Boxes (x, y of the centre, width, height), keypoints, areas (NaN where not given) and crowds, a row each.

    Raises:
        LabelsError: somebody's numbers are no numbers, or not as many as there should be.
    """
    boxes, keypoints = np.zeros((len(people), 4)), np.zeros((len(people), KEYPOINT_COUNT, 3))
    areas, crowd = np.full(len(people), np.nan), np.zeros(len(people), np.bool_)
    for row, person in enumerate(people):
        crowd[row] = bool(person.get("iscrowd"))
        try:
            x, y, width, height = (float(value) for value in person["bbox"])
            if (area := person.get("area")) is not None:
                areas[row] = float(area)
            points = np.array(person.get("keypoints") or (), np.float64)
        except (TypeError, ValueError, OverflowError):
            faults.add(f"{_name(path, person)} holds something else than numbers. Correct it, or take it out.")
            continue
        boxes[row] = x + width / 2, y + height / 2, width, height
        if points.shape == (3 * KEYPOINT_COUNT,):
            keypoints[row] = points.reshape(KEYPOINT_COUNT, 3)
        elif points.size or not crowd[row]:
            faults.add(
                f"{_name(path, person)} has {points.size} numbers in its keypoints, not {3 * KEYPOINT_COUNT}: "
                "x y v for each of 17. Correct it, or take it out."
            )
    faults.check()
    return boxes, keypoints, areas, crowd


def _name(path: Path, person: dict[str, Any]) -> str:
    return f"{path}: annotation {person.get('id', 'without id')} of picture {person['image_id']}"
