"""`Detections`: where people are in a picture, without their keypoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Detections"]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The people that a detector found in one picture. Read-only.

    Attributes:
        boxes: float32 `[N, 4]`: x1, y1, x2, y2 in pixels of the source picture.
        scores: float32 `[N]`: confidence that this is a person, 0–1.

    Raises:
        ValueError: the arrays do not have these shapes, or differ in N.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name in ("boxes", "scores"):
            array = np.ascontiguousarray(getattr(self, name), dtype=np.float32).view()
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        if self.scores.ndim != 1 or self.boxes.shape != (len(self.scores), 4):
            raise ValueError(f"boxes {self.boxes.shape} and scores {self.scores.shape}, expected [N, 4] and [N]")

    @classmethod
    def none(cls) -> Detections:
        """Nobody: arrays of shape `[0, 4]` and `[0]`."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, rows: NDArray[Any] | slice) -> Detections:
        """Those at `rows` (indices, a mask or a slice), in that order."""
        return Detections(self.boxes[rows], self.scores[rows])

    def __repr__(self) -> str:
        return f"Detections(people={len(self)})"
