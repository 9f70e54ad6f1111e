"""`Recogniser`: from frames to scenes. Everybody in every frame is found, embedded, named, followed and steadied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np

from index.posture_index import PostureIndex
from index.verdict import Verdict
from pose.estimator import PoseEstimator
from pose.gate import unfit
from pose.poses import Poses
from stream.frame import Frame
from stream.scene import Person, Scene
from stream.settings import Settings
from stream.smoothing import LabelSmoother
from stream.tracker import Tracker

__all__ = ["Recogniser"]


@dataclass(slots=True)
class _Memory:
    """What is remembered of one source."""

    tracker: Tracker
    smoother: LabelSmoother
    seconds: float = float("-inf")


class Recogniser:
    """Understands frames of any number of sources. Not thread-safe; use one per thread.

        recogniser = Recogniser(PoseEstimator(), PostureIndex.load("pose_index"))
        scene, = recogniser([frame])

    Args:
        estimator: finds the people.
        index: names their postures.
        settings: None for the defaults.
        stills: frames are unrelated pictures: nobody is followed, and a verdict stands as it is.
        stage: called with a stage's name, gives a context in which it runs; for profiling.
    """

    def __init__(
        self,
        estimator: PoseEstimator,
        index: PostureIndex,
        settings: Settings | None = None,
        *,
        stills: bool = False,
        stage: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ):
        self.estimator = estimator
        self.index = index
        self.settings = settings or Settings()
        self.stills = stills
        self._stage = stage
        self._sources: dict[str, _Memory] = {}

    def __call__(self, frames: Sequence[Frame]) -> list[Scene]:
        """One scene per frame, in order. Frames of one source come in the order they were taken."""
        return self.understand(frames, self.find(frames))

    def find(self, frames: Sequence[Frame]) -> list[Poses]:
        """The first half: the people in every frame. Nothing is remembered, so it may run ahead on another thread."""
        return self.estimator([frame.bgr for frame in frames])

    def understand(self, frames: Sequence[Frame], everybody: Sequence[Poses]) -> list[Scene]:
        """The second half: names, numbers and steady postures for the people that `find` found."""
        pose = self.settings.pose
        with self._stage("embed"):
            embed = self.index.embedding
            limits = pose.min_keypoints, pose.keypoint_threshold, pose.min_person_px
            reasons = [reason for poses in everybody for reason in unfit(poses, *limits)]
            rows = np.concatenate(
                [embed(poses, *limits) for poses in everybody] or [np.zeros((0, embed.dimension), np.float32)]
            )
        with self._stage("search"):
            naming = self.settings.index
            verdicts = self.index.classify(rows, naming.k, naming.min_share, naming.min_margin, reasons)
        scenes = []
        with self._stage("track"):
            start = 0
            for frame, poses in zip(frames, everybody, strict=True):
                scenes.append(self._scene(frame, poses, verdicts[start : start + len(poses)]))
                start += len(poses)
        return scenes

    def _scene(self, frame: Frame, poses: Poses, verdicts: list[Verdict]) -> Scene:
        if self.stills:
            people = [
                Person(row, None, verdict, verdict.label, verdict.share, None) for row, verdict in enumerate(verdicts)
            ]
            return Scene(frame, poses, tuple(people))
        memory = self._sources.get(frame.source)
        if memory is None:
            memory = self._sources[frame.source] = self._new_memory()
        seconds = memory.seconds = max(frame.seconds, memory.seconds)  # a bad timestamp must not turn time back
        people = []
        for row, (track, verdict) in enumerate(zip(memory.tracker.update(poses, seconds), verdicts, strict=True)):
            steady = memory.smoother.update(track, verdict, seconds)
            people.append(Person(row, track, verdict, steady.posture, steady.share, steady.since_seconds))
        memory.smoother.keep(memory.tracker.tracks)
        return Scene(frame, poses, tuple(people))

    def _new_memory(self) -> _Memory:
        tracking, smoothing = self.settings.tracking, self.settings.smoothing
        return _Memory(
            Tracker(
                sure_score=tracking.sure_score,
                min_similarity=tracking.min_similarity,
                max_lost_seconds=tracking.max_lost_seconds,
            ),
            LabelSmoother(time_constant_seconds=smoothing.time_constant_seconds, switch_share=smoothing.switch_share),
        )
