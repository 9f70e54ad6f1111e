"""Boxes in which a detector is told nothing: somebody may be there, but nobody is sure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose.datasets.labelled import LabelledPicture, LabelledSet, Visibility
from pose.errors import LabelsError
from pose.keypoints import KEYPOINT_COUNT

__all__ = ["with_ignored_boxes"]


def with_ignored_boxes(labelled: LabelledSet, folder: str | Path) -> LabelledSet:
    """The set with the boxes of `folder/NAME.txt` added as crowds. A picture without such a file has none.

    A line is `cx cy w h`, in shares of the picture's sides.

    Raises:
        LabelsError: a file holds something else.
    """
    return replace(labelled, pictures=tuple(_added(picture, Path(folder)) for picture in labelled.pictures))


def _added(picture: LabelledPicture, folder: Path) -> LabelledPicture:
    file = folder / f"{picture.path.stem}.txt"
    boxes = _read(file, picture.size) if file.is_file() else np.zeros((0, 4), np.float32)
    if not len(boxes):
        return picture
    keypoints = np.zeros((len(boxes), KEYPOINT_COUNT, 3), np.float32)
    keypoints[..., 2] = Visibility.UNKNOWN
    return replace(
        picture,
        boxes=np.concatenate([picture.boxes, boxes]),
        keypoints=np.concatenate([picture.keypoints, keypoints]),
        areas=np.concatenate([picture.areas, (boxes[:, 2:] - boxes[:, :2]).prod(1)]),
        crowd=np.concatenate([picture.crowd, np.ones(len(boxes), bool)]),
    )


def _read(file: Path, size: tuple[int, int]) -> NDArray[np.float32]:
    try:
        rows = np.array([line.split() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()], float)
        rows = rows.reshape(-1, 4) if not rows.size else rows
        if rows.shape[1:] != (4,) or not np.isfinite(rows).all():
            raise ValueError("not four numbers a line")
    except (OSError, ValueError) as error:
        raise LabelsError(f"{file} cannot be used. Expected is `cx cy w h` a line, in shares.") from error
    sides = np.array([size[1], size[0]], float)
    centre, half = rows[:, :2] * sides, rows[:, 2:] * sides / 2
    return np.concatenate([centre - half, centre + half], 1).astype(np.float32)
