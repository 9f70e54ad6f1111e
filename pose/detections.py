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
        angles: float32 `[N]`: how far people are turned clockwise from upright, as far as a detector can
            tell, radians.

    Raises:
        ValueError: the arrays do not have these shapes, or differ in N.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    angles: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name in ("boxes", "scores", "angles"):
            array = np.ascontiguousarray(getattr(self, name), dtype=np.float32).view()
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        people = len(self.scores) if self.scores.ndim == 1 else -1
        if self.boxes.shape != (people, 4) or self.angles.shape != (people,):
            raise ValueError(
                f"boxes {self.boxes.shape}, scores {self.scores.shape} and angles {self.angles.shape}, "
                "expected [N, 4], [N] and [N]"
            )

    @classmethod
    def upright(cls, boxes: NDArray[np.floating], scores: NDArray[np.floating]) -> Detections:
        """People of whom nothing else is known."""
        return cls(boxes.astype(np.float32), scores.astype(np.float32), np.zeros(len(scores), np.float32))

    @classmethod
    def none(cls) -> Detections:
        """Nobody: arrays of shape `[0, 4]`, `[0]` and `[0]`."""
        return cls.upright(np.zeros((0, 4)), np.zeros(0))

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, rows: NDArray[Any] | slice) -> Detections:
        """Those at `rows` (indices, a mask or a slice), in that order."""
        return Detections(self.boxes[rows], self.scores[rows], self.angles[rows])

    def __repr__(self) -> str:
        return f"Detections(people={len(self)})"
