"""`PackedCrops`: every labelled person cut out once, in arrays that lie on disk and are read as they are needed.

Decoding a picture can take longer than a step on a person in it, so pictures are decoded once, before training.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.datasets.labelled import LabelledPicture
from pose.datasets.picture_file import read_picture
from pose.errors import LabelsMissing, TrainingError, reason_of
from pose.keypoints import KEYPOINT_COUNT

__all__ = ["CROP_SIDE", "ROOM", "PackedCrops", "pack_crops"]

CROP_SIDE: Final = 384
ROOM: Final = 2.0  # side of the crop over the height of the person's box, grown to the network's 3:4
SHRUNK_FIRST: Final = 0.6  # people drawn smaller than this are reduced with averaging first: warping leaves pixels out


@dataclass(frozen=True, slots=True, eq=False)
class PackedCrops:
    """People to learn from, one row each.

    Attributes:
        pixels: uint8 `[N, 384, 384, 3]`, BGR: a square of the picture around the middle of the person's box. Its side
            is twice the height of that box grown to 3:4. Zeros beyond the picture.
        keypoints: float32 `[N, 17, 3]`: x, y in pixels of the crop, the middle of its first pixel being 0, 0; and
            `Visibility`.
        boxes: float32 `[N, 4]`: x1, y1, x2, y2 in pixels of the crop.
        sets: int32 `[N]`: place of the person's set in `names`.
        names: of the sets.
    """

    pixels: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    boxes: NDArray[np.float32]
    sets: NDArray[np.int32]
    names: tuple[str, ...]

    @classmethod
    def open(cls, folder: str | Path) -> PackedCrops:
        """Open what `pack_crops` wrote; the pixels stay on disk.

        Raises:
            LabelsMissing: a file is not there.
            TrainingError: the arrays do not belong together.
        """
        folder = Path(folder)
        try:
            found = cls(
                np.load(folder / "crops.npy", mmap_mode="r"),
                np.load(folder / "keypoints.npy"),
                np.load(folder / "box.npy"),
                np.load(folder / "set.npy"),
                tuple(json.loads((folder / "names.json").read_text(encoding="utf-8"))),
            )
        except FileNotFoundError as error:
            raise LabelsMissing(f"{error.filename} is missing. Pack the pictures again.") from error
        count = len(found.pixels)
        if (
            found.pixels.shape != (count, CROP_SIDE, CROP_SIDE, 3)
            or found.keypoints.shape != (count, KEYPOINT_COUNT, 3)
            or found.boxes.shape != (count, 4)
            or found.sets.shape != (count,)
        ):
            raise TrainingError(f"The arrays in {folder} do not belong together. Pack the pictures again.")
        return found

    def __len__(self) -> int:
        return len(self.pixels)

    def __repr__(self) -> str:
        return f"PackedCrops(people={len(self)}, sets={', '.join(self.names)})"


def pack_crops(pictures: Sequence[LabelledPicture], folder: str | Path) -> PackedCrops:
    """Cut out everybody who has a labelled keypoint. The set of a person is the file name before its first `_`.

    Args:
        folder: made if it is missing; 442 kB a person.

    Raises:
        TrainingError: nobody is labelled, the disk is too full, or the folder cannot be written.
        PictureError: a picture cannot be read.
    """
    folder = Path(folder)
    wanted = [(picture.keypoints[..., 2] > 0).any(1) & ~picture.crowd for picture in pictures]
    count = int(sum(people.sum() for people in wanted))
    if not count:
        raise TrainingError(f"Nobody is labelled in {len(pictures)} pictures. See `stance train --help` for formats.")
    sets = [picture.path.name.partition("_")[0] for picture in pictures]
    names = sorted(set(sets))
    keypoints = np.zeros((count, KEYPOINT_COUNT, 3), np.float32)
    boxes = np.zeros((count, 4), np.float32)
    of_set = np.zeros(count, np.int32)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_full_disk(folder, count)
        pixels = np.lib.format.open_memmap(
            folder / "crops.npy", mode="w+", dtype=np.uint8, shape=(count, CROP_SIDE, CROP_SIDE, 3)
        )
        row = 0
        for picture, people, name in zip(pictures, wanted, sets, strict=True):
            if not people.any():
                continue
            image = read_picture(picture.path)
            for person in np.flatnonzero(people):
                matrix = _square_around(picture.boxes[person])
                pixels[row] = _cut(image, matrix)
                keypoints[row] = picture.keypoints[person]
                known = keypoints[row, :, 2] > 0
                keypoints[row, known, :2] = keypoints[row, known, :2] @ matrix[:, :2].T + matrix[:, 2]
                boxes[row] = (picture.boxes[person].reshape(2, 2) @ matrix[:, :2].T + matrix[:, 2]).reshape(4)
                of_set[row] = names.index(name)
                row += 1
        pixels.flush()
        np.save(folder / "keypoints.npy", keypoints)
        np.save(folder / "box.npy", boxes)
        np.save(folder / "set.npy", of_set)
        (folder / "names.json").write_text(json.dumps(names), encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{folder} cannot be written: {reason_of(error)}. Name another.") from error
    return PackedCrops.open(folder)


def _refuse_full_disk(folder: Path, people: int) -> None:
    """Raise before an array is begun: writing to one on a full disk ends the process without a word."""
    old = folder / "crops.npy"
    free = shutil.disk_usage(folder).free + (old.stat().st_size if old.is_file() else 0)
    needed = people * CROP_SIDE**2 * 3
    if free < needed:
        raise TrainingError(
            f"Crops of {people} people need {needed / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB are free. "
            "Name another folder."
        )


def _square_around(box: NDArray[np.float32]) -> NDArray[np.float64]:
    """From pixels of the picture to pixels of the crop, `[2, 3]`, as `cv2.warpAffine` takes it."""
    x1, y1, x2, y2 = box.astype(float)
    scale = CROP_SIDE / (ROOM * max(y2 - y1, (x2 - x1) * 4 / 3, 1.0))
    centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) - 0.5  # boxes count from the corner of the picture
    middle = (CROP_SIDE - 1) / 2
    return np.array([[scale, 0.0, middle - scale * centre[0]], [0.0, scale, middle - scale * centre[1]]])


def _cut(image: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    if matrix[0, 0] < SHRUNK_FIRST:
        height, width = image.shape[:2]
        size = max(1, round(width * matrix[0, 0])), max(1, round(height * matrix[0, 0]))
        shares = np.array(size) / (width, height)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        matrix = matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ (0.5 / shares - 0.5)  # from reduced to whole pixels, then to the crop
        matrix[:, :2] /= shares
    return cv2.warpAffine(image, matrix, (CROP_SIDE, CROP_SIDE), flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
