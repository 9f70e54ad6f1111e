"""The formats of a timeline: CSV, JSON and SRT, each written piece by piece."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol

from stream.errors import SinkError
from stream.sinks.timeline.timeline import Interval

__all__ = ["COLUMNS", "CsvTimeline", "JsonTimeline", "SrtTimeline", "TimelineFormat", "format_for"]

COLUMNS: Final = (
    "person", "posture", "from_seconds", "to_seconds", "from_time", "to_time", "mean_share", "frames",
    "mean_probability",
)  # fmt: skip
"""Of the CSV. A new one comes last, so that those before it keep their places."""


class TimelineFormat(Protocol):
    """What the pieces of a file look like. Not thread-safe; use one per file. A copy (`copy.copy`) is independent.

    Attributes:
        head: what the file begins with.
        tail: what it ends with; the next piece takes its place, so that the file is complete at any time.
    """

    @property
    def head(self) -> str: ...
    @property
    def tail(self) -> str: ...

    def piece(self, ended: Sequence[Interval], running: Sequence[Interval], settled_seconds: float) -> str:
        """The next piece; empty if there is nothing to write yet.

        Args:
            ended: the intervals that have ended since the last piece.
            running: those that go on.
            settled_seconds: up to here, nothing else will be told.
        """


def format_for(path: Path, clock_start: float | None = None) -> TimelineFormat:
    """The format that the name of a file asks for.

    Args:
        path: its suffix counts.
        clock_start: POSIX time at second 0 of the intervals, for sources that have a place in the day; else None.

    Raises:
        SinkError: there is no such format.
    """
    match path.suffix.lower():
        case ".csv":
            return CsvTimeline(clock_start)
        case ".json":
            return JsonTimeline(clock_start)
        case ".srt":
            return SrtTimeline()
    raise SinkError(f"{path}: a timeline is written as .csv, .json or .srt. Choose a name that ends in one of them.")


class CsvTimeline:
    """One line per interval, in the order they end. An unknown posture is empty, as is the time of day in recordings.

    Args:
        clock_start: see `format_for`.
    """

    head: Final = ",".join(COLUMNS) + "\n"
    tail: Final = ""

    def __init__(self, clock_start: float | None) -> None:
        self._clock_start = clock_start

    def piece(self, ended: Sequence[Interval], running: Sequence[Interval], settled_seconds: float) -> str:
        """One line for each that has ended."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writerows(_record(interval, self._clock_start) for interval in ended)
        return text.getvalue()


class JsonTimeline:
    """A list of objects with the columns of the CSV for names; what is missing is null.

    Args:
        clock_start: see `format_for`.
    """

    head: Final = "["
    tail: Final = "\n]\n"

    def __init__(self, clock_start: float | None) -> None:
        self._clock_start = clock_start
        self._separator = "\n"

    def piece(self, ended: Sequence[Interval], running: Sequence[Interval], settled_seconds: float) -> str:
        """One object, on a line of its own, for each that has ended."""
        text = ""
        for interval in ended:
            record = _record(interval, self._clock_start)
            text += self._separator + json.dumps(record, ensure_ascii=False, allow_nan=False)
            self._separator = ",\n"
        return text


class SrtTimeline:
    """Subtitles for the clip: one cue for as long as nobody changes, such as `1 standing · 2 sitting`."""

    head: Final = ""
    tail: Final = ""

    def __init__(self) -> None:
        self._written_seconds = 0.0
        self._cues = 0
        self._ended: list[Interval] = []

    def piece(self, ended: Sequence[Interval], running: Sequence[Interval], settled_seconds: float) -> str:
        """The cues that are settled."""
        self._ended = [*self._ended, *ended]  # a new list: a copy of this object may be asked again
        intervals = [*self._ended, *running]
        edges = {edge for interval in intervals for edge in (interval.from_seconds, interval.to_seconds)}
        edges = {edge for edge in edges if self._written_seconds < edge <= settled_seconds and math.isfinite(edge)}
        text = ""
        for start, end in pairwise([self._written_seconds, *sorted(edges)]):
            people = [one for one in intervals if one.from_seconds <= start and end <= one.to_seconds]
            words = " · ".join(
                # a line break would end the cue, whatever a folder is called
                f"{one.track} {' '.join((one.posture or 'unknown').split())}"
                for one in sorted(people, key=lambda one: one.track)
            )
            if words and _stamp(start) != _stamp(end):
                self._cues += 1
                text += f"{self._cues}\n{_stamp(start)} --> {_stamp(end)}\n{words}\n\n"
            self._written_seconds = end
        self._ended = [one for one in self._ended if one.to_seconds > self._written_seconds]
        return text


def _stamp(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{milliseconds:03d}"


def _record(interval: Interval, clock_start: float | None) -> dict[str, Any]:
    def time_of_day(seconds: float) -> str | None:
        if clock_start is None:
            return None
        return datetime.fromtimestamp(clock_start + seconds, UTC).isoformat(timespec="milliseconds")

    return {
        "person": interval.track,
        "posture": interval.posture,
        "from_seconds": round(interval.from_seconds, 3),
        "to_seconds": round(interval.to_seconds, 3),
        "from_time": time_of_day(interval.from_seconds),
        "to_time": time_of_day(interval.to_seconds),
        "mean_share": round(interval.probability, 4),  # the name of `mean_probability` until version 0.2
        "frames": interval.frames,
        "mean_probability": round(interval.probability, 4),
    }
