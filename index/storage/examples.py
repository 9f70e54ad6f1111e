"""`Examples`: where the rows of a database came from, as a struct of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import KEYPOINT_COUNT

__all__ = ["Examples"]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """The origin of R rows: which person of which picture. Read-only.

    It answers "why this label?", recognises a picture that is already there, and lets every row be embedded again.

    Attributes:
        pictures: R paths as the user gave them; "" where unknown.
        digests: R SHA-256 digests, in hex, of the picture files' content; "" where unknown.
        people: int32 `[R]`: number of the person within the picture, most prominent is 0; −1 where unknown.
        keypoints: float32 `[R, 17, 3]`: x, y in pixels of the picture, score in 0–1; NaN where unknown.
        boxes: float32 `[R, 4]`: x1, y1, x2, y2 in pixels of the picture; NaN where unknown.
        sizes: int32 `[R, 2]`: height and width of the picture in pixels; 0 where unknown.

    Raises:
        ValueError: the arrays do not have these shapes, or differ in R.
    """

    pictures: tuple[str, ...]
    digests: tuple[str, ...]
    people: NDArray[np.int32]
    keypoints: NDArray[np.float32]
    boxes: NDArray[np.float32]
    sizes: NDArray[np.int32]

    def __post_init__(self) -> None:
        rows = len(self.pictures)
        object.__setattr__(self, "pictures", tuple(self.pictures))
        object.__setattr__(self, "digests", tuple(self.digests))
        if len(self.digests) != rows:
            raise ValueError(f"digests has {len(self.digests)} rows, pictures has {rows}")
        shapes: dict[str, tuple[type, tuple[int, ...]]] = {
            "people": (np.int32, (rows,)),
            "keypoints": (np.float32, (rows, KEYPOINT_COUNT, 3)),
            "boxes": (np.float32, (rows, 4)),
            "sizes": (np.int32, (rows, 2)),
        }
        for name, (dtype, shape) in shapes.items():
            array: NDArray[Any] = np.ascontiguousarray(getattr(self, name), dtype=dtype)
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
            if array is getattr(self, name):
                array = array.view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def unknown(cls, rows: int) -> Examples:
        """`rows` rows of which nothing is known."""
        return cls(
            ("",) * rows,
            ("",) * rows,
            np.full(rows, -1, np.int32),
            np.full((rows, KEYPOINT_COUNT, 3), np.nan, np.float32),
            np.full((rows, 4), np.nan, np.float32),
            np.zeros((rows, 2), np.int32),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Examples]) -> Examples:
        """All rows of `parts`, in order."""
        if not parts:
            return cls.unknown(0)
        return cls(
            tuple(picture for part in parts for picture in part.pictures),
            tuple(digest for part in parts for digest in part.digests),
            np.concatenate([part.people for part in parts]),
            np.concatenate([part.keypoints for part in parts]),
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.sizes for part in parts]),
        )

    def select(self, rows: Sequence[int] | NDArray[Any]) -> Examples:
        """The given rows (indices or a mask), in that order."""
        chosen = np.asarray(rows)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.intp)
        return Examples(
            tuple(self.pictures[row] for row in chosen),
            tuple(self.digests[row] for row in chosen),
            self.people[chosen],
            self.keypoints[chosen],
            self.boxes[chosen],
            self.sizes[chosen],
        )

    def __len__(self) -> int:
        return len(self.pictures)

    def __repr__(self) -> str:
        known = sum(digest != "" for digest in self.digests)
        return f"Examples(rows={len(self)}, known={known})"
