"""A picture's file: its pixels, and how many there are from the head of the file alone.

A JPEG's or PNG's size stands in its first bytes, so that a folder of 25,000 pictures is measured in seconds. OpenCV
turns a photograph upright as its Exif says; the size here is that of the turned picture, the one `cv2.imread` gives.
Where the head leaves a doubt, the picture is decoded and measured.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from pose.errors import PictureError
from pose.system_errors import plain_reason

__all__ = ["picture_size", "read_picture"]

_JPEG: Final = b"\xff\xd8"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_EXIF: Final = b"Exif\0\0"
_ORIENTATION_TAG: Final = 0x0112
_APP1, _SCAN, _END = 0xE1, 0xDA, 0xD9
_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # markers that hold a size: ITU-T T.81, table B.1


def picture_size(path: str | Path) -> tuple[int, int]:
    """Height and width in pixels of the picture that `cv2.imread(path)` gives.

    Raises:
        PictureError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(len(_PNG))
            size = None
            if start.startswith(_JPEG):
                size = _jpeg_size(file)
            elif start == _PNG:
                size = _png_size(file)
    except OSError as error:
        raise PictureError(
            f"{path} cannot be read: {plain_reason(error)}. Take it out, or make it readable."
        ) from error
    return size or read_picture(path).shape[:2]


def read_picture(path: str | Path) -> NDArray[np.uint8]:
    """The picture: uint8 BGR `[H, W, 3]`, turned upright as its Exif says.

    Raises:
        PictureError: it cannot be read.
    """
    import cv2

    try:
        bgr = cv2.imread(str(path))
    except cv2.error:
        bgr = None
    if bgr is None:
        raise PictureError(f"{path} cannot be read as a picture. Take it out, or save it as JPEG or PNG.")
    return np.asarray(bgr, np.uint8)


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    """From the segments before the first scan; None where they are damaged, or do not settle which way is up."""
    file.seek(len(_JPEG))
    size: tuple[int, int] | None = None
    orientations: list[int] = []
    while (marker := _next_marker(file)) not in (None, _SCAN, _END):
        head = file.read(2)
        if len(head) < 2:
            return None
        length = int.from_bytes(head, "big") - 2
        if marker == _APP1:
            orientations.append(_orientation(file.read(length)))
        elif marker in _FRAMES and size is None:
            data = file.read(length)
            if len(data) < 5:
                return None
            height, width = struct.unpack(">HH", data[1:5])
            size = height, width
        else:
            file.seek(length, os.SEEK_CUR)
    if size is None or 0 in size:  # a height of 0 is told only after the scan
        return None
    if not any(orientation > 4 for orientation in orientations):
        return size
    # Of several such segments a decoder may take the first or the one it understands.
    return size[::-1] if len(orientations) == 1 else None


def _next_marker(file: BinaryIO) -> int | None:
    """The code of the next segment; None at the end of the file or where no marker stands."""
    if file.read(1) != b"\xff":
        return None
    while (code := file.read(1)) == b"\xff":
        pass
    return code[0] if code else None


def _orientation(segment: bytes) -> int:
    """Exif orientation 1–8 of an APP1 segment, above 4 where rows are columns; 1 where it says nothing."""
    tiff = segment[len(_EXIF) :]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if not segment.startswith(_EXIF) or order is None:
        return 1
    try:
        (place,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, place)
        for entry in range(place + 2, place + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == _ORIENTATION_TAG:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _png_size(file: BinaryIO) -> tuple[int, int] | None:
    """From the first chunk; None where it is damaged, or where Exif may turn the picture."""
    size: tuple[int, int] | None = None
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IHDR":
            data = file.read(length)
            if len(data) < 8:
                return None
            width, height = struct.unpack(">II", data[:8])
            size = height, width
            length = 0
        elif kind == b"eXIf" or size is None:
            return None
        file.seek(length + 4, os.SEEK_CUR)
    return size
