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

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.boxes import iou
from pose.crowded import say_crowded
from pose.detections import Detections
from pose.evaluation.oks import oks
from pose.inference.steps import Answer, Steps
from pose.keypoint_finder import VISIBLE, confidence, is_somebody, torso_angles
from pose.poses import Poses
from pose.top_down import TURNED_RADIANS, TopDown
from stream.people.refused_places import RefusedPlaces
from stream.people.remembered import Remembered, margins_of
from stream.people.rest import Rest
from stream.people.similarity import DECAY

__all__ = ["PoseFinder"]

LEAST_LIKE: Final = 0.2  # OKS with what was expected; below it somebody else is seen
TWICE: Final = 0.7  # OKS of two who are one
MATCH: Final = 0.3  # IoU of a detection with somebody who is known
MISSED: Final = 3  # detections in a row that may miss somebody of little confidence
SURE: Final = 0.6  # confidence of keypoints that need no detector to be believed
DOUBTFUL: Final = 0.35  # detections of lower scores must be seen twice
CONFIRMED_SECONDS: Final = 0.5  # within this time,
MOVED_ON: Final = 0.1  # with this IoU: who walks past leaves half of the box
LEAST_APART: Final = 0.2  # what must be left of a newcomer's score beside people known, as in `scores_apart`
SOONER: Final = 1 / 3  # of the interval of detections must have passed before a loss sends the detector out again
TICK: Final = 1e-6  # times are sums of many steps


class PoseFinder:
    """The people of the frames of one video. Not thread-safe; use one per source.

    Args:
        network: the detector and the keypoint network.
        detect_every_seconds: between two looks for people who are not known yet; 0 looks in every frame.
        turned_every_seconds: between two of those that look for people who lie, too; 0 always does, None never.
        calm_every_seconds: people who rest are looked at only so often; 0 looks in every frame.
        settled_every_seconds: the same of people whose label is settled, at rest or not.

    Attributes:
        held: bool `[N]`: which of the people that `find` told last were not looked at, though they do not rest.
    """

    def __init__(
        self,
        network: TopDown,
        *,
        detect_every_seconds: float = 0.3,
        turned_every_seconds: float | None = 1.0,
        calm_every_seconds: float = 0.0,
        settled_every_seconds: float = 0.0,
    ) -> None:
        self._network = network
        self._detect_every = detect_every_seconds
        self._turned_every = turned_every_seconds
        self._calm_every = calm_every_seconds
        self._settled_every = settled_every_seconds
        self._known: dict[int, Remembered] = {}  # by the tracker's key
        self._latest: list[Remembered] = []  # the people of the frame that `find` told last
        self.held: NDArray[np.bool_] = np.zeros(0, bool)
        self._refused = RefusedPlaces()
        self._unmatched = np.zeros((0, 4), np.float32)  # boxes of the last detection that were of nobody known, px
        self._detected = self._turned = float("-inf")

    def find(
        self,
        bgr: NDArray[np.uint8],
        seconds: float,
        shifts: Mapping[int, NDArray[np.float64]],
        settled: Container[int] = (),
    ) -> Steps[Poses]:
        """The people of the next frame. Call `remember` when it is known who they are.

        Args:
            bgr: uint8 `[H, W, 3]`.
            seconds: its time on a clock that never goes back.
            shifts: by key, how far everybody who is followed has moved since the last frame, px `[2]`.
            settled: keys of people whose label is settled.
        """
        known = [one.moved(shifts[key]) for key, one in self._known.items() if key in shifts]
        resting: list[Remembered] = []
        looked: list[Remembered] = []
        for one in known:
            (resting if self._may_rest(one, seconds, settled) else looked).append(one)
        crops = self._network.keypoints.ask(bgr, *_crops_of(looked))
        since = seconds - self._detected
        due = since >= self._detect_every - TICK
        detection = self._detect(bgr, seconds) if due else None
        yield (*crops.futures, *(detection.futures if detection else ()))
        may_rest = self._calm_every > 0 or self._settled_every > 0
        found, lost = _still_there(looked, crops.result(), seconds, may_rest=may_rest)
        found += resting
        if len(lost) and detection is None and since >= self._detect_every * SOONER - TICK:
            detection = self._detect(bgr, seconds)
            yield detection.futures
        if detection is not None:
            found, new = _matched(found, detection.result())
            boxes = {one.key: one.box for one in found if one.key is not None}
            new = self._refused.worth_a_look(self._likely(new, found, lost, since), boxes, seconds)
            room = max(self._network.detector.max_people - len(found), 0)
            if len(new) > room:
                say_crowded(new.scores[room:], self._network.detector.max_people)
                new = new.select(slice(room))
            keypoints = yield from self._network.look(bgr, new)
            found += self._newcomers(new, keypoints, found, seconds)
        self._latest = found
        self.held = np.array([one.looked < seconds and not one.rest.is_calm(seconds) for one in found], bool)
        return _as_poses(found)

    def _detect(self, bgr: NDArray[np.uint8], seconds: float) -> Answer[Detections]:
        self._detected = seconds
        turned = self._turned_every is not None and seconds - self._turned >= self._turned_every - TICK
        if turned:
            self._turned = seconds
        return self._network.detector.ask(bgr, turned=turned)

    def remember(self, keys: Sequence[int | None]) -> None:
        """Who the people are that `find` told: the tracker's key, or None for somebody who is not followed."""
        self._known = {}
        for key, one in zip(keys, self._latest, strict=True):
            if key is not None:
                self._known[key] = replace(one, key=key)
            else:  # a second sight of somebody, says the tracker
                self._refused.refuse(one.box, one.score, one.looked)
        self._latest = []

    def _likely(
        self, detections: Detections, found: Sequence[Remembered], lost: NDArray[np.float32], since: float
    ) -> Detections:
        """Without those that are hardly a newcomer: doubtful ones that the last detection, if it was just before, did
        not see either, as most are not seen again; and poor ones in the place of somebody known.

        Args:
            detections: of nobody known.
            found: everybody known.
            lost: boxes of people who are not seen where they were expected, `[L, 4]`, px; one may be them.
            since: seconds since the last detection.
        """
        before, self._unmatched = np.concatenate((self._unmatched, lost)), detections.boxes
        if not len(detections):
            return detections
        likely = np.ones(len(detections), bool)
        if since <= CONFIRMED_SECONDS:
            likely &= (detections.scores >= DOUBTFUL) | (iou(detections.boxes, before) > MOVED_ON).any(axis=1)
        if found:
            most = iou(detections.boxes, np.stack([one.box for one in found])).max(axis=1)
            likely &= detections.scores * np.exp(-(most**2) / DECAY) >= LEAST_APART
        return detections.select(np.flatnonzero(likely))

    def _newcomers(
        self, detections: Detections, keypoints: NDArray[np.float32], found: Sequence[Remembered], seconds: float
    ) -> list[Remembered]:
        """The people of detections that are of nobody known. Detections in which nobody is seen, or somebody known, are
        refused."""
        there = is_somebody(keypoints, detections.boxes)
        newcomers = []
        same = _alike(keypoints, found)
        for box, points, score, seen, alike in zip(
            detections.boxes, keypoints, detections.scores.tolist(), there, same, strict=True
        ):
            if not seen:
                self._refused.refuse(box, score, seconds)
            elif found and alike.max() > TWICE:
                other = found[int(alike.argmax())]
                if other.key is not None:
                    self._refused.refuse(box, score, seconds, other.key, other.box)
            else:
                margins = margins_of(points, box)
                newcomers.append(Remembered(box, points, margins, score, 0, seconds, Rest(points, seconds)))
        return newcomers

    def _may_rest(self, one: Remembered, seconds: float, settled: Container[int]) -> bool:
        pause = self._calm_every if one.rest.is_calm(seconds) else 0.0
        if self._settled_every > pause and one.key in settled:
            pause = self._settled_every
        return seconds - one.looked < pause - TICK


def _crops_of(
    people: Sequence[Remembered],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Boxes `[N, 4]`, angles `[N]` and expected keypoints `[N, 17, 3]` to look at people with."""
    if not people:
        return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 17, 3), np.float32)
    keypoints = np.stack([one.keypoints for one in people])
    angles = torso_angles(keypoints)
    turned = np.abs(angles) > TURNED_RADIANS
    return np.stack([one.box for one in people]), np.where(turned, angles, 0.0).astype(np.float32), keypoints


def _still_there(
    people: Sequence[Remembered], keypoints: NDArray[np.float32], seconds: float, *, may_rest: bool
) -> tuple[list[Remembered], NDArray[np.float32]]:
    """Those of `people` who are seen in their crops, and the boxes of the others, `[L, 4]`, px."""
    if not people:
        return [], np.zeros((0, 4), np.float32)
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
            found.append(one.seen(points, seconds, may_rest=may_rest))
    return found, boxes[~there]


def _twice(keypoints: NDArray[np.float32], areas: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Pairs of rows that are one person."""
    if len(keypoints) < 2:
        return []
    labelled = keypoints.copy()
    labelled[..., 2] = keypoints[..., 2] > VISIBLE
    alike = oks(keypoints, labelled, areas)
    alike = np.minimum(alike, alike.T)
    return [(int(a), int(b)) for a, b in np.argwhere(np.triu(alike > TWICE, 1))]


def _matched(found: list[Remembered], detections: Detections) -> tuple[list[Remembered], Detections]:
    """People with what the detector says of them, and the detections that are of somebody else. Who was missed too
    often, and is not sure, is left out."""
    overlap = iou(np.stack([one.box for one in found]), detections.boxes) if found else np.zeros((0, len(detections)))
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
            kept.append(one.detected(box, float(detections.scores[detection])))
        elif one.missed + 1 < MISSED or float(confidence(one.keypoints[None])[0]) >= SURE:
            kept.append(replace(one, missed=one.missed + 1))
    return kept, detections.select(free)


def _alike(keypoints: NDArray[np.float32], found: Sequence[Remembered]) -> NDArray[np.float64]:
    """OKS of N people and those who are known, `[N, M]`."""
    if not found or not len(keypoints):
        return np.zeros((len(keypoints), len(found)))
    known = np.stack([one.keypoints for one in found])
    known[..., 2] = known[..., 2] > VISIBLE
    sides = np.stack([one.box for one in found])
    return oks(keypoints, known, (sides[:, 2:] - sides[:, :2]).clip(1.0).prod(axis=1))


def _as_poses(found: Sequence[Remembered]) -> Poses:
    if not found:
        return Poses.empty()
    keypoints = np.stack([one.keypoints for one in found])
    scores = np.array([one.score for one in found], np.float32) * confidence(keypoints)
    return Poses(keypoints, np.stack([one.box for one in found]), scores)
