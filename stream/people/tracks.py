"""`Tracks`: what a tracker remembers of the people it follows, one row each, and where it expects them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import KEYPOINT_COUNT
from stream.people.similarity import Bodies

__all__ = ["Identity", "Tracks"]

VELOCITY_SECONDS: Final = 0.3  # time constant of the average velocity
COAST_SECONDS: Final = 3.0  # time constant with which somebody out of sight is taken to slow down
SIZE_SECONDS: Final = 1.0  # time constant of the average size of the box
REACH: Final = (0.4, 0.4)  # how far from where they went people reappear, in heights: at once, and more per second
SIZE_RATIO: Final = 1.5  # people who reappear are at most this many times larger or smaller
PACE: Final = 0.1  # how fast people drift from where they are expected, heights per second
UNKNOWN_PACE: Final = 0.8  # the same where no velocity is known yet: a brisk walk
LEAST_ELAPSED_SECONDS: Final = 1e-9  # where time stands still a velocity weighs nothing, but must be a number

_PACES: Final = np.array([UNKNOWN_PACE, PACE])  # whoever was seen only once may be walking any way
_MINUS_AVERAGING: Final = -np.array([VELOCITY_SECONDS, VELOCITY_SECONDS, SIZE_SECONDS, SIZE_SECONDS])

_TRACK: Final = np.dtype(
    [
        ("points", np.float32, (3, KEYPOINT_COUNT)),  # as in `Bodies`, when last seen
        ("centre", float, 2),  # px, of the box when last seen
        ("averages", float, 4),  # velocity, px per second, and size of the box, px
        ("seen_seconds", float),  # when last seen
        ("born_seconds", float),  # when first seen
        ("born_centre", float, 2),  # px, of the box when first seen
    ]
)
"""What is remembered of one person; as an array of these, all people of a frame are read and written at once."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody in a frame is.

    Attributes:
        key: stays with the person from the first sight on, for what is remembered of people; never reused. It changes
            once if a newcomer turns out to be somebody who was out of sight.
        number: the number to show; None until the person has been seen long enough.
    """

    key: int
    number: int | None


@dataclass(slots=True, eq=False)
class Tracks:
    """T people, as columns of T rows, so that all are moved on and compared at once.

    Attributes:
        identities: who they are.
        credit_seconds: how long a newcomer has been seen, less how long not.
        people: where and when they were seen and how they move, `[T]` of `_TRACK`.
    """

    identities: list[Identity]
    credit_seconds: list[float]
    people: NDArray[np.void]

    @classmethod
    def none(cls) -> Tracks:
        """Nobody."""
        return cls([], [], np.zeros(0, _TRACK))

    @classmethod
    def newcomers(cls, keys: list[int], bodies: Bodies, rows: list[int], seconds: float) -> Tracks:
        """People seen for the first time, at `rows` of `bodies`; one key each."""
        people = np.zeros(len(keys), _TRACK)
        centre, size = _centre_and_size(bodies.corners.take(rows, axis=1))
        people["points"] = bodies.points.take(rows, axis=1).swapaxes(0, 1)
        people["centre"] = people["born_centre"] = centre
        people["averages"][:, 2:] = size
        people["seen_seconds"] = people["born_seconds"] = seconds
        return cls([Identity(key, None) for key in keys], [0.0] * len(keys), people)

    def __len__(self) -> int:
        return len(self.identities)

    @property
    def velocity(self) -> NDArray[np.float64]:
        """Averaged, px per second `[T, 2]`."""
        return self.people["averages"][:, :2]

    @property
    def size(self) -> NDArray[np.float64]:
        """Of the box, averaged, px `[T, 2]`."""
        return self.people["averages"][:, 2:]

    @property
    def seen_seconds(self) -> NDArray[np.float64]:
        """When last seen, `[T]`."""
        return self.people["seen_seconds"]

    def joined(self, others: Tracks) -> Tracks:
        """These, then the others."""
        return Tracks(
            self.identities + others.identities,
            self.credit_seconds + others.credit_seconds,
            np.concatenate((self.people, others.people)),
        )

    def select(self, rows: list[int]) -> Tracks:
        """Those at `rows`, in that order."""
        return Tracks(
            [self.identities[row] for row in rows],
            [self.credit_seconds[row] for row in rows],
            self.people.take(np.array(rows, np.intp)),
        )

    def shift(self, away: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far everybody has moved in the `away` seconds `[T]` since last seen, px `[T, 2]`."""
        return self.velocity * (np.expm1(away / -COAST_SECONDS) * -COAST_SECONDS)[:, None]

    def expected(self, seconds: float) -> tuple[Bodies, NDArray[np.float64]]:
        """Everybody moved on to `seconds`, and how far they may be from there, px `[T]`."""
        people, size, seen_seconds = self.people, self.size, self.seen_seconds
        away = seconds - seen_seconds
        shift = self.shift(away)
        points = people["points"].swapaxes(0, 1).copy(order="C")
        points[:2] += shift.T.astype(np.float32)[..., None]
        centre, half = people["centre"] + shift, size / 2
        corners = np.concatenate((half - centre, half + centre), axis=1).T
        slack = _PACES.take(seen_seconds > people["born_seconds"]) * np.maximum(size[:, 0], size[:, 1]) * away
        return Bodies(points, corners), slack

    def see(self, rows: NDArray[np.intp], bodies: Bodies, places: NDArray[np.intp], seconds: float) -> None:
        """Move those at `rows` to where they are now: at `places` of `bodies`, in the same order."""
        known = self.people.take(rows)
        old, new = known["points"].swapaxes(0, 1), bodies.points.take(places, axis=1)
        centre, size = _centre_and_size(bodies.corners.take(places, axis=1))
        both = old[2] * new[2]  # [M, 17]
        count = np.vecdot(both, both)[:, None]
        moved = np.vecdot(new[:2] - old[:2], both).T  # [M, 2]
        if np.count_nonzero(count) == len(count):
            moved /= count
        else:
            moved = np.where(count > 0, moved / np.maximum(count, 1.0), centre - known["centre"])
        elapsed = (seconds - known["seen_seconds"])[:, None]
        averages, latest = known["averages"], np.empty_like(known["averages"])
        np.divide(moved, np.maximum(elapsed, LEAST_ELAPSED_SECONDS), out=latest[:, :2])
        latest[:, 2:] = size
        latest -= averages
        latest *= np.expm1(elapsed / _MINUS_AVERAGING)
        averages -= latest
        known["points"], known["centre"], known["seen_seconds"] = new.swapaxes(0, 1), centre, seconds
        self.people.put(rows, known)

    def reid_distance(self, lost: int, newcomer: int) -> float:
        """How far from where the one at row `lost` went the newcomer appeared, as a share of how far people get; above
        1, no further."""
        height, other = float(self.size[lost].max()), float(self.size[newcomer].max())
        if max(height, other) > SIZE_RATIO * min(height, other):
            return math.inf
        born = float(self.people["born_seconds"][newcomer])
        reach = height * (REACH[0] + REACH[1] * (born - float(self.seen_seconds[lost])))
        # Whoever went behind something may have walked on, or stopped there.
        gone = self.people["centre"][lost]
        places = (gone, gone + self.shift(born - self.seen_seconds)[lost])
        return min(math.dist(self.people["born_centre"][newcomer], place) for place in places) / max(reach, 1.0)


def _centre_and_size(corners: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of boxes `[4, N]` as in `Bodies`, px `[N, 2]` each."""
    return ((corners[2:] - corners[:2]) / 2).T, (corners[:2] + corners[2:]).T
