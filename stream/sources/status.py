"""`SourceStatus`: where a source stands, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["SourceState", "SourceStatus"]


class SourceState(StrEnum):
    """Where a source stands. A recording is live until it ends."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALLED = "stalled"
    WAITING = "waiting"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source's state, and why it is in it.

    Attributes:
        state: where it stands.
        reason: one clause without a password; empty when there is nothing to say.
        since_seconds: `time.monotonic()` when it came into this state; the reason may be newer.
        next_try_seconds: `time.monotonic()` of the next attempt to connect; None unless it waits for one.
    """

    state: SourceState
    reason: str = ""
    since_seconds: float = 0.0
    next_try_seconds: float | None = None
