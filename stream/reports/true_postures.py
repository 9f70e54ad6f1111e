"""`read_true_postures`: what somebody who watched a clip says the main person was doing, and when."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pose.errors import reason_of
from stream.errors import IntervalsError

__all__ = ["TruePosture", "read_true_postures"]

COLUMNS: Final = ("from_seconds", "to_seconds", "posture")


@dataclass(frozen=True, slots=True)
class TruePosture:
    """A stretch of a clip and its posture.

    Attributes:
        from_seconds: begin, in the clip's own time.
        to_seconds: end, which no longer belongs to it.
        posture: the label; None where nobody could name it, which is never judged.
    """

    from_seconds: float
    to_seconds: float
    posture: str | None


def read_true_postures(path: str | Path, classes: Collection[str]) -> list[TruePosture]:
    """Read a CSV file with the columns `from_seconds`, `to_seconds` and `posture`, in order of time.

    An empty posture, and every moment in no interval, is not judged. Other columns are left alone, so a file of
    `stance run --timeline` for one person can be corrected by hand and used.

    Args:
        path: the file, UTF-8.
        classes: the postures there are.

    Raises:
        IntervalsError: the file is missing, has no such columns, a time is no number, intervals overlap or run
            backwards, a posture is unknown, or nothing can be judged; with line and path.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise IntervalsError(
                    f"{path} line 1: there is no column {missing[0]}. The first line must name {', '.join(COLUMNS)}."
                )
            lines = [(reader.line_num, row) for row in reader]
    except FileNotFoundError as error:
        raise IntervalsError(f"{path} is missing. Name a file of true postures.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise IntervalsError(f"{path} cannot be read ({reason_of(error)}).") from error
    except csv.Error as error:
        raise IntervalsError(f"{path} cannot be read as CSV. Save it as text with commas.") from error
    intervals: list[TruePosture] = []
    for number, row in lines:
        interval = _interval(f"{path} line {number}", row, classes)
        if intervals and interval.from_seconds < intervals[-1].to_seconds:
            raise IntervalsError(
                f"{path} line {number}: it begins at {interval.from_seconds:g} s, before the interval above it ends "
                f"({intervals[-1].to_seconds:g} s). Put them in order of time, without overlap."
            )
        intervals.append(interval)
    if not any(interval.posture for interval in intervals):
        raise IntervalsError(f"{path} names no posture, so there is nothing to judge.")
    return intervals


def _interval(place: str, row: dict[str, str | None], classes: Collection[str]) -> TruePosture:
    start, end = (_seconds(place, name, row[name]) for name in COLUMNS[:2])
    if end <= start:
        raise IntervalsError(
            f"{place}: it ends at {end:g} s but begins at {start:g} s. Exchange the two, or correct them."
        )
    posture = (row["posture"] or "").strip() or None
    if posture is not None and posture not in classes:
        raise IntervalsError(
            f"{place}: {posture!r} is no posture of the database; it has {', '.join(sorted(classes))}."
        )
    return TruePosture(start, end, posture)


def _seconds(place: str, name: str, text: str | None) -> float:
    try:
        seconds = float(text or "")
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise IntervalsError(f"{place}: {name} is {text!r}. Write seconds, such as 12.5.")
    return seconds
