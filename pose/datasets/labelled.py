"""Pictures in which the people are labelled: what the trainer learns from and the evaluation judges by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import KEYPOINT_COUNT

__all__ = ["AREA_PER_BOX", "LabelledPicture", "LabelledSet", "Visibility"]

AREA_PER_BOX: Final = 0.53
"""Area of a person over that of the box around them, where no area is given; the mean over the people of COCO."""


class Visibility(IntEnum):
    """The third number of a labelled keypoint. Its position is known where this is above 0."""

    SEEN = 2
    HIDDEN = 1
    ABSENT = 0
    UNKNOWN = -1


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """A picture file and the people labelled in it. Read-only.

    Attributes:
        path: of the picture file.
        size: height and width in pixels of what `cv2.imread(path)` gives, turned upright as its Exif says.
        boxes: float32 `[N, 4]`: x1, y1, x2, y2 in pixels, x1 < x2 and y1 < y2.
        keypoints: float32 `[N, 17, 3]`: x, y in pixels, and `Visibility`: 2 seen, 1 hidden, 0 absent or not labelled,
            -1 unknown, of which nothing is to be learnt. x and y are 0 where visibility is not above 0; otherwise they
            may lie a little outside the picture.
        areas: float32 `[N]`: square pixels that the person covers.
        crowd: bool `[N]`: a group of people in one box; the evaluation passes over it.
        image_id: number of the picture within its set.

    Raises:
        ValueError: the arrays do not have these shapes, or differ in N.
    """

    path: Path
    size: tuple[int, int]
    boxes: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    areas: NDArray[np.float32]
    crowd: NDArray[np.bool_]
    image_id: int

    def __post_init__(self) -> None:
        people = len(self.areas) if np.ndim(self.areas) == 1 else -1
        for name, shape, dtype in (
            ("boxes", (people, 4), np.float32),
            ("keypoints", (people, KEYPOINT_COUNT, 3), np.float32),
            ("areas", (people,), np.float32),
            ("crowd", (people,), np.bool_),
        ):
            array = np.ascontiguousarray(getattr(self, name), dtype=dtype)
            if array.shape != shape:
                expected = str(shape).replace("-1", "N")
                raise ValueError(f"{name} has shape {array.shape}, expected {expected}")
            if array is getattr(self, name):
                array = array.view()  # the caller's own array stays writable
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.areas)

    def __repr__(self) -> str:
        height, width = self.size
        return f"LabelledPicture({self.path.name}, {width}×{height}, people={len(self)})"


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSet:
    """Pictures with labelled people.

    Attributes:
        pictures: in the order of their names or of the file that lists them; also those without people.
        area_is_estimated: whether no areas were given for some people, so that theirs are `AREA_PER_BOX` times
            the area of the box.
    """

    pictures: tuple[LabelledPicture, ...]
    area_is_estimated: bool

    @classmethod
    def from_rows(
        cls,
        files: Sequence[tuple[Path, tuple[int, int], int, int]],
        boxes: NDArray[np.float64],
        keypoints: NDArray[np.float64],
        areas: NDArray[np.float64],
        crowd: NDArray[np.bool_],
    ) -> LabelledSet:
        """Hand out the people of many pictures, who stand in one row each, picture after picture.

        Args:
            files: path, size, number of the picture and how many people it shows, of every picture.
            boxes: float64 `[M, 4]`: x, y of the centre, width, height in pixels.
            keypoints: float64 `[M, 17, 3]`: x, y in pixels, visibility.
            areas: float64 `[M]`: square pixels, NaN where not given.
            crowd: bool `[M]`.
        """
        centre, extent = boxes[:, :2], boxes[:, 2:]
        corners = np.concatenate([centre - extent / 2, centre + extent / 2], 1).astype(np.float32)
        points = keypoints.astype(np.float32)
        points[points[..., 2] <= 0, :2] = 0
        estimated = np.isnan(areas)
        covered = np.where(estimated, AREA_PER_BOX * extent.prod(1), areas).astype(np.float32)
        pictures = []
        start = 0
        for path, size, number, people in files:
            rows = slice(start, start := start + people)
            pictures.append(
                LabelledPicture(path, size, corners[rows], points[rows], covered[rows], crowd[rows], number)
            )
        return cls(tuple(pictures), bool(estimated.any()))

    def __len__(self) -> int:
        return len(self.pictures)

    def __repr__(self) -> str:
        return f"LabelledSet(pictures={len(self)}, people={sum(map(len, self.pictures))})"
