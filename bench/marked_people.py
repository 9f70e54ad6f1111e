"""Marks made by eye of clips with several people: who does what where, who comes and goes, and upper-body crops.

The files and the rules by which they were made: `tests/intervals/README.md`. Places are shares of the picture, 0–1.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

__all__ = [
    "ENTRANCES", "PEOPLE", "UPPER_BODY", "MarkedPlace", "UpperBody", "Visit", "marked_posture", "read_marked_places",
    "read_upper_bodies", "read_visits",
]  # fmt: skip

_INTERVALS: Final = Path(__file__).resolve().parent.parent / "tests" / "intervals"
PEOPLE: Final = _INTERVALS / "people"
ENTRANCES: Final = _INTERVALS / "marks" / "entrances.csv"
UPPER_BODY: Final = _INTERVALS / "marks" / "upper_body.csv"

Region: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class MarkedPlace:
    """What people in a part of the picture do for a while.

    Attributes:
        from_seconds: begin, in the clip's own time.
        to_seconds: end, which no longer belongs to it.
        posture: the label; None where it could not be named, which is never judged.
        region: left, top, right, bottom; it holds the middle of the boxes of those who are meant.
    """

    from_seconds: float
    to_seconds: float
    posture: str | None
    region: Region

    def holds(self, seconds: float, x: float, y: float) -> bool:
        """Whether somebody whose box has its middle at x, y at this time is meant."""
        left, top, right, bottom = self.region
        return self.from_seconds <= seconds < self.to_seconds and left <= x <= right and top <= y <= bottom


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody's stay in the picture.

    Attributes:
        at_seconds: first frame with about a third of the person; 0 if there from the start.
        leaves_seconds: first frame with less than that again; None if the person stays to the end of what was marked.
        x: middle of what is seen of the person in the frame of `at_seconds`.
        y: the same, downwards.
    """

    at_seconds: float
    leaves_seconds: float | None
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class UpperBody:
    """A crop of a clip that shows head, shoulders and arms, as at a desk.

    Attributes:
        clip: its name without suffix.
        region: left, top, right, bottom, as the setting `source.region`.
        posture: what the whole picture shows.
    """

    clip: str
    region: Region
    posture: str


def read_marked_places(path: Path) -> list[MarkedPlace]:
    """The rows of a file in `tests/intervals/people`, in the file's order, which is their rank."""
    return [
        MarkedPlace(float(row["from_seconds"]), float(row["to_seconds"]), row["posture"] or None, _region(row))
        for row in _rows(path)
    ]


def marked_posture(
    places: Iterable[MarkedPlace], seconds: float, box: Sequence[float], size: tuple[int, int]
) -> str | None:
    """What a person does: the posture of the first row that holds the middle of the box; None if it is not judged.

    Args:
        places: rows by rank.
        seconds: the frame's time.
        box: x1, y1, x2, y2 in pixels.
        size: width and height of the picture in pixels.
    """
    x, y = (box[0] + box[2]) / 2 / size[0], (box[1] + box[3]) / 2 / size[1]
    return next((place.posture for place in places if place.holds(seconds, x, y)), None)


def read_visits(clip: str, path: Path = ENTRANCES) -> list[Visit]:
    """The visits of a clip, by its name without suffix, in order of time."""
    return [
        Visit(
            float(row["at_seconds"]),
            float(row["leaves_seconds"]) if row["leaves_seconds"] else None,
            float(row["x"]),
            float(row["y"]),
        )
        for row in _rows(path)
        if row["clip"] == clip
    ]


def read_upper_bodies(path: Path = UPPER_BODY) -> list[UpperBody]:
    """All upper-body crops."""
    return [UpperBody(row["clip"], _region(row), row["posture"]) for row in _rows(path)]


def _region(row: dict[str, str]) -> Region:
    return float(row["left"]), float(row["top"]), float(row["right"]), float(row["bottom"])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
