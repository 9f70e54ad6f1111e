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

from pose.datasets.label_faults import Faults, person_faults
from pose.datasets.labelled import LabelledSet
from pose.datasets.picture_file import picture_size
from pose.errors import LabelsMissing, PictureError, reason_of
from pose.keypoints import KEYPOINT_COUNT

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
    files: list[tuple[Path, tuple[int, int], int, int]] = []
    origins: list[tuple[Path, int]] = []
    rows: list[list[float]] = []
    faults = Faults()
    for number, name in enumerate(names, 1):
        path = folder / "images" / name
        label = f"{path.stem}.txt"
        people = _read_lines(folder / "labels" / label, faults) if label in labels else {}
        try:
            files.append((path, picture_size(path), number, len(people)))
        except PictureError as error:
            faults.add(str(error))
        origins += [(folder / "labels" / label, line) for line in people]
        rows += people.values()
    faults.check()
    table = np.array(rows, np.float64).reshape(-1, COLUMNS)
    boxes, keypoints = table[:, 1:5], table[:, 5:].reshape(-1, KEYPOINT_COUNT, 3)
    for row in np.flatnonzero(table[:, 0] != 0).tolist():
        faults.add(
            "{} line {} is of class {:g}; only class 0, a person, has these keypoints. "
            "Take lines of other classes out.".format(*origins[row], table[row, 0])
        )
    for row, sentence in person_faults(boxes, keypoints, np.ones(2), _SHARES):
        faults.add("{} line {}: {}. Correct the line, or take it out.".format(*origins[row], sentence))
    faults.check()
    if lonely := sorted(labels - {f"{Path(name).stem}.txt" for name in names} - {"classes.txt"}):
        log.warning(
            "%d label files of %s have no picture in images/ and are passed over, such as %s.",
            len(lonely), folder, lonely[0],
        )  # fmt: skip
    sizes = np.array([(width, height) for _, (height, width), _, _ in files], np.float64)
    extent = np.repeat(sizes, [people for _, _, _, people in files], axis=0)
    return LabelledSet.from_rows(
        files,
        boxes * np.tile(extent, 2),
        keypoints * np.insert(extent, 2, 1, axis=1)[:, None],
        areas=np.full(len(rows), np.nan),
        crowd=np.zeros(len(rows), np.bool_),
    )


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


def _read_lines(path: Path, faults: Faults) -> dict[int, list[float]]:
    """The 56 numbers of every line by its number in the file, without the empty lines and the faulty ones."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        faults.add(f"{path} cannot be read: {reason_of(error)}. Make it readable.")
        return {}
    except UnicodeDecodeError:
        faults.add(f"{path} is not text. {_FORMAT}.")
        return {}
    people: dict[int, list[float]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and len(words) != COLUMNS:
            faults.add(f"{path} line {number} has {len(words)} columns, not {COLUMNS}. {_FORMAT}.")
        elif words:
            try:
                people[number] = [float(word) for word in words]
            except ValueError:
                column = next(column for column, word in enumerate(words, 1) if not _is_number(word))
                faults.add(f"{path} line {number} column {column} is {words[column - 1]!r}, not a number. {_FORMAT}.")
    return people


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
