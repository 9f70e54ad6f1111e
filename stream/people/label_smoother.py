"""`LabelSmoother`: one steady posture per person out of a classification per frame.

Every frame is evidence for and against every posture (`stream.people.evidence`). For each posture that is not shown,
the evidence it has over the one that is shown is added up over time and never falls below zero; when it reaches
`switch_seconds`, that posture is shown and the counting begins anew. This is Page's cumulative sum test (Biometrika,
1954) with the shown posture as the hypothesis in force: a certain change is shown after that time at any frame rate, a
doubtful one later, a flicker never, and no two changes lie closer together. `unknown` is a posture like any other.

Frames are no independent witnesses: what the network and the database take a person for, right or wrong, stays much the
same for 0.3 to 0.8 s (`bench/memory_of_classifications.py`, three clips). `switch_seconds` is longer than one such
spell, and no longer than shows a certain change within 0.7 s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.classification import Classification
from stream.people.continuity import Continuity
from stream.people.evidence import LEAST, evidence_of, scaled

__all__ = ["LabelSmoother", "SteadyPosture", "averaged_probability"]

PROBABILITY_SECONDS: Final = 0.5  # time constant of the probability that is shown
MAX_STEP: Final = 0.9
"""The most one frame can weigh, in parts of `switch_seconds`, however long ago the last one was: a label seen in a
single frame is never shown, not even at one frame per second."""


@dataclass(frozen=True, slots=True)
class SteadyPosture:
    """What is shown for a person.

    Attributes:
        posture: the label; None when unknown.
        probability: its probability, averaged over the last frames that it was shown in, 0–1; 0 while unknown.
        since_seconds: when it began to be shown; None while it is unknown.
        doubt: how much of the evidence is there that it takes to show another one, 0–1.
    """

    posture: str | None
    probability: float
    since_seconds: float | None
    doubt: float = 0.0


@dataclass(slots=True)
class _Memory:
    seconds: float
    evidence: dict[str | None, float] = field(default_factory=dict)  # seconds ahead of what is shown, above zero
    shown: str | None = None
    probability: float = 0.0
    since_seconds: float | None = None


class LabelSmoother:
    """Steadies the labels of the people of one source. Not thread-safe; use one per source.

    Args:
        switch_seconds: for how long frames that are certain of a posture must go on until it is shown.
        unknown_probability: a posture with a lower probability than this, on average, gives way to unknown, 0–1.
        grace_seconds: who is out of sight for no longer than this keeps the posture, also under a new key at the same
            place.
    """

    def __init__(self, *, switch_seconds: float = 0.6, unknown_probability: float = 0.25, grace_seconds: float = 1.0):
        self.switch_seconds = switch_seconds
        self.unknown_probability = unknown_probability
        # Unknown is never far behind: certainty of a posture gains on it by this much a second, on the others by 1.
        self._naming_seconds = -scaled(unknown_probability) * switch_seconds
        self._continuity = Continuity(grace_seconds=grace_seconds)
        self._people: dict[int, _Memory] = {}

    def update(
        self, keys: Sequence[int], boxes: NDArray[np.float32], classifications: Sequence[Classification], seconds: float
    ) -> list[SteadyPosture]:
        """What to show for the people of one more frame, in their order.

        Args:
            keys: the tracker's, one per person.
            boxes: float32 `[N, 4]`: x1, y1, x2, y2 px.
            classifications: what this frame says of each.
            seconds: its time on a clock that never goes back.
        """
        persons = self._continuity.update(keys, boxes, seconds)
        if len(self._people) > len(self._continuity):
            remembered = self._continuity.persons
            self._people = {person: memory for person, memory in self._people.items() if person in remembered}
        return [
            self._steady(self._people.setdefault(person, _Memory(seconds)), classification, seconds)
            for person, classification in zip(persons, classifications, strict=True)
        ]

    def _steady(self, memory: _Memory, classification: Classification, seconds: float) -> SteadyPosture:
        step = min(seconds - memory.seconds, MAX_STEP * self.switch_seconds)
        memory.seconds = seconds
        frame = evidence_of(classification, self.unknown_probability)
        shown = frame.get(memory.shown, LEAST)
        ahead: dict[str | None, float] = {}
        for label in memory.evidence | frame:
            lead = memory.evidence.get(label, 0.0) + step * (frame.get(label, LEAST) - shown)
            if lead > 0 and label != memory.shown:
                ahead[label] = lead
        memory.evidence = ahead
        best = max(ahead, key=ahead.__getitem__, default=memory.shown)
        needed = self._naming_seconds if memory.shown is None else self.switch_seconds
        switched = best != memory.shown and memory.evidence[best] >= needed - 1e-9
        if switched:
            memory.evidence = {}
            memory.shown = best
            memory.since_seconds = None if best is None else seconds
        memory.probability = averaged_probability(
            memory.shown, classification, None if switched else memory.probability, step
        )
        doubt = 0.0 if switched or best == memory.shown else memory.evidence[best] / needed
        return SteadyPosture(memory.shown, memory.probability, memory.since_seconds, doubt)


def averaged_probability(
    posture: str | None, classification: Classification, before: float | None, step_seconds: float
) -> float:
    """A posture's averaged probability after one more frame, 0–1; 0 for unknown.

    Args:
        posture: what is shown.
        classification: what the frame says.
        before: the average so far; None if the posture begins with this frame.
        step_seconds: since the last frame.
    """
    if posture is None:
        return 0.0
    now = dict(classification.probabilities).get(posture, 0.0)
    if before is None:
        return now
    return before + (1 - math.exp(-step_seconds / PROBABILITY_SECONDS)) * (now - before)
