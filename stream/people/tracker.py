"""`Tracker`: gives every person a number that stays over the frames of one source.

Association in stages after ByteTrack (Zhang et al., 2022): high-score detections choose among the known people first,
low-score ones get what is left, so a person half hidden keeps the number without a ghost taking it. Whoever is new
gets a number after having been seen for a moment, and takes up the number of somebody who went out of sight there
shortly before.

Chosen on the crowds of `bench/identity.py`:

- How far somebody has moved is told by the keypoints seen in both frames, because a box jumps when a part of the person
  is hidden. An average of that velocity made a fifth fewer mistakes than a Kalman filter over boxes.
- Pairs are taken greedily, most alike first. The optimal assignment gives up a certain pair to win two poor ones: as
  many switches or a few more, and it costs more.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.network_descriptions import HIGH_SCORE_THRESHOLD
from pose.poses import Poses
from stream.people.similarity import Bodies, compare, scores_apart
from stream.people.tracks import Identity, Tracks

__all__ = ["Identity", "Tracker"]

LOW_SCORE_WORTH: Final = 1 / 3  # what a low-score sight of a newcomer counts beside a high-score one
GRACE_SECONDS: Final = 0.1  # how much longer than seen a newcomer may be missed
SURELY_DOUBLE: Final = 0.8  # two skeletons in one frame more alike than this are one person's, whoever was there before
TICK: Final = 1e-6  # times are sums of many steps, so they are compared with this slack


class Tracker:
    """Follows the people of one source. Not thread-safe; use one per source.

    Args:
        high_score_threshold: people from this score on choose first, 0–1.
        min_similarity: below this two people are not the same, 0–1.
        confirm_seconds: a person gets a number after having been seen for this long; one whose score is never
            high, after three times as long.
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
        high_score_threshold: float = HIGH_SCORE_THRESHOLD,
        min_similarity: float = 0.3,
        confirm_seconds: float = 0.2,
        max_lost_seconds: float = 2.0,
        least_score: float = 0.1,
        first_number: int = 1,
    ):
        self.high_score_threshold = high_score_threshold
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
        return frozenset([identity.key for identity in self._tracks.identities])

    def shifts(self, seconds: float) -> dict[int, NDArray[np.float64]]:
        """By key, how far everybody who was in the last frame has moved by `seconds`, px `[2]`."""
        tracks = self._tracks
        moved = tracks.shift(seconds - tracks.seen_seconds)
        latest = tracks.seen_seconds >= self._seconds
        return {
            identity.key: shift
            for identity, shift, now in zip(tracks.identities, moved, latest.tolist(), strict=True)
            if now
        }

    def update(self, poses: Poses, seconds: float) -> list[Identity | None]:
        """Who everybody is, in the order of `poses`; None for somebody found a second time.

        Args:
            poses: the people of the next frame.
            seconds: its time on a clock that never goes back.
        """
        before, self._seconds = self._seconds, seconds
        last_seen = enumerate(self._tracks.seen_seconds.tolist())
        self._forget({track for track, last in last_seen if seconds - last > self.max_lost_seconds})
        bodies, scores = Bodies.of(poses), poses.scores.tolist()
        owners, newcomers = self._associate(bodies, scores, seconds, before) if scores else ({}, [])
        if owners:
            self._tracks.see(np.array(list(owners.values())), bodies, np.array(list(owners)), seconds)
        gone = self._weigh({track: scores[person] for person, track in owners.items()}, seconds - before)
        if newcomers:
            owners |= self._welcome(newcomers, bodies, seconds)
        identities = self._tracks.identities
        told = [identities[owners[person]] if person in owners else None for person in range(len(scores))]
        self._forget(gone)
        return told

    def _associate(
        self, bodies: Bodies, scores: list[float], seconds: float, before: float
    ) -> tuple[dict[int, int], list[int]]:
        """The track of every person who has one, and the newcomers, all by their rows. Whoever is neither was found a
        second time."""
        high = {person for person, score in enumerate(scores) if score >= self.high_score_threshold}
        low = set(range(len(scores))) - high
        known = {track for track, identity in enumerate(self._tracks.identities) if identity.number is not None}
        unknown = set(range(len(self._tracks))) - known
        best_first, doubles = compare(bodies, scores, *self._tracks.expected(seconds), self.min_similarity)
        # A low score beside somebody is the other's double, or one of two who embrace: both were just in sight then.
        beside = {worse for _, worse, _ in doubles if worse in low}
        if beside:
            hidden = self._tracks.seen_seconds < before - TICK
            best_first = [pair for pair in best_first if not (pair[0] in beside and hidden[pair[1]])]
        owners: dict[int, int] = {}

        def choose(people: set[int], tracks: set[int]) -> None:
            """Pairs, most alike first; who has found the other is free no longer."""
            if not people or not tracks:
                return
            for person, track, _ in best_first:
                if person in people and track in tracks:
                    owners[person] = track
                    people.remove(person)
                    tracks.remove(track)

        twice: set[int] = set()
        for better, worse, alike in doubles:
            if better not in twice and alike > SURELY_DOUBLE:
                twice.add(worse)
        high -= twice
        low -= twice
        choose(high, known)
        choose(low, known)
        if not high and not low:
            return owners, []
        # Of two who may be one, both stay only if both are known.
        for better, worse, _ in doubles:
            if better not in twice and worse not in twice and not (better in owners and worse in owners):
                twice.add(worse if better in owners or worse not in owners else better)
        twice.update((scores_apart(bodies, np.array(scores)) < self.least_score).nonzero()[0].tolist())
        high -= twice
        low -= twice
        choose(high, unknown)
        choose(low, unknown)
        return owners, sorted(high | low)

    def _weigh(self, scores: dict[int, float], elapsed: float) -> set[int]:
        """Give numbers to newcomers who have been seen long enough. The tracks of those who come and go, and of those
        who were somebody else, are to be forgotten.

        Args:
            scores: of everybody who was found, by track.
            elapsed: seconds since the last frame.
        """
        tracks, gone = self._tracks, set()
        for track in [track for track, identity in enumerate(tracks.identities) if identity.number is None]:
            score = scores.get(track)
            if score is None:
                tracks.credit_seconds[track] -= elapsed
                if tracks.credit_seconds[track] < -GRACE_SECONDS - TICK:
                    gone.add(track)
                continue
            tracks.credit_seconds[track] += elapsed * (1 if score >= self.high_score_threshold else LOW_SCORE_WORTH)
            if tracks.credit_seconds[track] >= self.confirm_seconds - TICK:
                gone |= self._name(track, gone)
        return gone

    def _name(self, newcomer: int, gone: set[int]) -> set[int]:
        """Give a newcomer a new number, or that of somebody who went out of sight here before; the latter's track."""
        tracks, born = self._tracks, self._tracks.people["born_seconds"][newcomer]
        lost = [
            track for track, identity in enumerate(tracks.identities)
            if identity.number is not None and track not in gone and tracks.seen_seconds[track] < born
        ]  # fmt: skip
        distance, nearest = min(
            ((tracks.reid_distance(track, newcomer), track) for track in lost), default=(np.inf, -1)
        )
        if distance <= 1:
            tracks.identities[newcomer] = tracks.identities[nearest]
            return {nearest}
        tracks.identities[newcomer] = Identity(tracks.identities[newcomer].key, self.next_number)
        self.next_number += 1
        return set()

    def _welcome(self, people: list[int], bodies: Bodies, seconds: float) -> dict[int, int]:
        """The tracks of people seen for the first time."""
        keys = list(range(self._next_key, self._next_key + len(people)))
        self._next_key += len(people)
        first = len(self._tracks)
        self._tracks = self._tracks.joined(Tracks.newcomers(keys, bodies, people, seconds))
        return {person: first + place for place, person in enumerate(people)}

    def _forget(self, gone: set[int]) -> None:
        if gone:
            self._tracks = self._tracks.select([track for track in range(len(self._tracks)) if track not in gone])
