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

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.poses import Poses
from stream.likeness import Overlaps
from stream.tracks import Tracks

__all__ = ["Identity", "Tracker"]

DOUBTFUL_WORTH: Final = 1 / 3  # what a doubtful sight of a newcomer counts beside a sure one
GRACE_SECONDS: Final = 0.1  # how much longer than seen a newcomer may be missed
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


class Tracker:
    """Follows the people of one source. Not thread-safe; use one per source.

    Args:
        sure_score: people from this score on choose first, 0–1.
        min_similarity: below this two people are not the same, 0–1.
        confirm_seconds: a person gets a number after having been seen for this long; one who is never sure, after three
            times as long.
        max_lost_seconds: a person out of sight for longer gets a new number.
        least_score: a newcomer needs this score apart from better ones in the same place (`Overlaps`), 0–1. Whoever
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
        self._tracks = Tracks.none()
        self._seconds = 0.0
        self._next_key = 1
        self.next_number = first_number

    @property
    def keys(self) -> frozenset[int]:
        """Keys still in memory, also of people who are out of sight for a moment."""
        return frozenset(self._tracks.keys)

    def update(self, poses: Poses, seconds: float) -> list[Identity | None]:
        """Who everybody is, in the order of `poses`; None for somebody found a second time.

        Args:
            poses: the people of the next frame.
            seconds: its time on a clock that never goes back.
        """
        before, self._seconds = self._seconds, seconds
        last_seen = enumerate(self._tracks.seen_seconds.tolist())
        self._forget({track for track, last in last_seen if seconds - last > self.max_lost_seconds})
        owners, newcomers = self._associate(poses, seconds, before)
        if owners:
            self._tracks.see(list(owners.values()), list(owners), poses, seconds)
        gone = self._weigh(owners, poses, seconds - before)
        if newcomers:
            owners |= self._welcome(newcomers, poses, seconds)
        tracks, found = self._tracks, (owners.get(person) for person in range(len(poses)))
        told = [None if track is None else Identity(tracks.keys[track], tracks.numbers[track]) for track in found]
        self._forget(gone)
        return told

    def _associate(self, poses: Poses, seconds: float, before: float) -> tuple[dict[int, int], list[int]]:
        """The track of every person who has one, and the newcomers, all by their rows. Whoever is neither was found a
        second time."""
        sure = {person for person, score in enumerate(poses.scores.tolist()) if score >= self.sure_score}
        doubtful = set(range(len(poses))) - sure
        known = {track for track, number in enumerate(self._tracks.numbers) if number is not None}
        unknown = set(range(len(self._tracks))) - known
        overlaps = Overlaps.of(poses)
        pairs = overlaps.doubles()
        similarity = self._tracks.similarity(poses, seconds)  # [N, T]
        # A doubtful one beside somebody is the other's double, or one of two who embrace: both were just in sight then.
        hidden = self._tracks.seen_seconds < before - TICK
        for _, worse, _ in pairs:
            if worse in doubtful:
                similarity[worse, hidden] = 0
        best_first = _best_first(similarity, self.min_similarity)
        owners: dict[int, int] = {}

        def choose(people: set[int], tracks: set[int]) -> None:
            """Pairs, most alike first; who has found the other is free no longer."""
            for person, track in best_first:
                if person in people and track in tracks:
                    owners[person] = track
                    people.remove(person)
                    tracks.remove(track)

        twice: set[int] = set()
        for better, worse, alike in pairs:
            if better not in twice and alike > SURELY_DOUBLE:
                twice.add(worse)
        sure -= twice
        doubtful -= twice
        choose(sure, known)
        choose(doubtful, known)
        # Of two who may be one, both stay only if both are known.
        for better, worse, _ in pairs:
            if better not in twice and worse not in twice and not (better in owners and worse in owners):
                twice.add(worse if better in owners or worse not in owners else better)
        faint = (person for person, score in enumerate(overlaps.scores_apart().tolist()) if score < self.least_score)
        twice.update(faint)
        sure -= twice
        doubtful -= twice
        choose(sure, unknown)
        choose(doubtful, unknown)
        return owners, sorted(sure | doubtful)

    def _weigh(self, owners: dict[int, int], poses: Poses, elapsed: float) -> set[int]:
        """Give numbers to newcomers who have been seen long enough. The tracks of those who come and go, and of those
        who were somebody else, are to be forgotten."""
        scores = dict(zip(owners.values(), poses.scores[list(owners)].tolist(), strict=True))
        tracks, gone = self._tracks, set()
        for track in [track for track, number in enumerate(tracks.numbers) if number is None]:
            score = scores.get(track)
            if score is None:
                tracks.credit_seconds[track] -= elapsed
                if tracks.credit_seconds[track] < -GRACE_SECONDS - TICK:
                    gone.add(track)
                continue
            tracks.credit_seconds[track] += elapsed * (1 if score >= self.sure_score else DOUBTFUL_WORTH)
            if tracks.credit_seconds[track] >= self.confirm_seconds - TICK:
                gone |= self._name(track, gone)
        return gone

    def _name(self, newcomer: int, gone: set[int]) -> set[int]:
        """Give a newcomer a new number, or that of somebody who went out of sight here before; the latter's track."""
        tracks, born = self._tracks, self._tracks.born_seconds[newcomer]
        lost = [
            track for track, number in enumerate(tracks.numbers)
            if number is not None and track not in gone and tracks.seen_seconds[track] < born
        ]  # fmt: skip
        distance, nearest = min(((tracks.way_back(track, newcomer), track) for track in lost), default=(np.inf, -1))
        if distance <= 1:
            tracks.keys[newcomer], tracks.numbers[newcomer] = tracks.keys[nearest], tracks.numbers[nearest]
            return {nearest}
        tracks.numbers[newcomer] = self.next_number
        self.next_number += 1
        return set()

    def _welcome(self, people: list[int], poses: Poses, seconds: float) -> dict[int, int]:
        """The tracks of people seen for the first time."""
        keys = list(range(self._next_key, self._next_key + len(people)))
        self._next_key += len(people)
        first = len(self._tracks)
        self._tracks = self._tracks.joined(Tracks.newcomers(keys, poses.select(people), seconds))
        return {person: first + place for place, person in enumerate(people)}

    def _forget(self, gone: set[int]) -> None:
        if gone:
            self._tracks = self._tracks.select([track for track in range(len(self._tracks)) if track not in gone])


def _best_first(similarity: NDArray[np.float64], least: float) -> list[tuple[int, int]]:
    """Rows and columns that may be paired, most similar first."""
    rows, columns = (similarity >= least).nonzero()
    order = (-similarity[rows, columns]).argsort(kind="stable")
    return list(zip(rows[order].tolist(), columns[order].tolist(), strict=True))
