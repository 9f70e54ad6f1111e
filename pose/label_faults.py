"""What is wrong with labels: gathered over the first files, told together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.errors import LabelsError
from pose.keypoints import Keypoint
from pose.labelled import Visibility

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
    boxes: NDArray[np.float64], keypoints: NDArray[np.float64], width: float, height: float, unit: str
) -> Iterator[tuple[int, str]]:
    """The rows of people whose numbers cannot be true, each with what is wrong.

    Args:
        boxes: float64 `[N, 4]`: x and y of the centre, width, height.
        keypoints: float64 `[N, 17, 3]`: x, y, visibility.
        width, height: of the picture, in the same unit.
        unit: what the numbers should be, such as `pixels of the picture`.
    """
    extent = np.array([width, height])
    centre, size = boxes[:, :2] / extent, boxes[:, 2:] / extent
    known = np.isin(keypoints[..., 2], list(Visibility))
    place = keypoints[..., :2] / extent
    placed = (place >= -KEYPOINT_SLACK) & (place <= 1 + KEYPOINT_SLACK)
    placed_or_absent = placed.all(2) | (keypoints[..., 2] <= 0)
    sized = ((size > 0) & (size <= 1 + BOX_SLACK)).all(1)
    centred = ((centre >= -BOX_SLACK) & (centre <= 1 + BOX_SLACK)).all(1)
    for row in np.flatnonzero(~(sized & centred & known.all(1) & placed_or_absent.all(1))):
        if not sized[row]:
            yield int(row), f"the box is {_numbers(boxes[row, 2:], ' × ')} large; expected are {unit}, more than 0"
        elif not centred[row]:
            yield int(row), f"the centre of the box is at {_numbers(boxes[row, :2])}; expected are {unit}"
        elif not known[row].all():
            number = int(np.flatnonzero(~known[row])[0])
            yield (
                int(row),
                f"the visibility of {_name(number)} is {keypoints[row, number, 2]:g}; "
                "known are 2 seen, 1 hidden, 0 absent, -1 unknown",
            )
        else:
            number = int(np.flatnonzero(~placed_or_absent[row])[0])
            yield int(row), f"{_name(number)} is at {_numbers(keypoints[row, number, :2])}; expected are {unit}"


def _name(number: int) -> str:
    return Keypoint(number).name.lower().replace("_", " ")


def _numbers(values: NDArray[np.float64], between: str = ", ") -> str:
    return between.join(f"{value:g}" for value in values)
