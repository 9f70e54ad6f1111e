"""What is wrong with labels: gathered over the first files, told together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.datasets.labelled import Visibility
from pose.errors import LabelsError
from pose.keypoints import Keypoint

__all__ = ["Faults", "person_faults"]

MAX_FAULTS: Final = 5
# Labels go through text with few digits, and through other tools' rounding: a box may end a little beyond the picture.
# Annotators also place joints that the picture's edge cut off, which a box does not follow.
BOX_SLACK: Final = 0.01
KEYPOINT_SLACK: Final = 1.0


class Faults:
    """Gathers sentences, and raises them together when there are enough or when all is read."""

    def __init__(self) -> None:
        self._sentences: list[str] = []

    def add(self, sentence: str) -> None:
        """Keep a sentence.

        Raises:
            LabelsError: it was the fifth.
        """
        self._sentences.append(sentence)
        if len(self._sentences) >= MAX_FAULTS:
            raise LabelsError("\n".join([*self._sentences, "There may be more; reading stopped here."]))

    def check(self) -> None:
        """Say that all is read.

        Raises:
            LabelsError: something was wrong.
        """
        if self._sentences:
            raise LabelsError("\n".join(self._sentences))


def person_faults(
    boxes: NDArray[np.float64], keypoints: NDArray[np.float64], extent: NDArray[np.float64], unit: str
) -> Iterator[tuple[int, str]]:
    """The rows of people whose numbers cannot be true, each with what is wrong.

    Args:
        boxes: float64 `[N, 4]`: x and y of the centre, width, height.
        keypoints: float64 `[N, 17, 3]`: x, y, visibility.
        extent: float64 `[2]` or `[N, 2]`: width and height of the picture, in the same unit.
        unit: what the numbers should be, such as `pixels of the picture`.
    """
    centre, size = boxes[:, :2] / extent, boxes[:, 2:] / extent
    sized = np.all((size > 0) & (size <= 1 + BOX_SLACK), axis=1)
    centred = np.all((centre >= -BOX_SLACK) & (centre <= 1 + BOX_SLACK), axis=1)
    visibility = keypoints[..., 2]
    known = np.isin(visibility, list(Visibility))
    place = keypoints[..., :2] / extent[..., None, :]
    placed = ((place >= -KEYPOINT_SLACK) & (place <= 1 + KEYPOINT_SLACK)).all(2) | (visibility <= 0)
    for row in np.flatnonzero(~(sized & centred & (known & placed).all(1))).tolist():
        if not sized[row]:
            sentence = f"the box is {_numbers(boxes[row, 2:], ' × ')} large; expected are {unit}, more than 0"
        elif not centred[row]:
            sentence = f"the centre of the box is at {_numbers(boxes[row, :2])}; expected are {unit}"
        elif not known[row].all():
            number = int(np.argmin(known[row]))
            values = "known are 2 seen, 1 hidden, 0 absent, -1 unknown"
            sentence = f"the visibility of {_name(number)} is {visibility[row, number]:g}; {values}"
        else:
            number = int(np.argmin(placed[row]))
            sentence = f"{_name(number)} is at {_numbers(keypoints[row, number, :2])}; expected are {unit}"
        yield row, sentence


def _name(number: int) -> str:
    return Keypoint(number).name.lower().replace("_", " ")


def _numbers(values: NDArray[np.float64], between: str = ", ") -> str:
    return between.join(f"{value:g}" for value in values)
