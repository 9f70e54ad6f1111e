"""`Tracks`: what a tracker remembers of the people it follows, one row each, and where it expects them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pose.poses import Poses
from stream.likeness import SEEN, likeness

__all__ = ["Tracks"]

VELOCITY_SECONDS: Final = 0.3  # time constant of the average velocity
COAST_SECONDS: Final = 3.0  # time constant with which somebody out of sight is taken to slow down
SIZE_SECONDS: Final = 1.0  # time constant of the average size of the box
REACH: Final = (0.4, 0.4)  # how far from where they went people reappear, in heights: at once, and more per second
SIZE_RATIO: Final = 1.5  # people who reappear are at most this many times larger or smaller
PACE: Final = 0.1  # how fast people drift from where they are expected, heights per second
UNKNOWN_PACE: Final = 0.8  # the same where no velocity is known yet: a brisk walk
LEAST_ELAPSED_SECONDS: Final = 1e-9  # where time stands still a velocity weighs nothing, but must be a number


@dataclass(slots=True, eq=False)
class Tracks:
    """T people, as arrays of T rows, so that all are moved on and compared at once.

    Attributes:
        keys: see `stream.tracker.Identity`.
        numbers: the same; None for a newcomer.
        credit_seconds: how long a newcomer has been seen, less how long not.
        keypoints: float32 `[T, 17, 3]`: x, y px and score, when last seen.
        centre: `[T, 2]` px, of the box when last seen.
        size: `[T, 2]` px, of the box, averaged.
        velocity: `[T, 2]` px per second, averaged.
        seen_seconds: when last seen, `[T]`.
        born_seconds: when first seen, `[T]`.
        born_centre: `[T, 2]` px, of the box when first seen.
    """

    keys: list[int]
    numbers: list[int | None]
    credit_seconds: list[float]
    keypoints: NDArray[np.float32]
    centre: NDArray[np.float64]
    size: NDArray[np.float64]
    velocity: NDArray[np.float64]
    seen_seconds: NDArray[np.float64]
    born_seconds: NDArray[np.float64]
    born_centre: NDArray[np.float64]

    @classmethod
    def none(cls) -> Tracks:
        """Nobody."""
        return cls.newcomers([], Poses.empty(), 0.0)

    @classmethod
    def newcomers(cls, keys: list[int], poses: Poses, seconds: float) -> Tracks:
        """People seen for the first time, one key each."""
        centre, size = _centre_and_size(poses.boxes)
        still, now = np.zeros_like(centre), np.full(len(keys), seconds)
        return cls(
            keys=keys,
            numbers=[None] * len(keys),
            credit_seconds=[0.0] * len(keys),
            keypoints=poses.keypoints.copy(),
            centre=centre,
            size=size,
            velocity=still,
            seen_seconds=now,
            born_seconds=now.copy(),
            born_centre=centre.copy(),
        )

    def __len__(self) -> int:
        return len(self.keys)

    def joined(self, others: Tracks) -> Tracks:
        """These, then the others."""
        columns: list[Any] = [
            mine + theirs if isinstance(mine, list) else np.concatenate((mine, theirs))
            for mine, theirs in zip(self._columns(), others._columns(), strict=True)
        ]
        return Tracks(*columns)

    def select(self, rows: list[int]) -> Tracks:
        """Those at `rows`, in that order."""
        places = np.array(rows, np.intp)
        columns: list[Any] = [
            [column[row] for row in rows] if isinstance(column, list) else column[places] for column in self._columns()
        ]
        return Tracks(*columns)

    def _columns(self) -> list[Any]:
        return [getattr(self, column.name) for column in fields(self)]

    def shift(self, seconds: float) -> NDArray[np.float64]:
        """How far everybody will have moved at `seconds` since last seen, px `[T, 2]`."""
        return self.velocity * (COAST_SECONDS * -np.expm1((self.seen_seconds - seconds) / COAST_SECONDS))[:, None]

    def similarity(self, poses: Poses, seconds: float) -> NDArray[np.float64]:
        """How much N people are like everybody here, moved on to `seconds`: `[N, T]`, 0–1."""
        if not len(self) or not len(poses):
            return np.zeros((len(poses), len(self)))
        shift = self.shift(seconds)
        keypoints = self.keypoints.copy()
        keypoints[..., :2] += shift[:, None].astype(np.float32)
        centre, half = self.centre + shift, self.size / 2
        # Whoever was seen only once may be walking any way.
        pace = np.where(self.seen_seconds > self.born_seconds, PACE, UNKNOWN_PACE)
        slack = pace * np.maximum(self.size[:, 0], self.size[:, 1]) * (seconds - self.seen_seconds)
        return likeness(poses, keypoints, np.concatenate([centre - half, centre + half], 1), slack)

    def see(self, rows: list[int], people: list[int], poses: Poses, seconds: float) -> None:
        """Move those at `rows` to where they are now: `people` are their rows in `poses`, in the same order."""
        tracks = np.array(rows)
        new, old = poses.keypoints.take(people, axis=0), self.keypoints.take(tracks, axis=0)
        centre, size = _centre_and_size(poses.boxes.take(people, axis=0))
        both = np.minimum(new[..., 2], old[..., 2]) >= SEEN  # [M, 17]
        count = both.sum(1)[:, None]
        moved = np.where(both[..., None], (new - old)[..., :2], 0).sum(1, dtype=np.float64)
        moved = np.where(count > 0, moved / np.maximum(count, 1), centre - self.centre.take(tracks, axis=0))  # [M, 2]
        elapsed = (seconds - self.seen_seconds.take(tracks))[:, None]
        velocity, averaged = self.velocity.take(tracks, axis=0), self.size.take(tracks, axis=0)
        pace = moved / np.maximum(elapsed, LEAST_ELAPSED_SECONDS)
        self.velocity[tracks] = velocity - np.expm1(elapsed / -VELOCITY_SECONDS) * (pace - velocity)
        self.size[tracks] = averaged - np.expm1(elapsed / -SIZE_SECONDS) * (size - averaged)
        self.keypoints[tracks], self.centre[tracks], self.seen_seconds[tracks] = new, centre, seconds

    def way_back(self, lost: int, newcomer: int) -> float:
        """How far from where the one at row `lost` went the newcomer appeared, as a share of how far people get; above
        1, no further."""
        height, other = float(self.size[lost].max()), float(self.size[newcomer].max())
        if max(height, other) > SIZE_RATIO * min(height, other):
            return math.inf
        born = float(self.born_seconds[newcomer])
        reach = height * (REACH[0] + REACH[1] * (born - float(self.seen_seconds[lost])))
        # Whoever went behind something may have walked on, or stopped there.
        places = (self.centre[lost], self.centre[lost] + self.shift(born)[lost])
        return min(math.dist(self.born_centre[newcomer], place) for place in places) / max(reach, 1.0)


def _centre_and_size(boxes: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of boxes `[N, 4]`, px `[N, 2]` each."""
    corners = boxes.astype(np.float64)
    low, high = corners[:, :2], corners[:, 2:]
    return (low + high) / 2, high - low
