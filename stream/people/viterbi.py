"""`FixedLagViterbi`: steady postures that know what comes next, for recordings.

The postures of a person are the path through the frames with the most evidence, where every change costs
`switch_seconds` of it (Viterbi's algorithm). What is shown at an instant is decided when `lag_seconds` more have
been seen, so a change begins where it began, not where it had become certain, and memory stays bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from stream.people.continuity import Continuity
from stream.people.evidence import LEAST, evidence_of
from stream.people.label_smoother import MAX_STEP, averaged_probability
from stream.scene import Person, Scene

__all__ = ["FixedLagViterbi"]

MAX_BYTES: Final = 2**30
"""Of pictures that wait, those of all sources together. Where two seconds hold more than this (4K at 60 frames per
second would take 3 GB), less is looked ahead."""


@dataclass(slots=True)
class _Stretch:
    """A posture from an instant on, and what came before it on this path."""

    posture: str | None
    from_seconds: float
    before: _Stretch | None


@dataclass(slots=True)
class _Path:
    """The best path of one person to every posture, so far."""

    seconds: float
    evidence: dict[str | None, float] = field(default_factory=dict)
    stretches: dict[str | None, _Stretch] = field(default_factory=dict)
    told: str | None = None  # the posture that was given out last
    told_seconds: float = 0.0
    since_seconds: float | None = None
    probability: float = 0.0

    def extend(self, frame: dict[str | None, float], seconds: float, step: float, cost: float) -> None:
        """Add what a frame says."""
        if not self.evidence:  # whatever it begins with is no change
            self.evidence = dict.fromkeys(frame, 0.0)
            self.stretches = {label: _Stretch(label, seconds, None) for label in frame}
        best = max(self.evidence, key=self.evidence.__getitem__)
        changed, origin = self.evidence[best] - cost, self.stretches[best]
        # A posture that would do better by starting from the best path now does so; what is not in the frame and lost
        # need not be kept for that.
        kept = [label for label, sum_ in self.evidence.items() if sum_ >= changed]
        self.stretches = {label: self.stretches[label] for label in kept}
        for label in frame:
            if label not in self.stretches:
                self.stretches[label] = _Stretch(label, seconds, origin)
        highest = self.evidence[best]  # taken off, so that sums stay small for hours
        self.evidence = {
            label: max(self.evidence.get(label, changed), changed) - highest + step * frame.get(label, LEAST)
            for label in self.stretches
        }
        self.seconds = seconds

    def at(self, seconds: float) -> str | None:
        """The posture that the best path has at an instant; never asked for an earlier one again.

        What was told cannot be taken back. When it changes, paths that have another posture there end with that:
        otherwise the one that was left could be the best again a moment later, without paying for the way back.
        """
        best = max(self.evidence, key=self.evidence.__getitem__)
        posture = _covering(self.stretches[best], seconds).posture
        for label, stretch in list(self.stretches.items()):
            covering = _covering(stretch, seconds)
            covering.before = None
            if posture != self.told and covering.posture != posture:
                del self.stretches[label], self.evidence[label]
        return posture


def _covering(stretch: _Stretch, seconds: float) -> _Stretch:
    while stretch.from_seconds > seconds and stretch.before is not None:
        stretch = stretch.before
    return stretch


@dataclass(frozen=True, slots=True)
class _Waiting:
    scene: Scene
    seconds: float
    paths: tuple[_Path | None, ...]  # of the people, None for one whom the tracker does not know yet


class FixedLagViterbi:
    """Gives the scenes of recordings again with postures decided in fixed lag. Not thread-safe.

        for scene in FixedLagViterbi()(scenes("clip.mp4")): ...

    Args:
        lag_seconds: how much later a scene comes out than it went in.
        switch_seconds, unknown_probability, grace_seconds: see `LabelSmoother`.
    """

    def __init__(
        self,
        *,
        lag_seconds: float = 2.0,
        switch_seconds: float = 0.6,
        unknown_probability: float = 0.25,
        grace_seconds: float = 1.0,
    ):
        self._settings = lag_seconds, switch_seconds, unknown_probability, grace_seconds
        self._sources: dict[str, _Hindsight] = {}

    def __call__(self, found: Iterable[Scene]) -> Generator[Scene, None, None]:
        """Every scene, in the order of its source. If `found` fails on the way, what it gave before comes out first."""
        fault: Exception | None = None
        try:
            for scene in found:
                name = scene.frame.source
                if name not in self._sources:
                    self._sources[name] = _Hindsight(*self._settings)
                yield from self._sources[name].push(scene)
                while sum(source.waiting_bytes for source in self._sources.values()) > MAX_BYTES:
                    yield max(self._sources.values(), key=lambda source: source.waiting_bytes).first()
        except Exception as error:  # rises again below
            fault = error
        for source in self._sources.values():
            yield from source.finish()
        if fault is not None:
            raise fault


class _Hindsight:
    """The same for one source.

    Attributes:
        waiting_bytes: of the pictures that wait.
    """

    def __init__(
        self, lag_seconds: float, switch_seconds: float, unknown_probability: float, grace_seconds: float
    ) -> None:
        self.lag_seconds = lag_seconds
        self.switch_seconds = switch_seconds
        self.unknown_probability = unknown_probability
        self._continuity = Continuity(grace_seconds=grace_seconds)
        self._paths: dict[int, _Path] = {}
        self._waiting: deque[_Waiting] = deque()
        self.waiting_bytes = 0
        self._seconds = float("-inf")

    def push(self, scene: Scene) -> Iterator[Scene]:
        """Learn from the next scene; gives the scenes that are decided by it."""
        self._learn(scene)
        yield from self._decided(self._seconds - self.lag_seconds)

    def finish(self) -> Iterator[Scene]:
        """The scenes that are left when no more will come."""
        yield from self._decided(float("inf"))

    def _learn(self, scene: Scene) -> None:
        self._seconds = max(scene.frame.seconds, self._seconds)  # a bad timestamp must not turn time back
        known = [person for person in scene.people if person.track is not None]
        rows = np.array([person.row for person in known], int)
        persons = self._continuity.update(
            [person.track for person in known if person.track is not None], scene.poses.boxes[rows], self._seconds
        )
        self._paths = {person: self._paths[person] for person in self._continuity.persons & self._paths.keys()}
        by_row = {}
        for person, number in zip(known, persons, strict=True):
            path = self._paths.setdefault(number, _Path(self._seconds))
            frame = evidence_of(person.classification, self.unknown_probability)
            path.extend(frame, self._seconds, self._step(path.seconds), self.switch_seconds)
            by_row[person.row] = path
        self._waiting.append(_Waiting(scene, self._seconds, tuple(by_row.get(person.row) for person in scene.people)))
        self.waiting_bytes += scene.frame.bgr.nbytes

    def _step(self, before_seconds: float) -> float:
        return min(self._seconds - before_seconds, MAX_STEP * self.switch_seconds)

    def _decided(self, until_seconds: float) -> Iterator[Scene]:
        while self._waiting and self._waiting[0].seconds <= until_seconds:
            yield self.first()

    def first(self) -> Scene:
        """The scene that waits longest, decided by what is known now."""
        waiting = self._waiting.popleft()
        self.waiting_bytes -= waiting.scene.frame.bgr.nbytes
        people = [
            person if path is None else self._smoothed(person, path, waiting.seconds)
            for person, path in zip(waiting.scene.people, waiting.paths, strict=True)
        ]
        return replace(waiting.scene, people=tuple(people))

    def _smoothed(self, person: Person, path: _Path, seconds: float) -> Person:
        posture = path.at(seconds)
        switched = posture != path.told
        if switched:
            path.told = posture
            path.since_seconds = None if posture is None else seconds
        before = None if switched else path.probability
        path.probability = averaged_probability(posture, person.classification, before, seconds - path.told_seconds)
        path.told_seconds = seconds
        return replace(person, posture=posture, probability=path.probability, since_seconds=path.since_seconds)
