"""`Profile`: where the time goes, stage by stage."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stream.scene import Scene
    from stream.sinks.base import Drawing, Sink

__all__ = ["STAGES", "Profile", "TimedSink"]

STAGES: Final = (
    "read", "pre-process", "network", "detector", "nms", "keypoints", "decode",
    "track", "embed", "search", "smooth", "draw", "write",
)  # fmt: skip


@dataclass(slots=True)
class _Spent:
    """What the calls of a stage took: no more than this is kept, because a camera's run goes on for months."""

    seconds: float = 0.0
    slowest_seconds: float = 0.0


class Profile:
    """Adds up the wall time of stages, from any number of threads.

    A stage that handles several frames at once is divided by `frames` when it is shown, so all lines are per frame.
    Stages of different threads overlap: their sum is more than the time that passed.

    Args:
        clock: seconds of wall time, or of the calling thread's CPU time.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._spent: dict[str, _Spent] = defaultdict(_Spent)
        self._lock = threading.Lock()
        self._own = threading.local()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside, but for stages in it on the same thread: a sink's write is not its drawing."""
        around = getattr(self._own, "inner_seconds", 0.0)
        self._own.inner_seconds = 0.0
        start = self._clock()
        try:
            yield
        finally:
            seconds = self._clock() - start
            alone_seconds = seconds - self._own.inner_seconds
            self._own.inner_seconds = around + seconds
            with self._lock:
                spent = self._spent[name]
                spent.seconds += alone_seconds
                spent.slowest_seconds = max(spent.slowest_seconds, alone_seconds)

    def clear(self) -> None:
        """Forget what was timed so far, such as a warm-up."""
        self._spent.clear()

    def milliseconds_per_frame(self, frames: int) -> dict[str, float]:
        """Total time of every stage divided by `frames`, milliseconds, in the order a frame meets them."""
        known: list[str] = [name for name in STAGES if name in self._spent]
        known += [name for name in self._spent if name not in STAGES]
        return {name: 1e3 * self._spent[name].seconds / max(frames, 1) for name in known}

    def table(self, frames: int) -> str:
        """The same as lines of text, with the slowest single call beside it."""
        rows = self.milliseconds_per_frame(frames)
        lines = [f"{'stage':<12}{'ms/frame':>10}{'slowest call ms':>18}"]
        lines += [
            f"{name:<12}{value:>10.2f}{1e3 * self._spent[name].slowest_seconds:>18.1f}" for name, value in rows.items()
        ]
        return "\n".join(lines)


class TimedSink:
    """A sink whose writing counts as the stage `write`.

    Args:
        sink: what is timed.
        stage: called with the stage's name, gives a context in which it runs.
    """

    def __init__(self, sink: Sink, stage: Callable[[str], AbstractContextManager[object]]):
        self._sink = sink
        self._stage = stage

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Write one scene."""
        with self._stage("write"):
            self._sink.write(scene, drawing)

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()
