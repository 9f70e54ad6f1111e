"""`RefusedPlaces`: where the detector sees somebody and a crop has shown that nobody new is there.

A tripod, a bush or the second box of somebody known comes back in detection after detection, and every look at it costs
as much as a look at a person. So such a place rests for a while, and longer every time that it is refused. A place
beside somebody known, whose keypoints its crop showed, moves on with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.boxes import iou
from pose.detections import Detections

__all__ = ["RefusedPlaces"]

PAUSE_SECONDS: Final = 1.5  # for so long a place is not looked at again,
LONGEST_PAUSE_SECONDS: Final = 12.0  # for up to so long when it has been refused again and again
DOUBTFUL: Final = 0.4  # only places of scores below this rest longer and longer: elsewhere somebody may step in
FORGOTTEN_SECONDS: Final = 30.0  # after the last refusal
SAME_PLACE: Final = 0.6  # IoU with such a place
SURER: Final = 0.15  # unless the detector's score has risen by so much


@dataclass(slots=True)
class _Place:
    """A place that was refused.

    Attributes:
        box: `[4]`, px; of a place beside somebody relative to their box, see `_relative`.
        score: the highest that was refused.
        seconds: when it was refused last.
        pause: for how long it is not looked at since then, seconds.
        beside: the tracker's key of whose second box it is; None for a place in the picture.
    """

    box: NDArray[np.float32]
    score: float
    seconds: float
    pause: float
    beside: int | None


class RefusedPlaces:
    """The refused places of one source. Not thread-safe; use one per source."""

    def __init__(self) -> None:
        self._places: list[_Place] = []

    def refuse(
        self,
        box: NDArray[np.float32],
        score: float,
        seconds: float,
        beside: int | None = None,
        person: NDArray[np.float32] | None = None,
    ) -> None:
        """Nobody new is there.

        Args:
            box: the detector's, `[4]`, px.
            score: the detector's.
            seconds: the frame's time on a clock that never goes back.
            beside: the tracker's key of somebody known whom the crop showed instead.
            person: their box, `[4]`, px.
        """
        if person is not None:
            box = _relative(box, person)
        for place in self._places:
            if place.beside == beside and float(iou(place.box[None], box[None])[0, 0]) > SAME_PLACE:
                longer = beside is None and score < DOUBTFUL
                place.pause = min(2 * place.pause, LONGEST_PAUSE_SECONDS) if longer else PAUSE_SECONDS
                place.box, place.score, place.seconds = box, max(score, place.score), seconds
                return
        self._places.append(_Place(box, score, seconds, PAUSE_SECONDS, beside))

    def worth_a_look(
        self, detections: Detections, people: Mapping[int, NDArray[np.float32]], seconds: float
    ) -> Detections:
        """The detections without those in places that rest, unless the detector is surer now.

        Args:
            people: the boxes of everybody known now, `[4]`, px, by the tracker's key.
        """
        self._places = [
            place
            for place in self._places
            if seconds - place.seconds < FORGOTTEN_SECONDS and (place.beside is None or place.beside in people)
        ]
        resting = [place for place in self._places if seconds - place.seconds < place.pause]
        if not resting or not len(detections):
            return detections
        boxes = [place.box if place.beside is None else _absolute(place.box, people[place.beside]) for place in resting]
        surer = detections.scores[:, None] > np.array([place.score for place in resting]) + SURER
        refused = ((iou(detections.boxes, np.stack(boxes)) > SAME_PLACE) & ~surer).any(axis=1)
        return detections.select(np.flatnonzero(~refused))


def _relative(box: NDArray[np.float32], person: NDArray[np.float32]) -> NDArray[np.float32]:
    """A box in lengths of the longer side of somebody's box, from its upper left corner."""
    relative: NDArray[np.float32] = (box - np.tile(person[:2], 2)) / _side(person)
    return relative


def _absolute(box: NDArray[np.float32], person: NDArray[np.float32]) -> NDArray[np.float32]:
    """The way back."""
    absolute: NDArray[np.float32] = box * _side(person) + np.tile(person[:2], 2)
    return absolute


def _side(person: NDArray[np.float32]) -> np.float32:
    side: np.float32 = (person[2:] - person[:2]).max().clip(1.0)
    return side
