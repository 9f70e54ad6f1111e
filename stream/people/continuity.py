"""`Continuity`: knows a person again although the tracker gave a new key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.boxes import iou

__all__ = ["Continuity"]

MIN_OVERLAP: Final = 0.3
"""Intersection over union from which a newcomer is taken for whoever vanished there. People next to each other overlap
less; somebody who gets up or lies down within a second, more."""


@dataclass(slots=True)
class _Place:
    person: int
    box: NDArray[np.float32]  # [4] x1 y1 x2 y2 px when last seen
    seconds: float


class Continuity:
    """Turns a tracker's keys into persons. Not thread-safe; use one per source.

    A person keeps the same number here while the key stays, for `grace_seconds` out of sight, and when a new key
    appears where another has vanished less than that ago. Whoever is in sight is never taken for somebody else.

    Args:
        grace_seconds: who is out of sight for longer is forgotten.
    """

    def __init__(self, *, grace_seconds: float = 1.0):
        self.grace_seconds = grace_seconds
        self._places: dict[int, _Place] = {}  # by key
        self._next = 0

    @property
    def persons(self) -> frozenset[int]:
        """Everybody remembered after the latest `update`."""
        return frozenset(place.person for place in self._places.values())

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._places)

    def update(self, keys: Sequence[int], boxes: NDArray[np.float32], seconds: float) -> list[int]:
        """The person behind every key, in the same order.

        Args:
            keys: the tracker's, one per person in the frame.
            boxes: float32 `[N, 4]`: x1, y1, x2, y2 px.
            seconds: time of the frame on a clock that never goes back.
        """
        self._places = {
            key: place for key, place in self._places.items() if seconds - place.seconds <= self.grace_seconds
        }
        new = [row for row, key in enumerate(keys) if key not in self._places]
        if new:
            vanished = list(self._places.keys() - set(keys))
            for row, key in _best_pairs(new, vanished, boxes, self._places):
                self._places[keys[row]] = self._places.pop(key)
        persons = []
        for row, key in enumerate(keys):
            place = self._places.get(key)
            if place is None:
                place = self._places[key] = _Place(self._next, boxes[row], seconds)
                self._next += 1
            place.box, place.seconds = boxes[row], seconds
            persons.append(place.person)
        return persons


def _best_pairs(
    rows: list[int], keys: list[int], boxes: NDArray[np.float32], places: dict[int, _Place]
) -> list[tuple[int, int]]:
    """Newcomers and who vanished where they are, the best overlap first, each once."""
    known = np.array([places[key].box for key in keys]).reshape(-1, 4)
    overlap = iou(boxes[rows], known)  # [rows, keys]
    overlaps = [(float(overlap[r, k]), rows[r], keys[k]) for r, k in np.argwhere(overlap >= MIN_OVERLAP)]
    pairs: dict[int, int] = {}
    for _, row, key in sorted(overlaps, reverse=True):
        if row not in pairs and key not in pairs.values():
            pairs[row] = key
    return list(pairs.items())
