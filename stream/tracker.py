"""`Tracker`: gives every person a number that stays over the frames of one source.

Association in stages after ByteTrack (Zhang et al., 2022): sure detections choose among the known people first,
doubtful ones get what is left, so a person half hidden keeps the number without a ghost taking it. Whoever is new gets
a number after having been seen for a moment, and takes up the number of somebody who went out of sight there shortly
before.

Chosen on the crowds of `bench/identity.py`:

- How far somebody has moved is told by the keypoints seen in both frames, because a box jumps when a part of the person
  is hidden. An average of that velocity made a fifth fewer mistakes than a Kalman filter over boxes.
- Pairs are taken greedily, most alike first. The optimal assignment gives up a certain pair to win two poor ones: as
  many switches or a few more, and it costs more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.poses import Poses
from stream.likeness import SEEN, doubles, likeness, scores_apart

__all__ = ["Identity", "Tracker"]

VELOCITY_SECONDS: Final = 0.3  # time constant of the average velocity
COAST_SECONDS: Final = 3.0  # time constant with which somebody out of sight is taken to slow down
SIZE_SECONDS: Final = 1.0  # time constant of the average size of the box
DOUBTFUL_WORTH: Final = 1 / 3  # what a doubtful sight of a newcomer counts beside a sure one
GRACE_SECONDS: Final = 0.1  # how much longer than seen a newcomer may be missed
REACH: Final = (0.4, 0.4)  # how far from where they went people reappear, in heights: at once, and more per second
SIZE_RATIO: Final = 1.5  # people who reappear are at most this many times larger or smaller
PACE: Final = 0.1  # how fast people drift from where they are expected, heights per second
UNKNOWN_PACE: Final = 0.8  # the same where no velocity is known yet: a brisk walk
SURELY_DOUBLE: Final = 0.8  # two skeletons in one frame more alike than this are one person's, whoever was there before
TICK: Final = 1e-6  # times are sums of many steps, so they are compared with this slack


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
class _Track:
    key: int
    keypoints: NDArray[np.float32]  # [17, 3] when last seen
    centre: NDArray[np.float64]  # [2] px, of the box when last seen
    size: NDArray[np.float64]  # [2] px, of the box, averaged
    seen_seconds: float
    born_seconds: float
    born_centre: NDArray[np.float64]
    number: int | None = None
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))  # px per second
    credit_seconds: float = 0.0  # how long a newcomer has been seen, less how long not

    def shift(self, seconds: float) -> NDArray[np.float64]:
        """How far it will have moved at `seconds` since it was last seen, px `[2]`."""
        return self.velocity * (COAST_SECONDS * -math.expm1(-(seconds - self.seen_seconds) / COAST_SECONDS))

    def slack(self, seconds: float) -> float:
        """How far it may be from there, px: whoever was seen only once may be walking any way."""
        pace = PACE if self.seen_seconds > self.born_seconds else UNKNOWN_PACE
        return pace * float(self.size.max()) * (seconds - self.seen_seconds)


class Tracker:
    """Follows the people of one source. Not thread-safe; use one per source.

    Args:
        sure_score: people from this score on choose first, 0–1.
        min_similarity: below this two people are not the same, 0–1.
        confirm_seconds: a person gets a number after having been seen for this long; one who is never sure, after three
            times as long.
        max_lost_seconds: a person out of sight for longer gets a new number.
        least_score: a newcomer needs this score apart from better ones in the same place (`scores_apart`), 0–1. Whoever
            has a number keeps it below that too: two who embrace have been apart.
        first_number: of the first person.

    Attributes:
        next_number: of the next newcomer.
    """

    def __init__(
        self,
        *,
        sure_score: float = 0.5,
        min_similarity: float = 0.3,
        confirm_seconds: float = 0.2,
        max_lost_seconds: float = 2.0,
        least_score: float = 0.1,
        first_number: int = 1,
    ):
        self.sure_score = sure_score
        self.min_similarity = min_similarity
        self.confirm_seconds = confirm_seconds
        self.max_lost_seconds = max_lost_seconds
        self.least_score = least_score
        self._tracks: list[_Track] = []
        self._seconds = 0.0
        self._next_key = 1
        self.next_number = first_number

    @property
    def keys(self) -> frozenset[int]:
        """Keys still in memory, also of people who are out of sight for a moment."""
        return frozenset(track.key for track in self._tracks)

    def update(self, poses: Poses, seconds: float) -> list[Identity | None]:
        """Who everybody is, in the order of `poses`; None for somebody found a second time.

        Args:
            poses: the people of the next frame.
            seconds: its time on a clock that never goes back.
        """
        before, self._seconds = self._seconds, seconds
        self._tracks = [track for track in self._tracks if seconds - track.seen_seconds <= self.max_lost_seconds]
        owners, twice = self._associate(poses, seconds, before)
        self._see(owners, poses, seconds)
        self._weigh(owners, poses, seconds - before)
        for person in range(len(poses)):
            if person not in owners and person not in twice:
                owners[person] = self._welcome(poses, person, seconds)
        found = (owners.get(person) for person in range(len(poses)))
        return [None if track is None else Identity(track.key, track.number) for track in found]

    def _associate(self, poses: Poses, seconds: float, before: float) -> tuple[dict[int, _Track], set[int]]:
        """The track of every person who has one, and the rows of people found a second time."""
        owners: dict[int, _Track] = {}
        pairs = doubles(poses)
        twice: set[int] = set()
        for better, worse, alike in pairs:
            if better not in twice and alike > SURELY_DOUBLE:
                twice.add(worse)
        similarity = self._similarity(poses, seconds)  # [N, T]
        similarity[list(twice)] = 0
        # A doubtful one beside somebody is the other's double, or one of two who embrace: both were just in sight then.
        doubtful = np.array([worse for _, worse, _ in pairs if poses.scores[worse] < self.sure_score], np.intp)
        hidden = np.array([track.seen_seconds < before - TICK for track in self._tracks], bool)
        similarity[np.ix_(doubtful, hidden)] = 0
        known = np.array([track.number is not None for track in self._tracks], bool)
        sure = poses.scores >= self.sure_score
        free = np.ones(len(self._tracks), bool)

        def choose(choosing: NDArray[np.bool_], among: NDArray[np.bool_]) -> None:
            rows, columns = np.flatnonzero(choosing), np.flatnonzero(among & free)
            for row, column in _best_pairs(similarity[np.ix_(rows, columns)], self.min_similarity):
                owners[int(rows[row])] = self._tracks[columns[column]]
                free[columns[column]] = False

        choose(sure, known)
        choose(~sure, known)
        # Of two who may be one, both stay only if both are known.
        for better, worse, _ in pairs:
            if better not in twice and worse not in twice and not (better in owners and worse in owners):
                twice.add(worse if better in owners or worse not in owners else better)
        faint = np.flatnonzero(scores_apart(poses) < self.least_score).tolist()
        twice.update(row for row in faint if row not in owners)
        new = np.array([person not in owners and person not in twice for person in range(len(poses))], bool)
        choose(sure & new, ~known)
        choose(~sure & new, ~known)
        return owners, twice

    def _similarity(self, poses: Poses, seconds: float) -> NDArray[np.float64]:
        """How much everybody is like every track, moved on to `seconds`: `[N, T]`, 0–1."""
        if not self._tracks or not len(poses):
            return np.zeros((len(poses), len(self._tracks)))
        shift = np.stack([track.shift(seconds) for track in self._tracks])  # [T, 2]
        centre = np.stack([track.centre for track in self._tracks]) + shift
        half = np.stack([track.size for track in self._tracks]) / 2
        keypoints = np.stack([track.keypoints for track in self._tracks])  # [T, 17, 3]
        keypoints[..., :2] += shift[:, None].astype(np.float32)
        slack = np.array([track.slack(seconds) for track in self._tracks])
        return likeness(poses, keypoints, np.concatenate([centre - half, centre + half], 1), slack)

    def _see(self, owners: dict[int, _Track], poses: Poses, seconds: float) -> None:
        """Move the tracks to where their people are now."""
        if not owners:
            return
        people, tracks = list(owners), list(owners.values())
        boxes = poses.boxes[people].astype(np.float64)
        centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        new, old = poses.keypoints[people], np.stack([track.keypoints for track in tracks])
        both = ((new[..., 2] >= SEEN) & (old[..., 2] >= SEEN))[..., None]  # [M, 17, 1]
        moved = np.where(both, new[..., :2] - old[..., :2], 0).sum(1, dtype=np.float64) / np.maximum(both.sum(1), 1)
        moved = np.where(both.any(1), moved, centre - np.stack([track.centre for track in tracks]))  # [M, 2]
        for row, track in enumerate(tracks):
            elapsed = seconds - track.seen_seconds
            if elapsed > 0:
                track.velocity += -math.expm1(-elapsed / VELOCITY_SECONDS) * (moved[row] / elapsed - track.velocity)
                track.size += -math.expm1(-elapsed / SIZE_SECONDS) * (size[row] - track.size)
            track.centre, track.keypoints, track.seen_seconds = centre[row], new[row], seconds

    def _weigh(self, owners: dict[int, _Track], poses: Poses, elapsed: float) -> None:
        """Give numbers to newcomers who have been seen long enough, and forget those who come and go."""
        scores = {track.key: float(poses.scores[person]) for person, track in owners.items()}
        for track in [track for track in self._tracks if track.number is None]:
            score = scores.get(track.key)
            if score is None:
                track.credit_seconds -= elapsed
                if track.credit_seconds < -GRACE_SECONDS - TICK:
                    self._tracks.remove(track)
                continue
            track.credit_seconds += elapsed * (1 if score >= self.sure_score else DOUBTFUL_WORTH)
            if track.credit_seconds >= self.confirm_seconds - TICK:
                self._name(track)

    def _name(self, newcomer: _Track) -> None:
        """Give a newcomer the number of somebody who went out of sight here before, or a new one."""
        lost = [
            track for track in self._tracks
            if track.number is not None and track.seen_seconds < newcomer.born_seconds
        ]  # fmt: skip
        distance, nearest = min(((_way_back(track, newcomer), n) for n, track in enumerate(lost)), default=(np.inf, -1))
        if distance <= 1:
            newcomer.key, newcomer.number = lost[nearest].key, lost[nearest].number
            self._tracks.remove(lost[nearest])
        else:
            newcomer.number = self.next_number
            self.next_number += 1

    def _welcome(self, poses: Poses, person: int, seconds: float) -> _Track:
        box = poses.boxes[person].astype(np.float64)
        centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        track = _Track(self._next_key, poses.keypoints[person], centre, size, seconds, seconds, centre)
        self._next_key += 1
        self._tracks.append(track)
        return track


def _way_back(lost: _Track, newcomer: _Track) -> float:
    """How far from where `lost` went the newcomer appeared, as a share of how far people get; above 1, no further."""
    height, other = float(lost.size.max()), float(newcomer.size.max())
    if max(height, other) > SIZE_RATIO * min(height, other):
        return np.inf
    born = newcomer.born_seconds
    reach = height * (REACH[0] + REACH[1] * (born - lost.seen_seconds))
    # Whoever went behind something may have walked on, or stopped there.
    places = (lost.centre, lost.centre + lost.shift(born))
    return min(float(np.linalg.norm(newcomer.born_centre - place)) for place in places) / max(reach, 1.0)


def _best_pairs(similarity: NDArray[np.float64], least: float) -> list[tuple[int, int]]:
    """Rows and columns paired greedily, most similar first, each used once."""
    pairs = []
    rows, columns = np.nonzero(similarity >= least)
    used_rows, used_columns = set(), set()
    for place in np.argsort(-similarity[rows, columns], kind="stable"):
        row, column = int(rows[place]), int(columns[place])
        if row not in used_rows and column not in used_columns:
            used_rows.add(row)
            used_columns.add(column)
            pairs.append((row, column))
    return pairs
