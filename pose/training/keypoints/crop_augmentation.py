"""One training sample from one packed crop: turned, scaled, shifted, mirrored, cut off, and its colours changed.

In video, crops come from where the tracker expects somebody, people lie and stand on their hands, and desks hide legs.
The network has to know all of that, so a sample is seldom the upright, whole, centred person of the label.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.datasets.labelled import Visibility
from pose.inference.crops import CROP_SIZE, PADDING
from pose.keypoints import FLIP, Keypoint

__all__ = ["CUT_OFF", "CropAugmentation", "Sample", "crop_matrix", "make_sample", "moved_keypoints"]

CUT_OFF: Final = -2.0  # visibility of a keypoint that is labelled, but no longer in the sample
LEAST_KEYPOINTS: Final = 4  # labelled ones, for a half body to be made of them


@dataclass(frozen=True, slots=True)
class CropAugmentation:
    """How far samples stray from their crops.

    Attributes:
        any_turn: share turned by any angle.
        tilt: share tilted by up to `tilt_degrees`; the others by up to `upright_degrees`.
        scale: smallest and largest size of the person, over the one a detector's box gives.
        shift: largest shift, in shares of the sample's sides.
        mirror: share that is mirrored, left and right keypoints exchanged.
        half_body: share that shows the upper or the lower body only, or somebody behind a desk.
        colour: share whose colours are changed.
        blur: share that is blurred as a small person is when enlarged.
        erase: share of which a small rectangle is painted over; keypoints below it are hidden.
    """

    any_turn: float = 0.4
    tilt: float = 0.3
    tilt_degrees: float = 45.0
    upright_degrees: float = 10.0
    scale: tuple[float, float] = (0.7, 1.35)
    shift: float = 0.15
    mirror: float = 0.5
    half_body: float = 0.2
    colour: float = 0.5
    blur: float = 0.2
    erase: float = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What the network is shown and should find in it.

    Attributes:
        pixels: uint8 `[256, 192, 3]`, BGR.
        keypoints: float32 `[17, 3]`: x, y in pixels of the sample, and `Visibility`, or `CUT_OFF`.
        turn: degrees by which the person was turned clockwise, from −180 to 180.
        whole: whether nothing was covered.
    """

    pixels: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    turn: float
    whole: bool


def crop_matrix(
    box: NDArray[np.floating], turn: float = 0.0, mirrored: bool = False, scale: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0), size: tuple[int, int] = CROP_SIZE,
) -> NDArray[np.float64]:  # fmt: skip
    """From pixels of a picture to those of the network's crop around somebody in it, `[2, 3]`.

    The crop is upright around the turned person, as if the picture had been turned and a box drawn anew.

    Args:
        box: x1, y1, x2, y2: the person's, in the picture that is not turned.
        turn: of the picture, degrees clockwise.
        mirrored: whether the turned picture is mirrored left to right.
        scale: size of the person over the usual.
        shift: of the crop against the person, x and y in shares of its sides.
        size: width and height of the crop in pixels.
    """
    width, height = size
    x1, y1, x2, y2 = (float(value) for value in box)
    cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    # Half the sides of the box around the turned ellipse in the box: nobody fills the corners a turn would stretch to.
    half_width = math.hypot((x2 - x1) / 2 * cosine, (y2 - y1) / 2 * sine)
    half_height = math.hypot((x2 - x1) / 2 * sine, (y2 - y1) / 2 * cosine)
    grown = 2 * max(half_height, half_width * height / width, 0.5)
    factor = scale * height / (PADDING * grown)
    linear = factor * np.array([[cosine, -sine], [sine, cosine]])  # y points down, so this turns clockwise
    if mirrored:
        linear[0] *= -1
    centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) - 0.5  # boxes count from the corner of the picture
    middle = np.array([(width - 1) / 2 - shift[0] * width, (height - 1) / 2 - shift[1] * height])
    return np.concatenate([linear, (middle - linear @ centre)[:, None]], 1)


def make_sample(
    crop: NDArray[np.uint8],
    keypoints: NDArray[np.float32],
    box: NDArray[np.float32],
    rng: np.random.Generator,
    settings: CropAugmentation,
) -> Sample:
    """A random sample of one person. Reads a row of `PackedCrops` and leaves it as it is."""
    points, edges, whole = keypoints.astype(np.float64), box.astype(np.float64), True
    if rng.random() < settings.half_body:
        crop, points, edges, whole = _half_body(crop, points, edges, rng)
    turn = _turn(rng, settings)
    mirrored = bool(rng.random() < settings.mirror)
    scale = math.exp(rng.uniform(*np.log(settings.scale)))
    x, y = np.clip(rng.normal(0, settings.shift / 2, 2), -settings.shift, settings.shift)
    matrix = crop_matrix(edges, turn, mirrored, scale, (float(x), float(y)))
    pixels = cv2.warpAffine(crop, matrix, CROP_SIZE, flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    points = moved_keypoints(points, matrix, mirrored)
    if rng.random() < settings.blur:
        pixels = _blurred(pixels, rng)
    if rng.random() < settings.colour:
        pixels = _recoloured(pixels, rng)
    if rng.random() < settings.erase:
        _erase(pixels, points, rng)
    return Sample(pixels, points.astype(np.float32), turn, whole)


def _turn(rng: np.random.Generator, settings: CropAugmentation) -> float:
    kind = rng.random()
    if kind < settings.any_turn:
        return float(rng.uniform(-180, 180))
    most = settings.tilt_degrees if kind < settings.any_turn + settings.tilt else settings.upright_degrees
    return float(rng.uniform(-most, most))


def moved_keypoints(
    keypoints: NDArray[np.floating], matrix: NDArray[np.float64], mirrored: bool = False,
    size: tuple[int, int] = CROP_SIZE,
) -> NDArray[np.float64]:  # fmt: skip
    """Keypoints `[..., 17, 3]` in a crop of that width and height, those that lie outside of it `CUT_OFF`.

    Args:
        keypoints: x, y in pixels, and `Visibility` or `CUT_OFF`.
        matrix: `[2, 3]`, from those pixels to pixels of the crop.
        mirrored: whether the matrix mirrors, so that left and right keypoints change places.
    """
    known = keypoints[..., 2] > 0
    xy = keypoints[..., :2] @ matrix[:, :2].T + matrix[:, 2]
    outside = ((xy < -0.5) | (xy >= np.array(size) - 0.5)).any(-1)
    visibility = np.where(known & outside, CUT_OFF, keypoints[..., 2])[..., None]
    moved = np.concatenate([np.where(visibility > 0, xy, 0), visibility], -1)
    return moved[..., list(FLIP), :] if mirrored else moved


def _half_body(
    crop: NDArray[np.uint8], keypoints: NDArray[np.float64], box: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64], bool]:
    """Crop, keypoints and box of a part of somebody, and whether nothing was covered.

    Half of the time the box ends around the upper or the lower keypoints. The other half the picture ends there, or
    something stands in front: what lies below the line (or above, for legs) is painted over.
    """
    upper = bool(rng.random() < 0.75)
    known = keypoints[:, 2] > 0
    in_part = np.arange(len(keypoints)) < Keypoint.LEFT_HIP
    part = known & (in_part if upper else ~in_part)
    x1, y1, x2, y2 = box
    if rng.random() < 0.5:
        if part.sum() < LEAST_KEYPOINTS:
            return crop, keypoints, box, True
        low, high = keypoints[part, :2].min(0), keypoints[part, :2].max(0)
        margin = rng.uniform(0.1, 0.25) * float((high - low).max())
        low, high = np.maximum(low - margin, box[:2]), np.minimum(high + margin, box[2:])
        return crop, keypoints, np.concatenate([low, high]), True
    share = rng.uniform(0.35, 0.8) if upper else rng.uniform(0.3, 0.6)
    line = y1 + share * (y2 - y1)
    hidden = keypoints[:, 1] >= line if upper else keypoints[:, 1] < line
    if (known & ~hidden).sum() < LEAST_KEYPOINTS:
        return crop, keypoints, box, True
    crop, keypoints = crop.copy(), keypoints.copy()
    rows = slice(max(0, round(line)), None) if upper else slice(None, max(0, round(line)))
    crop[rows] = 0 if rng.random() < 0.5 else rng.integers(0, 256, 3)
    keypoints[known & hidden, 2] = CUT_OFF
    return crop, keypoints, np.array([x1, y1, x2, line] if upper else [x1, line, x2, y2]), False


def _blurred(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    share = rng.uniform(0.2, 0.6)
    small = cv2.resize(pixels, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _recoloured(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Contrast, brightness and white balance; one in ten loses its colour."""
    if rng.random() < 0.1:
        pixels = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)[..., None], 3, 2).astype(np.uint8, copy=False)
    gain = rng.uniform(0.6, 1.4) * rng.uniform(0.85, 1.15, 3)
    table = np.arange(256)[:, None] * gain + rng.uniform(-30, 30)  # [256, 3]
    return cv2.LUT(pixels, np.rint(table).clip(0, 255).astype(np.uint8)[None]).astype(np.uint8, copy=False)


def _erase(pixels: NDArray[np.uint8], keypoints: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Paint over a rectangle, in place."""
    height, width = pixels.shape[:2]
    size = rng.uniform(0.08, 0.25, 2) * (width, height)
    x1, y1 = (rng.uniform(0, 1, 2) * ((width, height) - size)).astype(int)
    x2, y2 = x1 + int(size[0]), y1 + int(size[1])
    pixels[y1:y2, x1:x2] = rng.integers(0, 256, 3)
    inside = (keypoints[:, 0] >= x1) & (keypoints[:, 0] < x2) & (keypoints[:, 1] >= y1) & (keypoints[:, 1] < y2)
    keypoints[inside & (keypoints[:, 2] == Visibility.SEEN), 2] = Visibility.HIDDEN
