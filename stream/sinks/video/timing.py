"""`VideoTiming`: when a source's pictures are shown in its annotated video."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final, Self

from stream.frame import Frame
from stream.sources.base import Source

__all__ = ["VideoTiming", "seen_at"]

STILL_SECONDS: Final = 1.0
"""How long each of a folder's pictures is shown."""


@dataclass(frozen=True, slots=True)
class VideoTiming:
    """When a source's pictures are shown.

    Attributes:
        live: they carry the time they were captured.
        rate: pictures a second, nominally.
        ticks: parts of a second that times are counted in.
        duration_seconds: of the whole recording; None for live sources, and where it is not known.
    """

    live: bool
    rate: Fraction
    ticks: int
    duration_seconds: float | None

    @classmethod
    def of(cls, source: Source) -> Self:
        """As the source says."""
        rate = 1 / STILL_SECONDS if source.still else source.info.frames_per_second or 25.0
        exact = Fraction(rate).limit_denominator(1001)  # 29.97002997 is 30000/1001
        # the smallest multiple of the rate from 90 kHz on: frames of a constant rate fall on whole ticks
        numerator = 1 if source.live else exact.numerator
        ticks = numerator * math.ceil(90_000 / numerator)
        return cls(source.live, exact, ticks, None if source.live else source.info.duration_seconds)

    def seconds(self, frame: Frame) -> float:
        """When a picture is shown, by a clock whose zero means nothing."""
        if self.live:
            return frame.captured_seconds
        return float(frame.number / self.rate) if frame.media_seconds is None else frame.media_seconds


def seen_at(captured_seconds: float) -> datetime:
    """The wall-clock time, UTC, of a moment of `time.monotonic()`."""
    return datetime.fromtimestamp(time.time() - time.monotonic() + captured_seconds, UTC)
