"""`Timeline`: who was in what posture from when to when."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from stream.scene import Person

__all__ = ["Interval", "Timeline"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of time in which a person was shown in one posture.

    Attributes:
        track: the person's number.
        posture: the steady label; None while it was unknown.
        from_seconds: time of the first frame that showed it.
        to_seconds: time of the first frame that no longer did; infinite while it goes on.
        probability: of the label, mean over its frames, 0–1.
        frames: how many there were.
    """

    track: int
    posture: str | None
    from_seconds: float
    to_seconds: float
    probability: float
    frames: int


@dataclass(slots=True)
class _Running:
    track: int
    posture: str | None
    from_seconds: float
    seen_seconds: float
    missed_seconds: float | None = None  # the first frame without the person after `seen_seconds`
    probability_sum: float = 0.0
    frames: int = 0

    def until(self, seconds: float) -> Interval:
        probability = self.probability_sum / self.frames
        return Interval(self.track, self.posture, self.from_seconds, seconds, probability, self.frames)


class Timeline:
    """Cuts the postures of the people of one source into intervals. Not thread-safe; use one per source.

    Intervals of one person follow each other without gap or overlap while the person is in sight.

    Args:
        gap_seconds: who is out of sight for no longer, and comes back in the same posture, was never away.
    """

    def __init__(self, *, gap_seconds: float = 1.0):
        self.gap_seconds = gap_seconds
        self._running: dict[int, _Running] = {}
        self._seconds = -math.inf
        self._spacing_seconds = 0.0  # of the last two frames

    @property
    def settled_seconds(self) -> float:
        """Nothing that `update` tells later lies before this."""
        return self._seconds - self.gap_seconds

    def update(self, people: Iterable[Person], seconds: float) -> list[Interval]:
        """The intervals that have ended, known by one more frame.

        Args:
            people: everybody in the frame; who has no number yet is left out.
            seconds: its time on a clock that never goes back.
        """
        if math.isfinite(self._seconds) and seconds > self._seconds:
            self._spacing_seconds = seconds - self._seconds
        self._seconds = seconds
        ended = []
        seen = set()
        for person in people:
            if person.track is None:
                continue
            seen.add(person.track)
            running = self._running.get(person.track)
            if running is not None and (running.posture != person.posture or self._is_gone(running)):
                ended.append(running.until(self._end(running, seconds)))
                running = None
            if running is None:
                running = self._running[person.track] = _Running(person.track, person.posture, seconds, seconds)
            running.seen_seconds, running.missed_seconds = seconds, None
            running.probability_sum += person.probability
            running.frames += 1
        for track in self._running.keys() - seen:
            running = self._running[track]
            if running.missed_seconds is None:
                running.missed_seconds = seconds
            if self._is_gone(running):
                ended.append(self._running.pop(track).until(running.missed_seconds))
        return sorted(ended, key=lambda interval: (interval.from_seconds, interval.track))

    def _is_gone(self, running: _Running) -> bool:
        return self._seconds - running.seen_seconds > self.gap_seconds

    @staticmethod
    def _end(running: _Running, seconds: float) -> float:
        return seconds if running.missed_seconds is None else running.missed_seconds

    def running(self) -> list[Interval]:
        """The intervals that go on."""
        return [running.until(math.inf) for running in self._running.values()]

    def finish(self) -> list[Interval]:
        """The intervals that go on, ended with the last frame, which lasts as long as the one before it."""
        end = self._seconds + self._spacing_seconds
        ended = [running.until(self._end(running, end)) for running in self._running.values()]
        self._running = {}
        return sorted(ended, key=lambda interval: (interval.from_seconds, interval.track))
