"""`packed_once`: crops that are packed anew only where the pictures or their labels are others than last time."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pose.datasets.labelled import LabelledPicture
from pose.errors import PictureError, TrainingError, reason_of
from pose.training.keypoints.packed_crops import CROP_SIDE, ROOM, PackedCrops, pack_crops

__all__ = ["KEY", "data_key", "packed_once"]

log = logging.getLogger(__name__)

KEY: Final = "key.txt"


def packed_once(pictures: Sequence[LabelledPicture], folder: str | Path) -> PackedCrops:
    """Crops of the pictures: those that lie in `folder`, if they are of the same data; else they are packed there.

    Raises:
        TrainingError, PictureError: see `pack_crops`.
    """
    file, key = Path(folder) / KEY, data_key(pictures)
    if file.is_file() and file.read_text(encoding="utf-8") == key:
        return PackedCrops.open(folder)
    log.info("Cutting the people of %d pictures out into %s; this is done once.", len(pictures), folder)
    file.unlink(missing_ok=True)  # a stop while packing must not leave crops of two sets under one key
    crops = pack_crops(pictures, folder)
    try:
        file.write_text(key, encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{file} cannot be written: {reason_of(error)}. Name another folder.") from error
    return crops


def data_key(pictures: Sequence[LabelledPicture]) -> str:
    """Hexadecimal digest of the pictures' paths, sizes, times of change and labels, and of the crops' geometry.

    Raises:
        PictureError: a picture is gone.
    """
    digest = hashlib.sha256(f"{CROP_SIDE} {ROOM}".encode())
    for picture in pictures:
        try:
            facts = picture.path.stat()
        except OSError as error:
            raise PictureError(f"{picture.path} cannot be read: {reason_of(error)}.") from error
        digest.update(f"\0{picture.path.resolve()}\0{facts.st_size} {facts.st_mtime_ns} {len(picture)}".encode())
        for array in (picture.boxes, picture.keypoints, picture.crowd):
            digest.update(array.tobytes())
    return digest.hexdigest()
