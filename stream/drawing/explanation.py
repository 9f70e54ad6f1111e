"""The answer to "why?" as a picture: every person asked about beside the nearest people of the database."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index import Classification, PostureIndex
from index.building.pictures import printable
from index.search.matches import NEAREST
from pose.datasets.picture_file import decode_picture
from pose.errors import PictureError
from pose.poses import Poses
from stream.drawing.overlay import PLAIN, Overlay
from stream.drawing.readable import FONT, readable
from stream.reports.explanation import explain
from stream.settings.model import Settings

__all__ = ["Asked", "draw_explanation"]

Picture = NDArray[np.uint8]

MOST_PEOPLE: Final = 100  # a sheet of more is higher than JPEG can be

TILE: Final = 200  # pixels
GAP: Final = 12
LINE: Final = 20
TEXT: Final = 14
INK: Final = (40, 40, 40)
_WEIGHT: Final = 400


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A picture that was asked about: its name, its pixels uint8 `[H, W, 3]` BGR, N people, N classifications."""

    name: str
    bgr: Picture
    poses: Poses
    classifications: Sequence[Classification]


def draw_explanation(asked: Sequence[Asked], index: PostureIndex, settings: Settings) -> Picture:
    """A sheet, uint8 `[H, W, 3]` BGR: a row per person, who was asked about on the left, then the neighbours.

    A neighbour is cut from its original picture if that is still where it was and has not changed, and else drawn as a
    skeleton on grey; so is everybody if `overlay.picture` is off. After the first 100 people no more are drawn.
    """
    overlay = Overlay(settings.overlay, settings.pose.keypoint_threshold, index.classes)
    columns = 1 + min(settings.index.k, NEAREST)
    strips = [
        _strip(one, person, index, overlay, settings, columns)
        for one in asked
        for person in range(len(one.classifications))
    ][:MOST_PEOPLE]
    if not strips:
        strips = [np.full((LINE + 2 * GAP, columns * (TILE + GAP) + GAP, 3), 255, np.uint8)]
        _write(strips[0], "Nobody was found.", GAP, GAP + TEXT, strips[0].shape[1])
    return np.concatenate(strips)


def _strip(
    asked: Asked, person: int, index: PostureIndex, overlay: Overlay, settings: Settings, columns: int
) -> Picture:
    """One person and the neighbours."""
    classification, keypoints = asked.classifications[person], asked.poses.keypoints[person]
    strip = np.full((GAP + 2 * LINE + TILE + 2 * LINE + GAP, columns * (TILE + GAP) + GAP, 3), 255, np.uint8)
    width, top = strip.shape[1] - 2 * GAP, GAP + 2 * LINE
    said = classification.label if classification.label is not None else f"unknown ({classification.reason})"
    _write(strip, f"{asked.name}, person {person + 1}: {printable(said)}", GAP, GAP + TEXT, width)
    _write(strip, explain(classification, keypoints, index, settings), GAP, GAP + LINE + TEXT, width)
    bgr = asked.bgr if settings.overlay.picture else None
    _put(strip, 0, top, _tile(bgr, keypoints, asked.poses.boxes[person], overlay), overlay, classification.label)
    probabilities = [f"{printable(label)} {probability:.0%}" for label, probability in classification.probabilities]
    _write(strip, ", ".join(probabilities[:2]), GAP, top + TILE + TEXT + 2, TILE)
    _write(strip, ", ".join(probabilities[2:]), GAP, top + TILE + LINE + TEXT + 2, TILE)
    examples = index.examples
    for place, (row, label, distance) in enumerate(
        zip(classification.entries, classification.labels, classification.distances, strict=True), 1
    ):
        name = examples.pictures[row]
        bgr = _original(name, examples.digests[row]) if settings.overlay.picture else None
        _put(strip, place, top, _tile(bgr, examples.keypoints[row], examples.boxes[row], overlay), overlay, label)
        x = GAP + place * (TILE + GAP)
        _write(strip, f"{distance:.3f}  {printable(label)}", x, top + TILE + TEXT + 2, TILE)
        _write(strip, printable(Path(name).name) or f"row {row}", x, top + TILE + LINE + TEXT + 2, TILE)
    return strip


def _put(strip: Picture, place: int, top: int, tile: Picture, overlay: Overlay, label: str | None) -> None:
    """Put a tile in its place, framed in the label's colour."""
    x = GAP + place * (TILE + GAP)
    strip[top : top + TILE, x : x + TILE] = tile
    cv2.rectangle(strip, (x, top), (x + TILE - 1, top + TILE - 1), overlay.colour_of(label), 3)


def _tile(bgr: Picture | None, keypoints: NDArray[np.float32], box: NDArray[np.float32], overlay: Overlay) -> Picture:
    """A person with skeleton, cut out square and scaled; on grey where there is no picture."""
    tile = np.full((TILE, TILE, 3), PLAIN, np.uint8)
    seen = keypoints[keypoints[:, 2] >= overlay.keypoint_threshold, :2]
    corners = np.concatenate((seen, box.reshape(2, 2)))
    corners = corners[np.isfinite(corners).all(axis=1)]
    if not len(corners):
        _write(tile, "origin unknown", GAP, TILE // 2, TILE, (200, 200, 200))
        return tile
    low, high = corners.min(axis=0), corners.max(axis=0)
    scale = TILE / (1.15 * max(float((high - low).max()), 1.0))
    shift = TILE / 2 - scale * (low + high) / 2  # [2]
    if bgr is not None:
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float64)
        shrinking = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        cv2.warpAffine(bgr, matrix, (TILE, TILE), tile, shrinking, cv2.BORDER_CONSTANT, (PLAIN, PLAIN, PLAIN))
    moved = keypoints.copy()
    moved[:, :2] = np.nan_to_num(keypoints[:, :2] * scale + shift)
    overlay.draw_skeleton(tile, moved, 2)
    return tile


def _original(name: str, digest: str) -> Picture | None:
    """The picture a row came from, if that very file is still there."""
    try:
        data = Path(name).read_bytes()
        return decode_picture(data) if hashlib.sha256(data).hexdigest() == digest else None
    except (OSError, ValueError, PictureError):
        return None


def _write(sheet: Picture, text: str, x: int, y: int, width: int, colour: tuple[int, int, int] = INK) -> None:
    """Text whose base line begins at x, y, cut off with "…" where it is wider than `width` pixels."""
    cut = text = readable(text)
    while len(cut) > 1 and cv2.getTextSize((0, 0), cut, (0, 0), FONT, TEXT, _WEIGHT)[2] > width:
        cut = f"{cut.removesuffix('…')[:-1]}…"
    cv2.putText(sheet, cut, (x, y), colour, FONT, TEXT, _WEIGHT)
