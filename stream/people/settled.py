"""`SettledLabels`: whose label has not been in doubt for a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stream.people.label_smoother import SteadyPosture

__all__ = ["SettledLabels"]

SETTLED_SECONDS: Final = 0.5  # a label that has been shown without doubt for so long is settled
MOST_DOUBT: Final = 0.5  # of the evidence for another one
TICK: Final = 1e-6  # times are sums of many steps


class SettledLabels:
    """Whose label is settled, for the frames of one source. Not thread-safe; use one per source.

    A frame is named while the next one may already be looked at, or not yet, as time permits. So what is told for a
    frame is what was known one frame before the last: that is the same at every speed.
    """

    def __init__(self) -> None:
        self._sure: dict[int, tuple[str | None, float]] = {}  # by key, what is shown without doubt, and since when
        self._told: list[tuple[float, frozenset[int]]] = []  # of the last three frames: when, and who was settled

    def update(self, keys: Sequence[int], steadied: Sequence[SteadyPosture], seconds: float) -> None:
        """One more frame.

        Args:
            keys: the tracker's, one per person.
            steadied: what is shown for each.
            seconds: the frame's time on a clock that never goes back.
        """
        before, self._sure = self._sure, {}
        for key, steady in zip(keys, steadied, strict=True):
            if steady.doubt <= MOST_DOUBT:
                posture, since = before.get(key, (steady.posture, seconds))
                self._sure[key] = (steady.posture, since if posture == steady.posture else seconds)
        settled = [key for key, (_, since) in self._sure.items() if seconds - since >= SETTLED_SECONDS - TICK]
        self._told = [*self._told[-2:], (seconds, frozenset(settled))]

    def before(self, seconds: float) -> frozenset[int]:
        """The keys of those whose label was settled in the latest frame before this time.

        Args:
            seconds: of the frame before the one that is looked at now.
        """
        for at, keys in reversed(self._told):
            if at < seconds:
                return keys
        return frozenset()
