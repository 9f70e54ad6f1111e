"""`scene_message`: a scene as the bytes that viewers get."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.drawing.colours import Colour
from stream.sinks.json_lines import scene_record
from stream.web.board import Latest

__all__ = ["JPEG_QUALITY", "MAX_SIDE", "css_colour", "scene_message"]

MAX_SIDE: Final = 1280
"""Pixels; larger pictures are made smaller for the page."""

JPEG_QUALITY: Final = 80

LENGTH_BYTES: Final = 4


def scene_message(latest: Latest, colour_of: Callable[[str | None], Colour], *, picture: bool) -> bytes:
    """The length of the JSON in 4 bytes, big-endian; the JSON in UTF-8; the picture as JPEG.

    The JSON is `scene_record`, with `serial` and `age_seconds`; and for each of `Scene.people`, who alone are in it,
    with `row`, `mean_probability` (of the steady posture) and `colour`. Coordinates are pixels of the frame, which the
    JPEG may be smaller than.

    Args:
        latest: the scene.
        colour_of: the colour of a posture.
        picture: False: no JPEG, so that nobody can be recognised.
    """
    record: dict[str, Any] = scene_record(latest.scene)
    record["serial"] = latest.serial
    record["age_seconds"] = None if latest.age_seconds is None else round(latest.age_seconds, 4)
    known = {person.row: person for person in latest.scene.people}
    rows = latest.scene.poses.by_prominence().tolist()
    record["people"] = [
        person
        | {
            "row": row,
            "mean_probability": round(known[row].probability, 4),
            "colour": css_colour(colour_of(person["posture"])),
        }
        for row, person in zip(rows, record["people"], strict=True)
        if row in known
    ]
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(errors="replace")
    jpeg = _jpeg(latest.scene.frame.bgr) if picture else b""
    return len(text).to_bytes(LENGTH_BYTES) + text + jpeg


def _jpeg(bgr: NDArray[np.uint8]) -> bytes:
    height, width = bgr.shape[:2]
    scale = MAX_SIDE / max(height, width)
    if scale < 1:
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        bgr = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(encoded.data)


def css_colour(colour: Colour) -> str:
    """A colour, BGR, as style sheets write it.

    >>> css_colour((255, 160, 40))
    '#28a0ff'
    """
    blue, green, red = colour
    return f"#{red:02x}{green:02x}{blue:02x}"
