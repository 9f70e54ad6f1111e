"""One training sample of a detector from one picture: cut, stretched, turned, mirrored, and its colours changed.

Cameras hang sideways and people lie, so a sample is often turned by a quarter or a half. Such a turn is exact: it moves
pixels, boxes and even a teacher's answer cell by cell. So a sample is kept as it is before the turn, for the teacher.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.datasets.labelled import LabelledPicture

__all__ = ["DetectorAugmentation", "DetectorSample", "make_sample", "quarter_turned", "turned_boxes"]

LEAST_VISIBLE: Final = 0.3  # share of somebody's box in the sample; with less they are ignored
LEAST_SIDE: Final = 5.0  # pixels of the longer side; smaller people are ignored
LEAST_KEYPOINTS: Final = 5  # labelled ones, for a turned box to be made of them
BORDER: Final = 114  # grey beyond the picture


@dataclass(frozen=True, slots=True)
class DetectorAugmentation:
    """How far samples stray from their pictures.

    Attributes:
        whole: share that shows the whole picture, stretched to the square, as the detector will see it.
        zoom: of the others, smallest and largest size over that.
        stretch: of the others, largest change of aspect.
        sideways, upside_down: shares turned by 90° to either side, and by 180°.
        any_turn: share turned by any angle up to 45° before that.
        tilt_degrees: largest turn of the rest of those that do not show the whole picture.
        mirror: share that is mirrored.
        colour: share whose colours are changed.
        blur: share that is blurred as a picture is when enlarged.
    """

    whole: float = 0.4
    zoom: tuple[float, float] = (0.6, 1.8)
    stretch: float = 1.35
    sideways: float = 0.4
    upside_down: float = 0.1
    any_turn: float = 0.12
    tilt_degrees: float = 10.0
    mirror: float = 0.5
    colour: float = 0.5
    blur: float = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class DetectorSample:
    """What the network is shown and should find in it.

    Attributes:
        pixels: uint8 `[S, S, 3]`, BGR, before the quarter turns.
        quarter_turns: 0–3, clockwise.
        boxes: float32 `[N, 4]`: x1, y1, x2, y2 in pixels, after the quarter turns.
        ignored: float32 `[M, 4]`: likewise, where nothing is asked for.
        degrees: by which the picture was turned before the quarter turns.
    """

    pixels: NDArray[np.uint8]
    quarter_turns: int
    boxes: NDArray[np.float32]
    ignored: NDArray[np.float32]
    degrees: float


def make_sample(
    picture: LabelledPicture,
    image: NDArray[np.uint8],
    side: int,
    rng: np.random.Generator,
    settings: DetectorAugmentation,
) -> DetectorSample:
    """A random sample of side S of a picture."""
    matrix, degrees = _placed(picture, side, rng, settings)
    pixels = cv2.warpAffine(
        image, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=(BORDER,) * 3
    ).astype(np.uint8, copy=False)
    if rng.random() < settings.blur:
        small = max(16, round(side / rng.uniform(1.3, 2.5)))
        pixels = cv2.resize(
            cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA),
            (side, side),
            interpolation=cv2.INTER_CUBIC,
        ).astype(np.uint8, copy=False)
    if rng.random() < settings.colour:
        pixels = _recoloured(pixels, rng)
    corner = np.concatenate([matrix[:, :2], (matrix[:, 2] + 0.5 - matrix[:, :2] @ (0.5, 0.5))[:, None]], 1)
    boxes, ignored = _people(picture, corner, side)
    kind = rng.random()
    turns = int(rng.choice((1, 3))) if kind < settings.sideways else 0
    if settings.sideways <= kind < settings.sideways + settings.upside_down:
        turns = 2
    return DetectorSample(
        pixels, turns, quarter_turned(boxes, turns, side), quarter_turned(ignored, turns, side), degrees
    )


def quarter_turned(boxes: NDArray[np.float32], turns: int, side: int) -> NDArray[np.float32]:
    """Boxes `[N, 4]` in a square after so many quarter turns clockwise."""
    for _ in range(turns % 4):
        x1, y1, x2, y2 = boxes.T
        boxes = np.stack([side - y2, x1, side - y1, x2], 1)
    return boxes


def turned_boxes(
    boxes: NDArray[np.floating], keypoints: NDArray[np.floating], matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Boxes around people after an affine map, `[N, 4]`.

    Around the keypoints of somebody who has enough of them, and the points where the keypoints nearest to its sides
    touch the old box. Around the ellipse in the box for others: nobody fills the corners a turn would stretch to.

    Args:
        boxes: x1, y1, x2, y2, `[N, 4]`.
        keypoints: x, y, visibility, `[N, 17, 3]`.
        matrix: `[2, 3]`, of points whose pixels begin, not end, at whole numbers.
    """
    boxes = np.asarray(boxes, np.float64)
    linear, shift = matrix[:, :2], matrix[:, 2]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 @ linear.T + shift
    half = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (linear**2).T)
    placed = np.concatenate([centre - half, centre + half], 1)
    known = keypoints[..., 2] > 0
    for row in np.flatnonzero(known.sum(1) >= LEAST_KEYPOINTS):
        low, high = boxes[row, :2], boxes[row, 2:]
        points = keypoints[row, known[row], :2].clip(low, high)
        touching = points[np.concatenate([points.argmin(0), points.argmax(0)])]  # left, top, right, bottom
        touching[[0, 1], [0, 1]] = low
        touching[[2, 3], [0, 1]] = high
        moved = np.concatenate([points, touching]) @ linear.T + shift
        placed[row] = *moved.min(0), *moved.max(0)
    return placed


def _placed(
    picture: LabelledPicture, side: int, rng: np.random.Generator, settings: DetectorAugmentation
) -> tuple[NDArray[np.float64], float]:
    """From pixels of the picture to those of the sample, middle of the first pixel at 0, and the turn in degrees."""
    height, width = picture.size
    sides, size = np.array([width, height], float), np.ones(2)
    centre, degrees = sides / 2, 0.0
    if rng.random() >= settings.whole:
        zoom, aspect = math.exp(rng.uniform(*np.log(settings.zoom))), settings.stretch ** rng.uniform(-0.5, 0.5)
        size = np.array([zoom * aspect, zoom / aspect])
        room = np.abs(1 - 1 / size) * sides / 2  # how far the middle may go before the window leaves the picture
        centre = sides / 2 + rng.uniform(-1, 1, 2) * room
        if len(picture.boxes) and rng.random() < 0.5:  # to somebody, near enough
            x1, y1, x2, y2 = picture.boxes[rng.integers(len(picture.boxes))]
            aim = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) + rng.uniform(-0.3, 0.3, 2) * sides / size
            centre = aim.clip(sides / 2 - room, sides / 2 + room)
        most = 45.0 if rng.random() < settings.any_turn / max(1 - settings.whole, 1e-6) else settings.tilt_degrees
        degrees = float(rng.uniform(-most, most))
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    linear = (side * size / sides)[:, None] * np.array([[cosine, -sine], [sine, cosine]])
    if rng.random() < settings.mirror:
        linear[0] *= -1
    return np.concatenate([linear, ((side - 1) / 2 - linear @ (centre - 0.5))[:, None]], 1), degrees


def _people(
    picture: LabelledPicture, matrix: NDArray[np.float64], side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boxes of the people in the sample, and boxes to ignore: crowds, and people of whom too little is left."""
    placed = turned_boxes(picture.boxes, picture.keypoints, matrix)
    clipped = placed.clip(0, side)
    sides = clipped[:, 2:] - clipped[:, :2]
    there = sides.prod(1) > 0
    whole = (placed[:, 2:] - placed[:, :2]).prod(1)
    clear = (sides.prod(1) >= LEAST_VISIBLE * whole) & (sides.max(1, initial=0) >= LEAST_SIDE) & ~picture.crowd
    return clipped[there & clear].astype(np.float32), clipped[there & ~clear].astype(np.float32)


def _recoloured(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Contrast, brightness, white balance, and at times no colour at all. One table for each channel."""
    if rng.random() < 0.1:
        pixels = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR).astype(np.uint8, copy=False)
    gain = rng.uniform(0.65, 1.35) * (rng.uniform(0.85, 1.15, 3) if rng.random() < 0.5 else np.ones(3))
    table = (np.arange(256)[:, None] - 128) * gain + 128 + rng.uniform(-30, 30)
    return cv2.LUT(pixels, table.clip(0, 255).astype(np.uint8)[:, None, :].transpose(1, 0, 2)).astype(
        np.uint8, copy=False
    )
