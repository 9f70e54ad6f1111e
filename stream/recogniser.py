"""`Recogniser`: from frames to scenes. Everybody in every frame is found, followed, steadied, embedded and named."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.classification import Classification
from index.posture_index import PostureIndex
from pose.embeddings.quality_gate import reject_reasons
from pose.estimator import PoseEstimator
from pose.inference.steps import Steps, complete
from pose.poses import Poses
from stream.frame import Frame
from stream.people.camera_motion import CameraMotion
from stream.people.gait import Gait
from stream.people.gait_vote import knows_gaits, with_gait
from stream.people.keypoint_filter import KeypointFilter
from stream.people.label_smoother import LabelSmoother
from stream.people.pose_finder import PoseFinder
from stream.people.settled import SettledLabels
from stream.people.similarity import Bodies, scores_apart
from stream.people.tracker import Identity, Tracker
from stream.scene import Person, Scene
from stream.settings.model import Settings
from stream.sources.base import Source

__all__ = ["Followed", "Recogniser"]

GAIT_GAP_SECONDS: Final = 0.4
"""Whoever is out of sight for longer is watched anew, to tell how they move."""


@dataclass(slots=True)
class _Memory:
    """What is remembered of one source."""

    finder: PoseFinder | None  # None where the network finds everybody anew in every frame
    tracker: Tracker
    keypoint_filter: KeypointFilter | None
    gait: Gait | None
    camera: CameraMotion
    smoother: LabelSmoother
    settled: SettledLabels
    size: tuple[int, int]  # height, width of the picture
    seconds: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Followed:
    """The people of one frame, with their identities and filtered keypoints.

    Attributes:
        frame: the frame.
        poses: the N people.
        identities: N; None in a still picture, where nobody is followed.
        seconds: the time of the frame on a clock that never goes back.
        held: bool `[N]`: whose keypoints are those of an earlier frame, moved on, though they may have moved otherwise;
            None: nobody's.
    """

    frame: Frame
    poses: Poses
    identities: list[Identity] | None
    seconds: float
    held: NDArray[np.bool_] | None = None


class Recogniser:
    """Understands frames of any number of sources. Not thread-safe; use one per thread.

        recogniser = Recogniser(PoseEstimator(), PostureIndex.load())
        while True:
            scene = recogniser.step(camera.read())

    Args:
        estimator: finds the people.
        index: names their postures.
        settings: None for the defaults.
        stills: names of sources whose frames are unrelated pictures: nobody is followed or filtered, and a
            classification stands as it is.
        indexes: by the name of the source, databases that name the postures there instead.
        stage: called with a stage's name, gives a context in which it runs; for profiling.
    """

    def __init__(
        self,
        estimator: PoseEstimator,
        index: PostureIndex,
        settings: Settings | None = None,
        *,
        stills: Container[str] = (),
        indexes: Mapping[str, PostureIndex] | None = None,
        stage: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ):
        self.estimator = estimator
        self.index = index
        self.settings = settings or Settings()
        self._stills = stills
        self._indexes = dict(indexes or {})
        self._stage = stage
        self._sources: dict[str, _Memory] = {}
        self._steps: dict[str, int] = {}  # the last number of the frames made in `step`

    def __call__(self, frames: Sequence[Frame]) -> list[Scene]:
        """One scene per frame, in order. Frames of one source come in the order they were taken."""
        return self.understand([complete(self.follow(frame)) for frame in frames])

    def step(self, bgr: NDArray[np.uint8], seconds: float | None = None, *, source: str = "camera") -> Scene:
        """Understand the next picture of a video that you read yourself, knowing those before.

        Args:
            bgr: uint8 `[H, W, 3]`, BGR as OpenCV gives them. It is not copied: the scene shows what it holds.
            seconds: its time in the video; None for now, as of a camera. Give it for all pictures of a video or none.
            source: which video, where there are several.

        Raises:
            ValueError: the array is no uint8 picture of three channels.
        """
        number = self._steps[source] = self._steps.get(source, -1) + 1
        frame = Frame(np.ascontiguousarray(bgr), source, number, 0, seconds, time.monotonic())
        return self([frame])[0]

    def ahead(self, source: Source) -> int:
        """How many frames of a source may be on their way at once: several where none depends on the one before, and
        none is held back by it."""
        alone = source.still or self.estimator.top_down is None
        return 1 if source.live or not alone else self.estimator.concurrency + 1

    def follow(self, frame: Frame) -> Steps[Followed]:
        """The first half: the people in a frame, and who they are."""
        if frame.source in self._stills:
            poses = yield from self.estimator.find(frame.bgr)
            apart = scores_apart(Bodies.of(poses), poses.scores) >= self._least_score
            return Followed(frame, poses.select(apart), None, frame.seconds)
        size = frame.bgr.shape[0], frame.bgr.shape[1]
        finder = self._memory_of(frame.source, size).finder
        if finder is None:
            poses = yield from self.estimator.find(frame.bgr)
            memory = self._memory_of(frame.source, size)  # frames before this one have been followed meanwhile
            seconds = memory.seconds = max(frame.seconds, memory.seconds)  # a bad timestamp must not turn time back
        else:
            memory = self._memory_of(frame.source, size)
            settled = memory.settled.before(memory.seconds)
            seconds = memory.seconds = max(frame.seconds, memory.seconds)
            poses = yield from finder.find(frame.bgr, seconds, memory.tracker.shifts(seconds), settled)
        with self._stage("track"):
            told = memory.tracker.update(poses, seconds)
            held = None if finder is None else finder.held
            if finder is not None:
                finder.remember([None if identity is None else identity.key for identity in told])
            identities = [identity for identity in told if identity is not None]
            if len(identities) < len(told):
                rows = [row for row, identity in enumerate(told) if identity is not None]
                poses, held = poses.select(rows), None if held is None else held[rows]
            if memory.keypoint_filter is not None:
                poses = memory.keypoint_filter.update([identity.key for identity in identities], poses, seconds)
                memory.keypoint_filter.keep(memory.tracker.keys)
        return Followed(frame, poses, identities, seconds, held)

    def understand(self, followed: Sequence[Followed]) -> list[Scene]:
        """The second half: names and steady postures. All people are searched in one call."""
        named = self._named(followed)
        with self._stage("smooth"):
            return [self._scene(one, classifications) for one, classifications in zip(followed, named, strict=True)]

    @property
    def _least_score(self) -> float:
        """What must be left of somebody's score beside better ones: no more than is asked of everybody."""
        return min(self.estimator.description.apart_threshold, self.estimator.person_threshold)

    def _memory_of(self, source: str, size: tuple[int, int]) -> _Memory:
        memory = self._sources.get(source)
        if memory is None or memory.size != size:  # where people were means nothing in a picture of another size
            first_number = 1 if memory is None else memory.tracker.next_number
            memory = self._sources[source] = self._new_memory(size, first_number)
        return memory

    def _named(self, followed: Sequence[Followed]) -> list[list[Classification]]:
        """The classifications of all people of a batch, frame by frame: one search for every database in use."""
        asked: dict[int, tuple[PostureIndex, list[int]]] = {}
        for place, one in enumerate(followed):
            index = self._indexes.get(one.frame.source, self.index)
            asked.setdefault(id(index), (index, []))[1].append(place)
        named: list[list[Classification]] = [[] for _ in followed]
        for index, places in asked.values():
            people = [followed[place].poses for place in places]
            classifications = iter(self._classify(index, people))
            for place, poses in zip(places, people, strict=True):
                named[place] = list(islice(classifications, len(poses)))
        return named

    def _classify(self, index: PostureIndex, several: Sequence[Poses]) -> list[Classification]:
        pose = self.settings.pose
        with self._stage("embed"):
            people = Poses.concatenate(several)
            reasons = reject_reasons(
                people, pose.min_keypoints, self.settings.pose.keypoint_threshold, pose.min_person_px
            )
            rows = index.embedding.of_accepted(people, reasons)
        with self._stage("search"):
            return list(index.classify(rows, self.settings.index.rule, reasons))

    def _scene(self, followed: Followed, classifications: list[Classification]) -> Scene:
        frame = followed.frame
        if followed.identities is None:
            return Scene(frame, followed.poses, _on_their_own(classifications))
        keys = [identity.key for identity in followed.identities]
        classifications = self._with_gait(followed, keys, classifications)
        memory = self._sources[frame.source]
        steadied = memory.smoother.update(keys, followed.poses.boxes, classifications, followed.seconds)
        memory.settled.update(keys, steadied, followed.seconds)
        people = [
            Person(row, identity.number, classification, steady.posture, steady.probability, steady.since_seconds)
            for row, (identity, classification, steady) in enumerate(
                zip(followed.identities, classifications, steadied, strict=True)
            )
        ]
        return Scene(frame, followed.poses, tuple(people))

    def _with_gait(
        self, followed: Followed, keys: list[int], classifications: list[Classification]
    ) -> list[Classification]:
        """The classifications, with standing, walking and running told apart by motion where the database has them."""
        source, poses = followed.frame.source, followed.poses
        memory, labels = self._sources[source], self._indexes.get(source, self.index).classes
        gait = memory.gait
        if gait is None or not knows_gaits(labels):
            return classifications
        rule, keypoints = self.settings.index.rule, poses.keypoints
        if followed.held is not None and followed.held.any():  # legs that are not looked at are no legs at rest
            keypoints = keypoints.copy()
            keypoints[followed.held, :, 2] = 0.0
        due = gait.due(followed.seconds) and bool(keys)
        camera = memory.camera.update(followed.frame.bgr, poses.boxes) if due else None
        return [
            with_gait(classification, motion, labels, rule)
            for classification, motion in zip(
                classifications, gait.update(keys, keypoints, followed.seconds, camera), strict=True
            )
        ]

    def _new_memory(self, size: tuple[int, int], first_number: int) -> _Memory:
        tracking, filtering, smoothing = self.settings.tracking, self.settings.keypoint_filter, self.settings.smoothing
        pose, top_down = self.settings.pose, self.estimator.top_down
        return _Memory(
            None
            if top_down is None
            else PoseFinder(
                top_down,
                detect_every_seconds=pose.detect_every_seconds,
                turned_every_seconds=pose.turned_every_seconds,
                calm_every_seconds=pose.calm_every_seconds,
                settled_every_seconds=pose.settled_every_seconds,
            ),
            Tracker(
                high_score_threshold=self.estimator.high_score_threshold,
                min_similarity=tracking.min_similarity,
                confirm_seconds=tracking.confirm_seconds,
                max_lost_seconds=tracking.max_lost_seconds,
                least_score=self._least_score,
                first_number=first_number,
            ),
            KeypointFilter(
                min_cutoff_hz=filtering.min_cutoff_hz,
                beta=filtering.beta,
                keypoint_threshold=self.settings.pose.keypoint_threshold,
            )
            if filtering.enabled
            else None,
            Gait(gap_seconds=GAIT_GAP_SECONDS + pose.settled_every_seconds) if smoothing.gait else None,
            CameraMotion(),
            LabelSmoother(
                switch_seconds=smoothing.switch_seconds,
                unknown_probability=smoothing.unknown_probability,
                grace_seconds=smoothing.grace_seconds,
            ),
            SettledLabels(),
            size,
        )


def _on_their_own(classifications: list[Classification]) -> tuple[Person, ...]:
    """People of a still picture."""
    return tuple(
        Person(row, None, classification, classification.label, classification.probability, None)
        for row, classification in enumerate(classifications)
    )
