"""`Profile`: where the time goes, stage by stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from stream.scene import Scene
    from stream.sinks import Drawing, Sink

__all__ = ["STAGES", "Profile", "TimedSink"]

STAGES: Final = ("read", "pre-process", "network", "nms", "track", "embed", "search", "smooth", "draw", "write")


class Profile:
    """Adds up the wall time of stages, from any number of threads.

    A stage that handles several frames at once is divided by `frames` when it is shown, so all lines are per frame.
    Stages of different threads overlap: their sum is more than the time that passed.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name].append(time.perf_counter() - start)

    def clear(self) -> None:
        """Forget what was timed so far, such as a warm-up."""
        self._seconds.clear()

    def milliseconds_per_frame(self, frames: int) -> dict[str, float]:
        """Total time of every stage divided by `frames`, milliseconds, in the order a frame meets them."""
        known: list[str] = [name for name in STAGES if name in self._seconds]
        known += [name for name in self._seconds if name not in STAGES]
        return {name: 1e3 * float(np.sum(self._seconds[name])) / max(frames, 1) for name in known}

    def table(self, frames: int) -> str:
        """The same as lines of text, with the slowest single call beside it."""
        rows = self.milliseconds_per_frame(frames)
        lines = [f"{'stage':<12}{'ms/frame':>10}{'slowest call ms':>18}"]
        lines += [f"{name:<12}{value:>10.2f}{1e3 * max(self._seconds[name]):>18.1f}" for name, value in rows.items()]
        return "\n".join(lines)


class TimedSink:
    """A sink whose writing counts as the stage `write`, without the drawing it asks for.

    Args:
        sink: what is timed.
        stage: called with the stage's name, gives a context in which it runs.
        draws: whether the sink shows the drawn picture.
    """

    def __init__(self, sink: Sink, stage: Callable[[str], AbstractContextManager[object]], *, draws: bool = False):
        self._sink = sink
        self._stage = stage
        self._draws = draws

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Write one scene."""
        if self._draws:
            _ = drawing.bgr
        with self._stage("write"):
            self._sink.write(scene, drawing)

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()
