"""`PoseFinder`: finds the people of a video frame by frame, and remembers where to look.

A detector is dear and a crop is cheap, and people are mostly where they were going. So between two detections crops
come from where the tracker expects everybody (as in BlazePose, Bazarevsky et al., 2020, for one person), and the
detector runs beside them every `detect_every_seconds`; at once when somebody is lost. A crop that looks at nobody, or
at a neighbour, is noticed by what it shows:

- its keypoints are hardly visible, or lie on one heap: nobody is there;
- they are unlike those that were expected: it slid to a neighbour;
- two crops show one person: the one further from what was expected slid;
- the detector has not seen this person several times in a row, and the keypoints are not sure either: a ghost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.detections import Detections
from pose.evaluation.oks import oks
from pose.inference.steps import Answer, Steps
from pose.keypoint_finder import VISIBLE, confidence, extents, is_somebody, torso_angles
from pose.poses import Poses
from pose.top_down import TURNED_RADIANS, TopDown

__all__ = ["PoseFinder"]

LEAST_LIKE: Final = 0.2  # OKS with what was expected; below it somebody else is seen
TWICE: Final = 0.7  # OKS of two who are one
MATCH: Final = 0.3  # IoU of a detection with somebody who is known
MISSED: Final = 3  # detections in a row that may miss somebody of little confidence
SURE: Final = 0.6  # confidence of keypoints that need no detector to be believed
SOONER: Final = 1 / 3  # of the interval of detections must have passed before a loss sends the detector out again
REFUSED_SECONDS: Final = 1.5  # for so long a place in which nobody was found is not looked at again
SAME_PLACE: Final = 0.6  # IoU with such a place
SURER: Final = 0.15  # unless the detector's score has risen by so much
CALM_SECONDS: Final = 0.5  # keypoints that have rested for so long are calm
CALM_SPEED: Final = 0.1  # of keypoints at rest, at most, in longer sides of the box per second
LARGEST_MARGIN: Final = 0.35  # of a box around the visible keypoints, in their longer sides
TICK: Final = 1e-6  # times are sums of many steps


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What is known of somebody since the last frame.

    Attributes:
        box: `[4]`, px.
        keypoints: `[17, 3]`, px.
        margins: `[4]`: how much further than the visible keypoints the box reaches to the left, top, right and bottom,
            as shares of their longer side.
        score: the detector's, the last time it saw the person.
        missed: detections in a row that have not seen the person.
        calm_since: since when the keypoints rest, seconds.
        looked: when the keypoints were last found by the network, seconds.
        shifted: how far the keypoints were moved on since then, px.
    """

    box: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    margins: NDArray[np.float32]
    score: float
    missed: int
    calm_since: float
    looked: float
    shifted: float = 0.0


class PoseFinder:
    """The people of the frames of one video. Not thread-safe; use one per source.

    Args:
        network: the detector and the keypoint network.
        detect_every_seconds: between two looks for people who are not known yet; 0 looks in every frame.
        turned_every_seconds: between two of those that look for people who lie, too; 0 always does, None never.
        calm_every_seconds: people who rest are looked at only so often; 0 looks in every frame.
    """

    def __init__(
        self,
        network: TopDown,
        *,
        detect_every_seconds: float = 0.3,
        turned_every_seconds: float | None = 1.0,
        calm_every_seconds: float = 0.0,
    ) -> None:
        self._network = network
        self._detect_every = detect_every_seconds
        self._turned_every = turned_every_seconds
        self._calm_every = calm_every_seconds
        self._known: dict[int, _Remembered] = {}  # by the tracker's key
        self._latest: list[_Remembered] = []  # the people of the frame that `find` told last
        self._refused: list[tuple[NDArray[np.float32], float, float]] = []  # boxes in which nobody was found, when
        self._detected = self._turned = float("-inf")

    def find(self, bgr: NDArray[np.uint8], seconds: float, shifts: Mapping[int, NDArray[np.float64]]) -> Steps[Poses]:
        """The people of the next frame. Call `remember` when it is known who they are.

        Args:
            bgr: uint8 `[H, W, 3]`.
            seconds: its time on a clock that never goes back.
            shifts: by key, how far everybody who is followed has moved since the last frame, px `[2]`.
        """
        known = [_moved(one, shifts[key]) for key, one in self._known.items() if key in shifts]
        resting = [one for one in known if self._may_rest(one, seconds)]
        looked = [one for one in known if not self._may_rest(one, seconds)]
        crops = self._network.keypoints.ask(bgr, *_crops_of(looked))
        due = seconds - self._detected >= self._detect_every - TICK
        detection = self._detect(bgr, seconds) if due else None
        yield (*crops.futures, *(detection.futures if detection else ()))
        found, lost = _still_there(looked, crops.result(), seconds)
        found += resting
        if lost and detection is None and seconds - self._detected >= self._detect_every * SOONER - TICK:
            detection = self._detect(bgr, seconds)
            yield detection.futures
        if detection is not None:
            found, new = _matched(found, detection.result())
            new = self._worth_a_look(new, seconds).select(slice(max(self._network.detector.max_people - len(found), 0)))
            keypoints = yield from self._network.look(bgr, new)
            newcomers, refused = _newcomers(new, keypoints, found, seconds)
            found += newcomers
            self._refused += [(box, score, seconds) for box, score in zip(refused.boxes, refused.scores, strict=True)]
        self._latest = found
        return _as_poses(found)

    def _detect(self, bgr: NDArray[np.uint8], seconds: float) -> Answer[Detections]:
        self._detected = seconds
        turned = self._turned_every is not None and seconds - self._turned >= self._turned_every - TICK
        if turned:
            self._turned = seconds
        return self._network.detector.ask(bgr, turned=turned)

    def remember(self, keys: Sequence[int | None]) -> None:
        """Who the people are that `find` told: the tracker's key, or None for somebody who is not followed."""
        self._known = {key: one for key, one in zip(keys, self._latest, strict=True) if key is not None}
        # Whom the tracker takes for a second sight of somebody need not be looked at again.
        self._refused += [
            (one.box, one.score, one.looked) for key, one in zip(keys, self._latest, strict=True) if key is None
        ]
        self._latest = []

    def _worth_a_look(self, detections: Detections, seconds: float) -> Detections:
        """Without those in whose place a crop has shown nobody a moment ago, unless the detector is surer now."""
        self._refused = [one for one in self._refused if seconds - one[2] < REFUSED_SECONDS]
        if not self._refused or not len(detections):
            return detections
        overlap = _iou(detections.boxes, np.stack([box for box, _, _ in self._refused]))
        surer = detections.scores[:, None] > np.array([score for _, score, _ in self._refused]) + SURER
        known = ((overlap > SAME_PLACE) & ~surer).any(axis=1)
        return detections.select(np.flatnonzero(~known))

    def _may_rest(self, one: _Remembered, seconds: float) -> bool:
        return (
            self._calm_every > 0
            and one.calm_since < seconds - CALM_SECONDS
            and (seconds - one.looked < self._calm_every - TICK)
        )


def _moved(one: _Remembered, shift: NDArray[np.float64]) -> _Remembered:
    """Somebody where the tracker expects them."""
    shift = shift.astype(np.float32)
    keypoints = one.keypoints.copy()
    keypoints[:, :2] += shift
    box = one.box + np.concatenate((shift, shift))
    return replace(one, box=box, keypoints=keypoints, shifted=one.shifted + float(np.linalg.norm(shift)))


def _crops_of(
    people: Sequence[_Remembered],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Boxes `[N, 4]`, angles `[N]` and expected keypoints `[N, 17, 3]` to look at people with."""
    if not people:
        return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 17, 3), np.float32)
    keypoints = np.stack([one.keypoints for one in people])
    angles = torso_angles(keypoints)
    turned = np.abs(angles) > TURNED_RADIANS
    return np.stack([one.box for one in people]), np.where(turned, angles, 0.0).astype(np.float32), keypoints


def _still_there(
    people: Sequence[_Remembered], keypoints: NDArray[np.float32], seconds: float
) -> tuple[list[_Remembered], bool]:
    """Those of `people` who are seen in their crops, and whether somebody is not."""
    if not people:
        return [], False
    expected = np.stack([one.keypoints for one in people])
    boxes = np.stack([one.box for one in people])
    sides = (boxes[:, 2:] - boxes[:, :2]).clip(1.0)
    labelled = expected.copy()
    labelled[..., 2] = (expected[..., 2] > VISIBLE) & (keypoints[..., 2] > VISIBLE)
    like = np.diagonal(oks(keypoints, labelled, sides.prod(axis=1)))
    there = is_somebody(keypoints, boxes) & (like >= LEAST_LIKE)
    for better, worse in _twice(keypoints, sides.prod(axis=1)):
        there[worse if like[better] >= like[worse] else better] = False
    found = []
    for one, points, seen in zip(people, keypoints, there, strict=True):
        if seen:
            found.append(_seen_again(one, points, seconds))
    return found, not there.all()


def _seen_again(one: _Remembered, keypoints: NDArray[np.float32], seconds: float) -> _Remembered:
    box = _box_around(keypoints, one.margins)
    both = (keypoints[:, 2] > VISIBLE) & (one.keypoints[:, 2] > VISIBLE)
    moved = np.linalg.norm((keypoints - one.keypoints)[both, :2], axis=1).mean() if both.any() else np.inf
    side = float((box[2:] - box[:2]).max())
    calm = moved + one.shifted <= CALM_SPEED * side * max(seconds - one.looked, 1e-3)
    return replace(
        one, box=box, keypoints=keypoints, looked=seconds, calm_since=one.calm_since if calm else seconds, shifted=0.0
    )


def _twice(keypoints: NDArray[np.float32], areas: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Pairs of rows that are one person."""
    if len(keypoints) < 2:
        return []
    labelled = keypoints.copy()
    labelled[..., 2] = keypoints[..., 2] > VISIBLE
    alike = oks(keypoints, labelled, areas)
    alike = np.minimum(alike, alike.T)
    return [(int(a), int(b)) for a, b in np.argwhere(np.triu(alike > TWICE, 1))]


def _matched(found: list[_Remembered], detections: Detections) -> tuple[list[_Remembered], Detections]:
    """People with what the detector says of them, and the detections that are of somebody else. Who was missed too
    often, and is not sure, is left out."""
    overlap = _iou(np.stack([one.box for one in found]), detections.boxes) if found else np.zeros((0, len(detections)))
    partner = np.full(len(found), -1)
    free = np.ones(len(detections), bool)
    for place in np.argsort(-overlap, axis=None, kind="stable"):
        person, detection = divmod(int(place), max(len(detections), 1))
        if overlap[person, detection] < MATCH:
            break
        if partner[person] < 0 and free[detection]:
            partner[person], free[detection] = detection, False
    kept = []
    for one, detection in zip(found, partner.tolist(), strict=True):
        if detection >= 0:
            box = detections.boxes[detection]
            kept.append(
                replace(
                    one,
                    box=box,
                    margins=_margins(one.keypoints, box),
                    score=float(detections.scores[detection]),
                    missed=0,
                )
            )
        elif one.missed + 1 < MISSED or float(confidence(one.keypoints[None])[0]) >= SURE:
            kept.append(replace(one, missed=one.missed + 1))
    return kept, detections.select(free)


def _newcomers(
    detections: Detections, keypoints: NDArray[np.float32], found: Sequence[_Remembered], seconds: float
) -> tuple[list[_Remembered], Detections]:
    """The people of detections that are of nobody known, without those who turn out to be somebody known; and the
    detections in which nobody is seen."""
    there = is_somebody(keypoints, detections.boxes)
    refused = detections.select(~there)
    if found and len(keypoints):
        known = np.stack([one.keypoints for one in found])
        known[..., 2] = known[..., 2] > VISIBLE
        sides = np.stack([one.box for one in found])
        areas = (sides[:, 2:] - sides[:, :2]).clip(1.0).prod(axis=1)
        there &= oks(keypoints, known, areas).max(axis=1) <= TWICE
    return [
        _Remembered(box, points, _margins(points, box), float(score), 0, seconds, seconds)
        for box, points, score, seen in zip(detections.boxes, keypoints, detections.scores, there, strict=True)
        if seen
    ], refused


def _margins(keypoints: NDArray[np.float32], box: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = (corner[0] for corner in extents(keypoints[None]))
    side = max(float((high - low).max()), 1.0)
    margins = np.concatenate((low - box[:2], box[2:] - high)) / side
    return margins.clip(0.0, LARGEST_MARGIN).astype(np.float32)


def _box_around(keypoints: NDArray[np.float32], margins: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = (corner[0] for corner in extents(keypoints[None]))
    side = max(float((high - low).max()), 1.0)
    return np.concatenate((low - margins[:2] * side, high + margins[2:] * side)).astype(np.float32)


def _iou(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of `[N, 4]` and `[M, 4]`: `[N, M]`."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = (high - low).clip(0).prod(axis=2)
    areas, their = ((some[:, 2:] - some[:, :2]).clip(0).prod(axis=1) for some in (boxes, others))
    overlap: NDArray[np.float32] = shared / np.maximum(areas[:, None] + their - shared, 1e-6)
    return overlap


def _as_poses(found: Sequence[_Remembered]) -> Poses:
    if not found:
        return Poses.empty()
    keypoints = np.stack([one.keypoints for one in found])
    scores = np.array([one.score for one in found], np.float32) * confidence(keypoints)
    return Poses(keypoints, np.stack([one.box for one in found]), scores)
