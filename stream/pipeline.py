"""The product, top to bottom: a source, a hand-off, a recogniser, some sinks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pose.pool import EstimatorPool
from pose.poses import Poses
from stream.assembly import make_estimator, open_from_settings, open_index, warn_of_other_weights
from stream.errors import SourceError
from stream.frame import Frame
from stream.handoff import Handoff
from stream.look_ahead import LookAhead
from stream.recogniser import Recogniser
from stream.scene import Scene
from stream.settings import Settings
from stream.sinks import Drawing, Sink
from stream.sources import Source

if TYPE_CHECKING:
    from index.posture_index import PostureIndex
    from pose.estimator import PoseEstimator

__all__ = ["Tally", "check_offline", "scenes", "write"]

Stage = Callable[[str], AbstractContextManager[object]]

READ_AHEAD: Final = 2  # batches of a recording that may wait
IDLE_SECONDS: Final = 0.1
AGES: Final = 1000  # live frames whose age is remembered


@dataclass(slots=True)
class Tally:
    """What happened so far in a run.

    Attributes:
        frames: how many were understood.
        people: how many people in them, everyone counted in every frame.
        dropped: frames of a live source that a newer one replaced before the network was free.
        ages: seconds from capture to label of the latest live frames.
        postures: in how many frames somebody was shown as what, everyone counted; None stands for unknown.
        reasons: in how many frames somebody was judged unknown for what reason, everyone counted, before smoothing.
        started_seconds: `time.monotonic()` when the first frame arrived.
    """

    frames: int = 0
    people: int = 0
    dropped: int = 0
    ages: deque[float] = field(default_factory=lambda: deque(maxlen=AGES))
    postures: dict[str | None, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    started_seconds: float | None = None

    def count(self, scene: Scene, *, live: bool) -> None:
        """Add one scene, just understood."""
        now = time.monotonic()
        self.frames += 1
        self.people += len(scene.people)
        if self.started_seconds is None:
            self.started_seconds = now
        if live:
            self.ages.append(now - scene.frame.captured_seconds)
        for person in scene.people:
            self.postures[person.posture] = self.postures.get(person.posture, 0) + 1
            if person.verdict.reason is not None:
                reason = str(person.verdict.reason)
                self.reasons[reason] = self.reasons.get(reason, 0) + 1

    @property
    def frames_per_second(self) -> float:
        """Frames per second of wall time since the first one; 0 before the second."""
        if self.started_seconds is None or self.frames < 2:
            return 0.0
        return (self.frames - 1) / max(time.monotonic() - self.started_seconds, 1e-9)

    def age_seconds(self, quantile: float) -> float:
        """A quantile of the age of live frames from capture to label; NaN without live frames."""
        return float(np.quantile(np.array(self.ages), quantile)) if self.ages else float("nan")


def scenes(
    source: Handoff | Source | str | int | Path,
    estimator: PoseEstimator | None = None,
    index: PostureIndex | None = None,
    settings: Settings | None = None,
    *,
    stage: Stage | None = None,
    tally: Tally | None = None,
    idle: Callable[[], None] | None = None,
    offline: bool = False,
) -> Generator[Scene, None, None]:
    """Understand a source: one `Scene` per frame.

    A recording gives every frame, as fast as the machine can. A live source gives the freshest frame each time.

        for scene in scenes("clip.mp4"):
            print(scene.frame.media_seconds, [person.posture for person in scene.people])

    Args:
        source: what `open_source` takes; or an open source, which is closed at the end; or a hand-off that is already
            reading, so that a camera does not wait while the network loads.
        estimator: None for one as the settings want it.
        index: None for the database the settings name, or the starter database where that does not exist.
        settings: None for the defaults.
        stage: called with a stage's name, gives a context in which it runs; for profiling.
        tally: filled while the scenes come.
        idle: called some times a second while no frame comes.
        offline: look ahead before a posture is decided (see `LookAhead`), which only a recording allows.

    Raises:
        SourceError: the source cannot be read, or looked ahead in; when it fails on the way, after the scenes before.
    """
    settings = settings or Settings()
    if estimator is None:
        estimator = make_estimator(settings, stage)
    if index is None:
        index = open_index(settings)
        warn_of_other_weights(index, estimator)
    timed = stage or nullcontext
    with ExitStack() as stack:
        if isinstance(source, Handoff):
            frames = source
        else:
            if not isinstance(source, Source):
                source = open_from_settings(source, settings)
            frames = stack.enter_context(Handoff(source, capacity=READ_AHEAD * estimator.batch_size, stage=timed))
        live = frames.source.live
        batch_size = 1 if live else estimator.batch_size
        recogniser = Recogniser(estimator, index, settings, stills=frames.source.still, stage=timed)
        dropped_before = frames.dropped  # while the network was loading

        def take() -> list[Frame]:
            while not frames.ended:
                if batch := frames.take(batch_size, timeout_seconds=None if idle is None else IDLE_SECONDS):
                    return batch
                if idle is not None:
                    idle()
            return []

        found: Iterator[Scene] = (
            scene
            for batch, people in _found(stack, estimator, recogniser, take, live=live)
            for scene in recogniser.understand(batch, people)
        )
        if offline:
            check_offline(frames.source)
            smoothing = settings.smoothing
            found = LookAhead(
                look_ahead_seconds=smoothing.look_ahead_seconds,
                switch_seconds=smoothing.switch_seconds,
                unknown_share=smoothing.unknown_share,
                grace_seconds=smoothing.grace_seconds,
            )(found)
        for scene in found:
            if tally is not None:
                tally.dropped = frames.dropped - dropped_before
                tally.count(scene, live=live)
            yield scene


def check_offline(source: Source) -> None:
    """Refuse to look ahead where nothing lies ahead.

    Raises:
        SourceError: the source is live, or pictures without a time.
    """
    if source.live or source.still:
        what = "is live, so its future cannot be seen" if source.live else "is no video"
        raise SourceError(f"{source.name} {what}. Leave --offline away, or give a recording.")


def _found(
    stack: ExitStack,
    estimator: PoseEstimator,
    recogniser: Recogniser,
    take: Callable[[], list[Frame]],
    *,
    live: bool,
) -> Iterator[tuple[list[Frame], list[Poses]]]:
    """Batches and the people in them: of a camera one after the other, of a recording several at once."""
    if not live:
        pool = stack.enter_context(EstimatorPool(estimator.concurrency))
        yield from pool.in_order(take, recogniser.find)
        return
    # A live frame is never held back until the next one comes.
    while batch := take():
        yield batch, recogniser.find(batch)


def write(
    found: Iterator[Scene],
    sinks: Sequence[Sink],
    overlay: Callable[[Scene], NDArray[np.uint8]],
    stage: Stage | None = None,
) -> Generator[Scene, None, None]:
    """Write every scene to every sink, and pass it on.

    Every sink is closed at the end, however it comes: an error, ctrl-C, or nobody asking for more.

    Raises:
        SinkError: a sink cannot write.
    """
    timed = stage or nullcontext

    def draw(scene: Scene) -> NDArray[np.uint8]:
        with timed("draw"):
            return overlay(scene)

    with ExitStack() as stack:
        for sink in sinks:
            stack.callback(sink.close)
        for scene in found:
            drawing = Drawing(scene, draw)
            for sink in sinks:
                sink.write(scene, drawing)
            yield scene
