"""`Poses`: the people in one picture, as a struct of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import KEYPOINT_COUNT

__all__ = ["Poses"]


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """The people a network found in one picture. Read-only.

    Attributes:
        keypoints: float32 `[N, 17, 3]`: x, y in pixels of the source picture, score in 0–1.
        boxes: float32 `[N, 4]`: x1, y1, x2, y2 in pixels of the source picture.
        scores: float32 `[N]`: confidence that this is a person, 0–1.

    Raises:
        ValueError: the arrays do not have these shapes, or differ in N.
    """

    keypoints: NDArray[np.float32]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        scores = np.asarray(self.scores)
        people = len(scores) if scores.ndim == 1 else -1
        for name, shape in (("keypoints", (people, KEYPOINT_COUNT, 3)), ("boxes", (people, 4)), ("scores", (people,))):
            given = getattr(self, name)
            array = np.ascontiguousarray(given, dtype=np.float32)
            if array.shape != shape:
                expected = str(shape).replace("-1", "N")
                raise ValueError(f"{name} has shape {array.shape}, expected {expected}")
            if array is given:
                if not array.flags.writeable:
                    continue  # from other people: this runs several times a frame
                array = array.view()  # the caller's own array stays writable
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def empty(cls) -> Poses:
        """No people: arrays of shape `[0, 17, 3]`, `[0, 4]`, `[0]`."""
        return cls(
            np.zeros((0, KEYPOINT_COUNT, 3), np.float32), np.zeros((0, 4), np.float32), np.zeros((0,), np.float32)
        )

    @classmethod
    def concatenate(cls, several: Sequence[Poses]) -> Poses:
        """The people of several pictures, one after the other; at least one picture."""
        if len(several) == 1:
            return several[0]
        columns = zip(*((poses.keypoints, poses.boxes, poses.scores) for poses in several), strict=True)
        return cls(*(np.concatenate(column) for column in columns))

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, rows: Sequence[int] | NDArray[Any] | slice) -> Poses:
        """The people at `rows` (indices, a mask or a slice), in that order."""
        if not isinstance(rows, slice):
            rows = np.asarray(rows)
            if rows.size == 0:
                rows = rows.astype(np.intp)
        return Poses(self.keypoints[rows], self.boxes[rows], self.scores[rows])

    def by_prominence(self) -> NDArray[np.intp]:
        """Rows, most prominent person first: int `[N]`. Prominence is box area in square pixels times score."""
        width, height = (self.boxes[:, 2:] - self.boxes[:, :2]).clip(min=0).T
        return np.argsort(-(width * height * self.scores), kind="stable")

    def __repr__(self) -> str:
        return f"Poses(people={len(self)}, keypoints={list(self.keypoints.shape)})"
