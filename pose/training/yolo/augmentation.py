"""Training pictures as a recipe: which pictures go where on the canvas, and where that puts the people.

A `Recipe` holds no pixels. Labels are computed here, once; `pose.training.yolo.rendering` paints the pixels, on the CPU
from files or on a GPU from pictures that lie in its memory.

Mosaic: Bochkovskiy et al., "YOLOv4", 2020.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.datasets.labelled import LabelledPicture
from pose.keypoints import FLIP, KEYPOINT_COUNT

__all__ = ["AugmentationSettings", "Recipe", "Tile", "make_recipe"]

LEAST_VISIBLE: Final = 0.25  # share of a person's box that must be on the canvas for the person to be asked for
LEAST_SIDE: Final = 0.02  # smaller people, in shares of the canvas, are not asked for


@dataclass(frozen=True, slots=True)
class AugmentationSettings:
    """How far training pictures may stray from the originals.

    Attributes:
        mosaic: share of canvases made of four pictures.
        zoom: share of pictures placed around one of their people, who then fills `person_share` of the canvas; the
            others are scaled by `picture_scale`.
        person_share: smallest and largest. Above 1 only a part of the person is on the canvas.
        picture_scale: smallest and largest; at 1 the longest side is the canvas.
        degrees: largest turn, of half of the pictures.
        quarter_turns: share of pictures laid on their side.
        flip: share that is mirrored, left and right keypoints exchanged.
        colour: share whose colours are changed.
    """

    mosaic: float = 0.25
    zoom: float = 0.5
    person_share: tuple[float, float] = (0.3, 1.4)
    picture_scale: tuple[float, float] = (0.65, 1.6)
    degrees: float = 15.0
    quarter_turns: float = 0.03
    flip: float = 0.5
    colour: float = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One picture on a canvas.

    Attributes:
        picture: its place among the training pictures.
        matrix: float64 `[2, 3]`: from pixels of the picture to pixels of the canvas.
        corner, side: the square of the canvas it fills: left, top and side in pixels.
        gain, offset: float32 `[3]`: each channel, red, green, blue 0–255, becomes value × gain + offset.
        grey: whether it loses its colour first.
    """

    picture: int
    matrix: NDArray[np.float64]
    corner: tuple[int, int]
    side: int
    gain: NDArray[np.float32]
    offset: NDArray[np.float32]
    grey: bool

    @property
    def scale(self) -> float:
        """Canvas pixels per picture pixel."""
        return float(math.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """A canvas and the people on it.

    Attributes:
        side: of the canvas, pixels.
        tiles: one, or four that share it.
        boxes: float32 `[N, 4]` x1 y1 x2 y2 px.
        keypoints: float32 `[N, 17, 3]` x, y px and visibility (above 0 labelled, 0 absent, below 0 unknown).
        complete: whether everybody on it is labelled.
    """

    side: int
    tiles: tuple[Tile, ...]
    boxes: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    complete: bool


def make_recipe(
    pictures: Sequence[LabelledPicture],
    pick: Callable[[], int],
    side: int,
    rng: np.random.Generator,
    settings: AugmentationSettings,
    incomplete: frozenset[int] = frozenset(),
) -> Recipe:
    """A random canvas.

    Args:
        pictures: all training pictures.
        pick: draws the place of one of them.
        side: of the canvas, a multiple of the network's largest stride; a mosaic's quarters have half of it.
        incomplete: places of pictures in which not everybody is labelled.
    """
    half = side // 2
    corners = [(0, 0), (half, 0), (0, half), (half, half)] if rng.random() < settings.mosaic else [(0, 0)]
    share = half if len(corners) == 4 else side
    tiles, boxes, keypoints = [], [], []
    for corner in corners:
        number = pick()
        picture = pictures[number]
        matrix, mirrored = _place(picture, share, rng, settings)
        matrix[:, 2] += corner
        tiles.append(Tile(number, matrix, corner, share, *_colour(rng, settings)))
        found = _people(picture, matrix, mirrored, corner, share, side)
        boxes.append(found[0])
        keypoints.append(found[1])
    return Recipe(
        side,
        tuple(tiles),
        np.concatenate(boxes).astype(np.float32),
        np.concatenate(keypoints).astype(np.float32),
        not any(tile.picture in incomplete for tile in tiles),
    )


def _place(
    picture: LabelledPicture, side: int, rng: np.random.Generator, settings: AugmentationSettings
) -> tuple[NDArray[np.float64], bool]:
    """From the picture to a square of this side with its corner at the origin, and whether it is mirrored."""
    height, width = picture.size
    if len(picture.boxes) and rng.random() < settings.zoom:
        x1, y1, x2, y2 = picture.boxes[rng.integers(len(picture.boxes))].astype(float)
        share = math.exp(rng.uniform(*np.log(settings.person_share)))
        scale = min(side * share / max(x2 - x1, y2 - y1, 8.0), 4 * side / max(height, width))
        room = side / scale * abs(1 - 0.6 * share)  # how far the person may be off the middle, picture pixels
        centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) + rng.uniform(-0.35, 0.35, 2) * room
    else:
        scale = side / max(height, width) * math.exp(rng.uniform(*np.log(settings.picture_scale)))
        centre = np.array([width, height]) * rng.uniform(0.35, 0.65, 2)
    turn = math.radians(rng.uniform(-settings.degrees, settings.degrees)) if rng.random() < 0.5 else 0.0
    if rng.random() < settings.quarter_turns:
        turn += rng.choice((-1, 1)) * math.pi / 2
    cosine, sine = math.cos(turn) * scale, math.sin(turn) * scale
    linear = np.array([[cosine, -sine], [sine, cosine]])
    mirrored = bool(rng.random() < settings.flip)
    if mirrored:
        linear[0] *= -1
    return np.concatenate([linear, (side / 2 - linear @ centre)[:, None]], 1), mirrored


def _colour(
    rng: np.random.Generator, settings: AugmentationSettings
) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
    """Gain and offset per channel (contrast, brightness, white balance) and whether to take the colour away."""
    if rng.random() >= settings.colour:
        return np.ones(3, np.float32), np.zeros(3, np.float32), False
    gain = np.full(3, rng.uniform(0.6, 1.4), np.float32)
    if rng.random() < 0.5:
        gain *= rng.uniform(0.8, 1.2, 3).astype(np.float32)
    return gain, np.full(3, rng.uniform(-30, 30), np.float32), bool(rng.random() < 0.1)


def _people(
    picture: LabelledPicture,
    matrix: NDArray[np.float64],
    mirrored: bool,
    corner: tuple[int, int],
    share: int,
    side: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The people that are left on their square of the canvas: boxes `[N, 4]`, keypoints `[N, 17, 3]`."""
    if not len(picture.boxes):
        return np.zeros((0, 4)), np.zeros((0, KEYPOINT_COUNT, 3))
    low, high = np.array(corner, float), np.array(corner, float) + share
    linear = matrix[:, :2]
    boxes = picture.boxes.astype(np.float64)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 @ linear.T + matrix[:, 2]
    # The box around the turned ellipse in the box: a person does not fill the corners that a turn would stretch to.
    half = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (linear**2).T)
    placed = np.concatenate([centre - half, centre + half], 1)
    clipped = np.concatenate([placed[:, :2].clip(low, high), placed[:, 2:].clip(low, high)], 1)
    sides = clipped[:, 2:] - clipped[:, :2]
    whole = (placed[:, 2:] - placed[:, :2]).prod(1)
    keep = (sides.prod(1) >= LEAST_VISIBLE * whole) & (sides.max(1) >= LEAST_SIDE * side) & ~picture.crowd

    keypoints = picture.keypoints.astype(np.float64)
    xy = keypoints[..., :2] @ linear.T + matrix[:, 2]
    visibility = keypoints[..., 2]
    outside = ((xy < low) | (xy >= high)).any(-1)
    visibility = np.where(outside & (visibility > 0), 0.0, visibility)
    if mirrored:
        xy, visibility = xy[:, list(FLIP)], visibility[:, list(FLIP)]
    return clipped[keep], np.concatenate([xy, visibility[..., None]], -1)[keep]
