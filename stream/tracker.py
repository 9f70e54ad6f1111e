"""`Tracker`: gives every person a number that stays over the frames of one source.

Association in two stages after ByteTrack (Zhang et al., 2022): sure detections choose among the tracks first, doubtful
ones get what is left, so a person half hidden keeps the number without a ghost taking it. Boxes are enlarged before
they are compared (buffered IoU, Yang et al., 2023), so that small, fast people still meet themselves at low frame
rates; similarity of keypoints decides between boxes that overlap alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import SIGMAS
from pose.poses import Poses

__all__ = ["Identity", "Tracker"]

BUFFER: Final = 0.3  # boxes grow on every side by this share of the square root of their area before comparison
KEYPOINT_WEIGHT: Final = 0.3  # of the keypoints in the similarity; boxes have the rest
VELOCITY_SECONDS: Final = 0.3  # time constant of the average velocity
SEEN: Final = 0.5  # keypoints from this score on take part in the comparison
_VARIANCES: Final = (2 * np.array(SIGMAS)) ** 2


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody in a frame is.

    Attributes:
        key: stays with the person from the first sight on, for what is remembered of people; never reused.
        number: the number to show; None until the person has been seen long enough.
    """

    key: int
    number: int | None


@dataclass(slots=True)
class _Track:
    number: int
    box: NDArray[np.float32]  # [4] x1 y1 x2 y2 px when last seen
    keypoints: NDArray[np.float32]  # [17, 3]
    seen_seconds: float
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))  # of the centre, px per second


class Tracker:
    """Follows the people of one source. Not thread-safe; use one per source.

    Args:
        sure_score: people from this score on choose first, 0–1.
        min_similarity: below this two people are not the same, 0–1.
        max_lost_seconds: a person out of sight for longer gets a new number.
    """

    def __init__(self, *, sure_score: float = 0.5, min_similarity: float = 0.15, max_lost_seconds: float = 1.0):
        self.sure_score = sure_score
        self.min_similarity = min_similarity
        self.max_lost_seconds = max_lost_seconds
        self._tracks: list[_Track] = []
        self._next_number = 1

    @property
    def keys(self) -> frozenset[int]:
        """Keys still in memory, also of people who are out of sight for a moment."""
        return frozenset(track.number for track in self._tracks)

    def update(self, poses: Poses, seconds: float) -> list[Identity]:
        """Who everybody is, in the order of `poses`.

        Args:
            poses: the people of the next frame.
            seconds: its time on a clock that never goes back.
        """
        self._tracks = [track for track in self._tracks if seconds - track.seen_seconds <= self.max_lost_seconds]
        similarity = self._similarity(poses, seconds)  # [N, T]
        assigned: dict[int, _Track] = {}
        free = np.ones(len(self._tracks), bool)
        sure = poses.scores >= self.sure_score
        for stage in (np.flatnonzero(sure), np.flatnonzero(~sure)):
            columns = np.flatnonzero(free)
            for row, column in _best_pairs(similarity[np.ix_(stage, columns)], self.min_similarity):
                assigned[int(stage[row])] = self._tracks[columns[column]]
                free[columns[column]] = False
        numbers = []
        for person in range(len(poses)):
            track = assigned.get(person)
            if track is None:
                track = _Track(self._next_number, poses.boxes[person], poses.keypoints[person], seconds)
                self._next_number += 1
                self._tracks.append(track)
            else:
                _move(track, poses.boxes[person], seconds)
                track.keypoints = poses.keypoints[person]
            numbers.append(Identity(track.number, track.number))
        return numbers

    def _similarity(self, poses: Poses, seconds: float) -> NDArray[np.float64]:
        if not self._tracks or not len(poses):
            return np.zeros((len(poses), len(self._tracks)))
        shift = np.stack([track.velocity * (seconds - track.seen_seconds) for track in self._tracks])  # [T, 2]
        boxes = np.stack([track.box for track in self._tracks]).astype(np.float64) + np.tile(shift, 2)  # [T, 4]
        keypoints = np.stack([track.keypoints for track in self._tracks])  # [T, 17, 3]
        iou = _buffered_iou(poses.boxes.astype(np.float64), boxes)
        # Object keypoint similarity, with the box for the person's area.
        moved = keypoints[..., :2] + shift[:, None]
        squared = ((poses.keypoints[:, None, :, :2] - moved[None]) ** 2).sum(-1)  # [N, T, 17]
        size = boxes[:, 2:] - boxes[:, :2]
        area = np.maximum(size.prod(axis=1), 1.0)[None, :, None]
        both = (poses.keypoints[:, None, :, 2] >= SEEN) & (keypoints[None, ..., 2] >= SEEN)
        alike = (np.exp(-squared / (2 * area * _VARIANCES)) * both).sum(-1) / np.maximum(both.sum(-1), 1)
        return np.where(iou > 0, (1 - KEYPOINT_WEIGHT) * iou + KEYPOINT_WEIGHT * alike, 0.0)


def _buffered_iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of enlarged boxes: `[N, 4]` and `[T, 4]` to `[N, T]`."""
    a, b = _enlarged(a), _enlarged(b)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    intersection = (high - low).clip(min=0).prod(-1)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(-1), (b[:, 2:] - b[:, :2]).prod(-1)
    return intersection / np.maximum(area_a[:, None] + area_b[None] - intersection, 1e-9)


def _enlarged(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    # The same margin on all sides: an upright person's box is narrow, but that is the way people walk.
    margin = BUFFER * np.sqrt((boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(-1, keepdims=True))
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], 1)


def _best_pairs(similarity: NDArray[np.float64], least: float) -> list[tuple[int, int]]:
    """Rows and columns paired greedily, most similar first, each used once."""
    pairs = []
    rows, columns = np.nonzero(similarity >= least)
    used_rows, used_columns = set(), set()
    for place in np.argsort(-similarity[rows, columns], kind="stable"):
        row, column = int(rows[place]), int(columns[place])
        if row not in used_rows and column not in used_columns:
            used_rows.add(row)
            used_columns.add(column)
            pairs.append((row, column))
    return pairs


def _move(track: _Track, box: NDArray[np.float32], seconds: float) -> None:
    elapsed = seconds - track.seen_seconds
    if elapsed > 0:
        travelled = ((box[:2] + box[2:]) - (track.box[:2] + track.box[2:])) / 2
        weight = 1 - np.exp(-elapsed / VELOCITY_SECONDS)
        track.velocity = track.velocity + weight * (travelled / elapsed - track.velocity)
    track.box = box
    track.seen_seconds = seconds
