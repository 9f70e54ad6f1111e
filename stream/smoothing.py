"""`LabelSmoother`: one steady posture per person out of a verdict per frame.

An exponential average over past labels, in seconds, with hysteresis: a new label is shown once it holds more than its
fair half of the average. `unknown` is a label like any other, so a person who cannot be judged for a moment keeps the
posture, and one who cannot be judged for long loses it.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from index.verdict import Verdict

__all__ = ["LabelSmoother", "SteadyPosture"]

MAX_STEP: Final = 0.5
"""The most one frame can weigh, however long ago the last one was: below any `switch_share`, so that a label seen in
a single frame is never shown, not even at one frame per second."""


@dataclass(frozen=True, slots=True)
class SteadyPosture:
    """What is shown for a person.

    Attributes:
        posture: the label; None when unknown.
        share: average share of the vote of the frames that said so, 0–1.
        since_seconds: when it began to be shown; None while it is unknown.
    """

    posture: str | None
    share: float
    since_seconds: float | None


@dataclass(slots=True)
class _Memory:
    seconds: float
    weights: dict[str | None, float] = field(default_factory=lambda: {None: 1.0})  # adds up to 1
    shares: dict[str | None, float] = field(default_factory=dict)
    shown: str | None = None
    since_seconds: float | None = None


class LabelSmoother:
    """Steadies the labels of the people of one source. Not thread-safe; use one per source.

    Args:
        time_constant_seconds: of the average.
        switch_share: a label is shown once it holds this share of the average, above 0.5.
    """

    def __init__(self, *, time_constant_seconds: float = 0.3, switch_share: float = 0.6):
        self.time_constant_seconds = time_constant_seconds
        self.switch_share = switch_share
        self._people: dict[int, _Memory] = {}

    def update(self, track: int, verdict: Verdict, seconds: float) -> SteadyPosture:
        """What to show for a person after one more frame.

        Args:
            track: the person's number.
            verdict: what this frame says.
            seconds: its time on a clock that never goes back.
        """
        memory = self._people.get(track)
        if memory is None:
            memory = self._people[track] = _Memory(seconds)
        step = min(1 - math.exp(-(seconds - memory.seconds) / self.time_constant_seconds), MAX_STEP)
        memory.seconds = seconds
        label = verdict.label
        memory.weights = {name: weight * (1 - step) for name, weight in memory.weights.items() if weight > 1e-4}
        memory.weights[label] = memory.weights.get(label, 0.0) + step
        known = memory.shares.get(label, verdict.share)
        memory.shares[label] = known + max(step, 0.1) * (verdict.share - known)
        if label != memory.shown and memory.weights[label] >= self.switch_share:
            memory.shown = label
            memory.since_seconds = None if label is None else seconds
        share = 0.0 if memory.shown is None else memory.shares.get(memory.shown, 0.0)
        return SteadyPosture(memory.shown, share, memory.since_seconds)

    def keep(self, tracks: Collection[int]) -> None:
        """Forget everybody who is not among `tracks`."""
        for track in self._people.keys() - set(tracks):
            del self._people[track]
