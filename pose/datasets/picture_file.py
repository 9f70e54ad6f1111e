"""A picture's file: its pixels, and how many there are from the head of the file alone.

Pillow reads the head, so that a folder of 25,000 photographs is measured in seconds. OpenCV turns a photograph upright
as its Exif says; the size here is that of the turned picture, the one `cv2.imread` gives. Where the head leaves a
doubt, the picture is decoded and measured.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.errors import PictureError, reason_of

__all__ = ["decode_picture", "picture_size", "read_picture"]

_FORMATS: Final = ("JPEG", "PNG")  # whose orientation OpenCV and Pillow read alike
_ORIENTATION_TAG: Final = 0x0112
_FIRST_TURNED: Final = 5
"""From this orientation on rows are columns (Exif 2.32, table 6)."""


def picture_size(path: str | Path) -> tuple[int, int]:
    """Height and width in pixels of the picture that `cv2.imread(path)` gives.

    Raises:
        PictureError: it cannot be read.
    """
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise _unreadable(path, error) from error
    return _size_in_head(path) or read_picture(path).shape[:2]


def read_picture(path: str | Path, *, halved: bool = False) -> NDArray[np.uint8]:
    """The picture: uint8 BGR `[H, W, 3]`, turned upright as its Exif says.

    Args:
        path: of its file.
        halved: half as high and wide; the decoder averages pixels.

    Raises:
        PictureError: it cannot be read.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        return decode_picture(data, str(path), halved=halved)
    except PictureError as error:
        raise PictureError(f"{error} Take it out, or save it as JPEG or PNG.") from error


def decode_picture(data: bytes, name: str = "the picture", *, halved: bool = False) -> NDArray[np.uint8]:
    """Decode a picture file's content: uint8 BGR `[H, W, 3]`.

    It is turned upright as its Exif says; grey, 16-bit and transparent pictures become 8-bit colour.

    Args:
        data: the whole file's.
        name: what an error calls it.
        halved: half as high and wide; the decoder averages pixels.

    Raises:
        PictureError: OpenCV cannot read it.
    """
    import cv2

    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_2 if halved else cv2.IMREAD_COLOR)
    except cv2.error:
        bgr = None
    if bgr is None or bgr.size == 0:
        raise PictureError(f"{name} cannot be read as a picture.")
    return np.asarray(bgr, np.uint8)


def _unreadable(path: str | Path, error: OSError) -> PictureError:
    return PictureError(f"{path} cannot be read: {reason_of(error)}. Take it out, or make it readable.")


def _size_in_head(path: str | Path) -> tuple[int, int] | None:
    """Height and width as Pillow reads them from the head; None where it cannot."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata and of large pictures
            with Image.open(path, formats=_FORMATS) as picture:
                width, height = picture.size
                turned = picture.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # whatever damage makes of Pillow's readers; OpenCV has the last word
        return None
    if 0 in (width, height):  # told only behind the pixels
        return None
    if isinstance(turned, int) and _FIRST_TURNED <= turned <= 8:
        return width, height
    return height, width
