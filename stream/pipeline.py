"""The product, top to bottom: sources, a scheduler, a recogniser, some sinks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from stream.assembly import make_estimator, make_scheduler, open_from_settings, open_index, warn_of_other_weights
from stream.errors import SourceError
from stream.people.viterbi import FixedLagViterbi
from stream.reading.scheduler import Scheduler
from stream.recogniser import Recogniser
from stream.run.tally import Tally
from stream.scene import Scene
from stream.settings.model import Settings
from stream.sinks.base import Drawing, Sink
from stream.sinks.fan_out import FanOut
from stream.sources.arrays import ArraySource, Pictures, is_pictures
from stream.sources.base import Source

if TYPE_CHECKING:
    from index.posture_index import PostureIndex
    from pose.estimator import PoseEstimator

__all__ = ["check_offline", "scenes", "write"]

Stage = Callable[[str], AbstractContextManager[object]]
Given = Source | str | int | Path | Pictures


def scenes(
    source: Scheduler | Given | Sequence[Given],
    estimator: PoseEstimator | None = None,
    index: PostureIndex | None = None,
    settings: Settings | None = None,
    *,
    indexes: Mapping[str, PostureIndex] | None = None,
    stage: Stage | None = None,
    tally: Tally | None = None,
    idle: Callable[[], None] | None = None,
    offline: bool = False,
) -> Generator[Scene, None, None]:
    """Understand one source or several: one `Scene` per frame, `Scene.frame.source` says whose.

    A recording gives every frame, as fast as the machine can. A live source gives the freshest frame each time.

        for scene in scenes("clip.mp4"):
            print(scene.frame.media_seconds, [person.posture for person in scene.people])

    Args:
        source: what `open_source` takes; or arrays, or a generator of them, as `ArraySource` takes; or an open source,
            which is closed at the end; or a list of several of those, with different names; or a scheduler that is
            already reading, so that cameras do not wait while the network loads.
        estimator: None for one as the settings want it.
        index: None for the database the settings name, or the starter database where that does not exist.
        settings: None for the defaults.
        indexes: by the name of the source, databases that name the postures there instead.
        stage: called with a stage's name, gives a context in which it runs; for profiling.
        tally: filled while the scenes come.
        idle: called some times a second while no frame comes.
        offline: look ahead before a posture is decided (see `FixedLagViterbi`), which only recordings allow.

    Raises:
        SourceError: a source cannot be read, or looked ahead in. When one fails on the way, after the scenes before
            and all scenes of the others.
    """
    settings = settings or Settings()
    if estimator is None:
        estimator = make_estimator(settings, stage)
    if index is None:
        index = open_index(settings)
        warn_of_other_weights(index, estimator)
    timed = stage or nullcontext
    with ExitStack() as stack:
        scheduler = _reading(stack, source, settings, timed)
        sources = scheduler.sources
        stills = {name for name, one in sources.items() if one.still}
        recogniser = Recogniser(estimator, index, settings, stills=stills, indexes=indexes, stage=timed)
        dropped_before = {name: scheduler.drops(name) for name in sources}  # while the network was loading
        followed = scheduler.run(
            recogniser.follow, concurrency=estimator.concurrency, ahead=recogniser.ahead, idle=idle
        )
        stack.callback(followed.close)
        found: Generator[Scene, None, None]
        found = (scene for several in followed for scene in recogniser.understand(several))
        stack.callback(found.close)
        if offline:
            for one in sources.values():
                check_offline(one)
            smoothing = settings.smoothing
            found = FixedLagViterbi(
                lag_seconds=smoothing.lag_seconds,
                switch_seconds=smoothing.switch_seconds,
                unknown_probability=smoothing.unknown_probability,
                grace_seconds=smoothing.grace_seconds,
            )(found)
            stack.callback(found.close)
        for scene in found:
            if tally is not None:
                name = scene.frame.source
                counted, live = tally.of(name), sources[name].live
                if live:
                    before = dropped_before[name]
                    counted.drops = {cause: count - before[cause] for cause, count in scheduler.drops(name).items()}
                counted.count(scene, live=live)
            yield scene


def _reading(
    stack: ExitStack,
    source: Scheduler | Given | Sequence[Given],
    settings: Settings,
    stage: Stage,
) -> Scheduler:
    if isinstance(source, Scheduler):
        return source
    several = isinstance(source, Sequence) and not isinstance(source, str) and not is_pictures(source)
    opened: list[Source] = []
    sources = len(cast(Sequence[Given], source)) if several else 1
    for given in cast(Sequence[Given], source if several else [source]):
        opened.append(stack.enter_context(_opened(given, settings, len(opened), sources)))
    return stack.enter_context(make_scheduler(opened, stage))


def _opened(given: Given, settings: Settings, before: int, sources: int) -> Source:
    if isinstance(given, Source):
        return given
    if isinstance(given, str | int | Path):
        return open_from_settings(given, settings, sources=sources)
    return ArraySource(given, name=f"arrays {before + 1}" if before else "arrays")


def check_offline(source: Source) -> None:
    """Refuse to look ahead where nothing lies ahead.

    Raises:
        SourceError: the source is live, or pictures without a time.
    """
    if source.live or source.still:
        what = "is live, so its future cannot be seen" if source.live else "is no video"
        raise SourceError(f"{source.name} {what}. Only a recording can be looked ahead in.")


def write(
    found: Iterator[Scene],
    sinks: Sequence[Sink] | Mapping[str, Sequence[Sink]],
    overlay: Callable[[Scene], NDArray[np.uint8]],
    stage: Stage | None = None,
) -> Generator[Scene, None, None]:
    """Write every scene to its sinks, and pass it on.

    At the end, however it comes (an error, ctrl-C, or nobody asking for more), `found` is closed if it can be, and then
    every sink. A sink that fails stops only itself; see `FanOut`.

    Args:
        found: the scenes.
        sinks: for all sources; or, by the name of the source, for its scenes only.
        overlay: draws a scene, for the sinks that show pictures.
        stage: see `scenes`.

    Raises:
        SinkError: no sink can write any more; or, at the end, one of them could not.
    """
    timed = stage or nullcontext

    def draw(scene: Scene) -> NDArray[np.uint8]:
        with timed("draw"):
            return overlay(scene)

    with ExitStack() as stack:
        out = FanOut(sinks)
        stack.callback(out.close)
        if isinstance(found, Generator):
            stack.callback(found.close)
        for scene in found:
            out.write(scene, Drawing(scene, draw))
            yield scene
