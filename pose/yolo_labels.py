"""YOLO-pose folders: `images/NAME.jpg` and `labels/NAME.txt`, one line of 56 numbers for every person.

A line is `0 cx cy w h`, then `x y v` for each of the 17 keypoints, everything but the visibilities as shares of the
picture's width or height. A picture without a label file, or with an empty one, shows nobody. Areas are not given.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.errors import LabelsMissing, PictureError
from pose.keypoints import KEYPOINT_COUNT
from pose.label_faults import Faults, person_faults
from pose.labelled import AREA_PER_BOX, LabelledPicture, LabelledSet
from pose.picture_size import picture_size

__all__ = ["read_yolo"]

log = logging.getLogger(__name__)

COLUMNS: Final = 5 + 3 * KEYPOINT_COUNT
_SUFFIXES: Final = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_FORMAT: Final = "A line is 0 cx cy w h, then x y v for each of 17 keypoints"
_SHARES: Final = "shares of the picture, 0–1"


def read_yolo(folder: Path) -> LabelledSet:
    """Read a folder that holds `images/` and `labels/`.

    Pictures are numbered from 1 in the order of their names.

    Raises:
        LabelsMissing: there is no `images/`, or there are no pictures in it.
        LabelsError: labels cannot be used; one line for each of the first faults.
    """
    names = _pictures(folder / "images")
    labels = {entry.name for entry in os.scandir(folder / "labels") if entry.name.endswith(".txt")}
    pictures: list[LabelledPicture] = []
    faults = Faults()
    for number, name in enumerate(names, 1):
        path = folder / "images" / name
        label = f"{path.stem}.txt"
        rows = _read_rows(folder / "labels" / label, faults) if label in labels else _NOBODY
        try:
            size = picture_size(path)
        except PictureError as error:
            faults.add(str(error))
            continue
        pictures.append(_picture(path, size, rows, number))
    faults.check()
    if lonely := sorted(labels - {f"{Path(name).stem}.txt" for name in names} - {"classes.txt"}):
        log.warning(
            "%d label files of %s have no picture in images/ and are passed over, such as %s.",
            len(lonely), folder, lonely[0],
        )  # fmt: skip
    return LabelledSet(tuple(pictures), area_is_estimated=True)


def _pictures(images: Path) -> list[str]:
    """Names of the picture files, sorted."""
    if not images.is_dir():
        raise LabelsMissing(f"There is no folder {images} beside labels/. Put the pictures there.")
    names = sorted(name for name in os.listdir(images) if name.lower().endswith(_SUFFIXES) and name[0] != ".")
    if not names:
        folders = sorted(entry.name for entry in images.iterdir() if entry.is_dir())
        cure = (
            f"It holds folders ({', '.join(folders)}); give each its own pair of images/ and labels/"
            if folders
            else f"Known are {', '.join(_SUFFIXES)}"
        )
        raise LabelsMissing(f"There are no pictures in {images}. {cure}.")
    return names


_NOBODY: Final = np.zeros((0, COLUMNS))


def _read_rows(path: Path, faults: Faults) -> NDArray[np.float64]:
    """The lines of a label file: float64 `[N, 56]` as they stand there; nobody where there is a fault."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        faults.add(f"{path} cannot be read: {error.strerror}. Make it readable.")
        return _NOBODY
    except UnicodeDecodeError:
        faults.add(f"{path} is not text. {_FORMAT}.")
        return _NOBODY
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, words) for number, words in lines if words]
    sound = True
    for number, words in lines:
        if len(words) != COLUMNS:
            faults.add(f"{path} line {number} has {len(words)} columns, not {COLUMNS}. {_FORMAT}.")
            sound = False
        elif (column := _not_a_number(words)) is not None:
            faults.add(f"{path} line {number} column {column + 1} is {words[column]!r}, not a number. {_FORMAT}.")
            sound = False
    if not sound or not lines:
        return _NOBODY
    rows = np.array([words for _, words in lines], np.float64)
    for row in np.flatnonzero(rows[:, 0] != 0).tolist():
        faults.add(
            f"{path} line {lines[row][0]} is of class {rows[row, 0]:g}; only class 0, a person, has these keypoints. "
            "Take lines of other classes out."
        )
        sound = False
    for row, sentence in person_faults(rows[:, 1:5], rows[:, 5:].reshape(-1, KEYPOINT_COUNT, 3), 1, 1, _SHARES):
        faults.add(f"{path} line {lines[row][0]}: {sentence}. Correct the line, or take it out.")
        sound = False
    return rows if sound else _NOBODY


def _not_a_number(words: list[str]) -> int | None:
    """The position of the first word that is not a number."""
    for position, word in enumerate(words):
        try:
            float(word)
        except ValueError:
            return position
    return None


def _picture(path: Path, size: tuple[int, int], rows: NDArray[np.float64], number: int) -> LabelledPicture:
    height, width = size
    centre, extent = rows[:, 1:3] * (width, height), rows[:, 3:5] * (width, height)
    keypoints = rows[:, 5:].reshape(-1, KEYPOINT_COUNT, 3) * (width, height, 1)
    keypoints[keypoints[..., 2] <= 0, :2] = 0
    return LabelledPicture(
        path,
        size,
        boxes=np.concatenate([centre - extent / 2, centre + extent / 2], 1).astype(np.float32),
        keypoints=keypoints.astype(np.float32),
        areas=(AREA_PER_BOX * extent.prod(1)).astype(np.float32),
        crowd=np.zeros(len(rows), np.bool_),
        image_id=number,
    )
