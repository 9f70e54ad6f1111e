"""`Tally`: what happened so far in a run, source by source."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from stream.run.recent import Recent
from stream.scene import Scene

__all__ = ["UNSETTLED", "SourceTally", "Tally"]

UNSETTLED: Final = "posture not settled yet"
"""Why somebody is unknown whose posture this frame does name."""

AGES: Final = 1000  # live frames whose age is remembered


@dataclass(slots=True)
class SourceTally:
    """What happened so far to one source.

    Attributes:
        frames: how many were understood.
        people: how many people in them, everyone counted in every frame.
        shown: how many people are in the latest one.
        epoch: how often the camera was reconnected, by that frame.
        ages: seconds from capture to label of the latest live frames.
        drops: frames of a live source that were left out, by cause; see `stream.reading.scheduler.DROP_CAUSES`.
        postures: in how many frames somebody was shown as what, everyone counted; None stands for unknown.
        reasons: in how many frames somebody was shown as unknown for what reason, everyone counted: that of the frame,
            or `UNSETTLED`. They add up to `postures[None]`.
        started_seconds: `time.monotonic()` when the first frame was understood.
        latest_seconds: and the latest.
        recent: those of the last seconds.
    """

    frames: int = 0
    people: int = 0
    shown: int = 0
    epoch: int = 0
    ages: deque[float] = field(default_factory=lambda: deque(maxlen=AGES))
    drops: dict[str, int] = field(default_factory=dict)
    postures: dict[str | None, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    started_seconds: float | None = None
    latest_seconds: float = 0.0
    recent: Recent = field(default_factory=Recent)

    def count(self, scene: Scene, *, live: bool) -> None:
        """Add one scene, just understood."""
        now = self.latest_seconds = time.monotonic()
        self.recent.add(now)
        self.frames += 1
        self.shown = len(scene.people)
        self.people += self.shown
        self.epoch = scene.frame.epoch
        if self.started_seconds is None:
            self.started_seconds = now
        if live:
            self.ages.append(now - scene.frame.captured_seconds)
        for person in scene.people:
            self.postures[person.posture] = self.postures.get(person.posture, 0) + 1
            if person.posture is None:
                reason = str(person.classification.reason or UNSETTLED)
                self.reasons[reason] = self.reasons.get(reason, 0) + 1

    @property
    def dropped(self) -> int:
        """Frames that were left out, whatever the cause."""
        return sum(self.drops.values())

    @property
    def frames_per_second(self) -> float:
        """Frames per second of wall time from the first to the latest; 0 before the second."""
        if self.started_seconds is None or self.frames < 2:
            return 0.0
        return (self.frames - 1) / max(self.latest_seconds - self.started_seconds, 1e-9)

    def age_seconds(self, quantile: float) -> float:
        """A quantile of the age of live frames from capture to label; NaN without live frames."""
        return float(np.quantile(np.array(self.ages), quantile)) if self.ages else float("nan")


class Tally:
    """What happened so far in a run.

    Attributes:
        sources: by name, those that gave a frame.
    """

    def __init__(self) -> None:
        self.sources: dict[str, SourceTally] = {}

    def of(self, source: str) -> SourceTally:
        """What happened to one source; made if nothing did yet."""
        return self.sources.setdefault(source, SourceTally())

    @property
    def frames(self) -> int:
        """How many were understood, of all sources."""
        return sum(tally.frames for tally in self.sources.values())
