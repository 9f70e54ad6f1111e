"""Crops of people: where each lies in the picture, cutting it out, and the way back to the picture.

The matrices lead from pixels of the crop to pixels of the picture. In both a pixel's centre has whole coordinates;
boxes have their edges at picture pixel - 0.5, as detectors give them.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CROP_SIZE", "PADDING", "SMALL_CROP_SIZE", "crop_matrices", "cut_crops", "rectangle_matrices", "to_picture"]

CROP_SIZE: Final = (192, 256)
"""Width and height in pixels that TinyPose is trained for."""

SMALL_CROP_SIZE: Final = (128, 192)
"""The same of the weights for people who are small in the picture: half the pixels, so half the work."""

PADDING: Final = 1.25
"""How much larger than the person the crop is, so that a box a little too small cuts no hand or foot off."""


def crop_matrices(
    boxes: ArrayLike,
    angles_radians: ArrayLike | None = None,
    size: tuple[int, int] = CROP_SIZE,
    padding: float = PADDING,
) -> NDArray[np.float64]:
    """The crop of each box: grown to the aspect of the crop, then by `padding`, about the same centre.

    Args:
        boxes: `[N, 4]`, x1, y1, x2, y2 in pixels of the picture, each of some width and height.
        angles_radians: `[N]`, or one for all: how far each crop is turned clockwise in the picture, so that a torso
            whose head points to the right (π / 2) is upright in the crop. A turned crop holds the whole box; where a
            tighter rectangle is known, take `rectangle_matrices`. None: upright.
        size: width and height of the crop in pixels.

    Returns:
        `[N, 2, 3]`, from crop to picture; see `to_picture`.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    low, high = boxes[:, :2], boxes[:, 2:]
    extents = high - low  # [N, 2]
    if angles_radians is not None:
        cosines, sines = np.abs(np.cos(angles_radians)), np.abs(np.sin(angles_radians))
        widths, heights = extents.T
        extents = np.stack([widths * cosines + heights * sines, widths * sines + heights * cosines], 1)
    return rectangle_matrices((low + high) / 2, extents, angles_radians, size, padding)


def rectangle_matrices(
    centres: ArrayLike,
    extents: ArrayLike,
    angles_radians: ArrayLike | None = None,
    size: tuple[int, int] = CROP_SIZE,
    padding: float = PADDING,
) -> NDArray[np.float64]:
    """As `crop_matrices`, of rectangles that are turned themselves.

    Args:
        centres: `[N, 2]`, x and y in pixels of the picture.
        extents: `[N, 2]`, width and height along the axes of the crop.
    """
    centres = np.asarray(centres, np.float64).reshape(-1, 2)
    extents = np.asarray(extents, np.float64).reshape(-1, 2)
    scales = (extents / size).max(axis=1) * padding  # [N], picture pixels for one of the crop
    angles = np.broadcast_to(np.asarray(0.0 if angles_radians is None else angles_radians, np.float64), scales.shape)
    cosines, sines = scales * np.cos(angles), scales * np.sin(angles)
    matrices = np.empty((len(scales), 2, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = cosines
    matrices[:, 0, 1] = -sines
    matrices[:, 1, 0] = sines
    middle = np.array([size[0] - 1, size[1] - 1]) / 2  # of the crop; the picture's is its centre - 0.5
    matrices[:, :, 2] = centres - 0.5 - matrices[:, :, :2] @ middle
    return matrices


def cut_crops(
    bgr: NDArray[np.uint8], matrices: NDArray[np.float64], size: tuple[int, int] = CROP_SIZE
) -> NDArray[np.uint8]:
    """Cut the crops out of one picture: `[N, height, width, 3]`, BGR, black outside of the picture."""
    width, height = size
    crops = np.empty((len(matrices), height, width, 3), np.uint8)
    for crop, matrix in zip(crops, matrices, strict=True):
        cv2.warpAffine(
            bgr,
            matrix,
            size,
            dst=crop,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0,
        )
    return crops


def to_picture(points: ArrayLike, matrices: NDArray[np.float64]) -> NDArray[np.float32]:
    """Points `[N, K, 2]` of N crops, in pixels of the crop, as pixels of the picture."""
    points = np.asarray(points, np.float64)
    moved = points @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2]
    return moved.astype(np.float32)
