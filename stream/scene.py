"""`Scene` and `Person`: what was understood of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pose.poses import Poses
from stream.frame import Frame

if TYPE_CHECKING:
    from index.classification import Classification

__all__ = ["Person", "Scene"]


@dataclass(frozen=True, slots=True)
class Person:
    """One person of a `Scene`.

    Attributes:
        row: the person's row in `Scene.poses`.
        track: number that stays with the person over frames, never reused; None until the person has been seen long
            enough, and in stills.
        classification: what this frame alone says.
        posture: the steady label, after smoothing in time; None when unknown.
        probability: of the steady label, averaged over the last frames, 0–1.
        since_seconds: `Frame.seconds` at which the steady posture began; None when there is none yet.

    Raises:
        ValueError: `row` is negative or `probability` lies outside 0–1.
    """

    row: int
    track: int | None
    classification: Classification
    posture: str | None
    probability: float
    since_seconds: float | None

    def __post_init__(self) -> None:
        if self.row < 0:
            raise ValueError(f"row is {self.row}, expected a row of poses")
        if not -1e-6 <= self.probability <= 1 + 1e-6:
            raise ValueError(f"probability is {self.probability}, expected 0–1")

    def __repr__(self) -> str:
        return (
            f"Person(row={self.row}, track={self.track}, posture={self.posture!r}, probability={self.probability:.2f})"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A frame and the people in it. Read-only; a change is a new `Scene` made with `dataclasses.replace`.

    Attributes:
        frame: what the camera saw.
        poses: everybody the network found, in pixels of `frame.bgr`. In a video the keypoints are steadied over time,
            while boxes and scores are as they were found, and whoever was found twice is there once.
        people: what is known of them; rows of `poses`, each at most once. A row may be missing here (not told apart
            from its surroundings long enough, say), never the other way round.

    Raises:
        ValueError: a person points at a row that `poses` does not have, or two point at the same one.
    """

    frame: Frame
    poses: Poses
    people: tuple[Person, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "people", tuple(self.people))
        rows = [person.row for person in self.people]
        if len(set(rows)) != len(rows):
            raise ValueError(f"people point at rows {rows}: one row belongs to one person")
        if rows and max(rows) >= len(self.poses):
            raise ValueError(f"people point at row {max(rows)}, but poses has {len(self.poses)} rows")

    def __repr__(self) -> str:
        keypoints = list(self.poses.keypoints.shape)
        return f"Scene({self.frame!r}, keypoints={keypoints}, people={len(self.people)})"
