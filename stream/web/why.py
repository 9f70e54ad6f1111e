"""`why`: why a person is called what they are called, as plain values."""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import Any

from index.building.pictures import printable
from index.posture_index import PostureIndex
from stream.reports.explanation import explain
from stream.run.tally import UNSETTLED
from stream.scene import Person, Scene
from stream.settings.model import Settings

__all__ = ["find_person", "why"]


def find_person(scene: Scene, track: int | None, row: int | None) -> Person | None:
    """The person with this number, or without one the person in this row; None if nobody is that."""
    if track is not None:
        return next((person for person in scene.people if person.track == track), None)
    return next((person for person in scene.people if person.row == row), None)


def why(scene: Scene, person: Person, index: PostureIndex, settings: Settings) -> dict[str, Any]:
    """Why a person is called what they are called, as plain values that JSON can hold.

    `camera`, `track`, `posture`, `probability`, `since_seconds` and `seconds` (steady, see `Person`); and of this frame
    alone `label`, `best` (also where it was not enough), `reason` of an unknown, `sentence` (the vote in words, with
    the threshold that it met or missed), `probabilities` (the likeliest first), `distance` and `radius` (beyond which a
    posture is unknown), `examples` (the nearest: `row` in the database, `label`, `distance`, `picture`, the name of its
    file), `gait` (standing, walking and running by motion). What is not known is None.

    Args:
        scene: where the person is.
        person: one of them.
        index: the database that named the posture.
        settings: what it was asked with.
    """
    said = person.classification
    pictures = index.examples.pictures
    reason = None if said.reason is None else str(said.reason)
    if person.posture is None and reason is None:
        reason = UNSETTLED
    return {
        "camera": scene.frame.source,
        "frame": scene.frame.number,
        "track": person.track,
        "posture": person.posture,
        "probability": _rounded(person.probability),
        "since_seconds": _rounded(person.since_seconds),
        "seconds": _rounded(scene.frame.seconds),
        "label": said.label,
        "best": said.best,
        "reason": reason,
        "sentence": explain(said, scene.poses.keypoints[person.row], index, settings),
        "probabilities": [{"label": label, "probability": _rounded(share)} for label, share in said.probabilities],
        "distance": _rounded(said.distance),
        "radius": _rounded(index.rejection_radius),
        "examples": [
            {"row": row, "label": label, "distance": _rounded(distance), "picture": _name(pictures, row)}
            for row, label, distance in zip(said.entries, said.labels, said.distances, strict=True)
        ],
        "gait": [{"label": label, "probability": _rounded(share)} for label, share in said.gait],
    }


def _name(pictures: tuple[str, ...], row: int) -> str | None:
    """The file's name alone: where it lies is nobody's business on a page."""
    name = PurePath(pictures[row]).name if row < len(pictures) else ""
    return printable(name) if name else None


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)
