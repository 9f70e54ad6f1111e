"""`Scheduler`: carries the frames of any number of sources through the network, one source's in order.

What is done with a frame is a generator (`pose.inference.steps`): it asks the network something, waits, goes on. One
thread runs all of them. It does one of three things, as often as it can, and waits when there is none to do:

1. a frame whose answers are there goes on;
2. a source that has a frame and is not busy with another begins, if the network has room;
3. frames that are finished are handed out.

Sources are read by threads of their own (`BackgroundReader`), and the network computes on its own. So a frame of one
source fills the gap while another's waits, and Python deals with finished frames while the network has the next.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any, Final, Generic, Self, TypeVar

from pose.closing import Closing
from pose.inference.steps import Steps
from stream.errors import SourceError
from stream.frame import Frame
from stream.reading.reader import JOIN_SECONDS, BackgroundReader
from stream.sources.base import Source
from stream.sources.transformed import PreparedSource

__all__ = ["DROP_CAUSES", "Scheduler"]

log = logging.getLogger(__name__)

Result = TypeVar("Result")

DROP_CAUSES: Final = ("replaced", "stale", "capped")
"""Why frames of a live source are left out: a newer one came before the network was free; it was too old when its turn
came; more came than `source.max_fps` wants."""

READ_AHEAD: Final = 8  # frames of a recording that wait
IDLE_SECONDS: Final = 0.1


class Scheduler(Closing):
    """Reads every source on a thread of its own. A context manager.

    The source served longest ago comes first, so a slow camera is never behind a fast one; whoever has no frame is not
    waited for. Live sources give their freshest frame, recordings give every frame. A recording that fails does not
    stop the others: its error rises at the end.

    Args:
        sources: with different names. The scheduler closes them.
        stale_seconds: a live frame older than this when its turn comes is left out.
        read_ahead: frames of a recording that may wait.
        stage: see `BackgroundReader`.
        join_timeout_seconds: how long leaving may take, for all sources together.

    Raises:
        ValueError: two sources have one name.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        stale_seconds: float = 1.0,
        read_ahead: int = READ_AHEAD,
        stage: Callable[[str], AbstractContextManager[object]] = nullcontext,
        join_timeout_seconds: float = JOIN_SECONDS,
    ) -> None:
        self.sources: Mapping[str, Source] = {source.name: source for source in sources}
        if len(self.sources) < len(sources):
            raise ValueError("two sources have one name")
        self.stale_seconds = stale_seconds
        self._join_timeout_seconds = join_timeout_seconds
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._readers = [
            BackgroundReader(source, capacity=read_ahead, stage=stage, lock=self._lock, changed=self._changed)
            for source in sources
        ]  # those served longest ago first
        self._by_name = {reader.source.name: reader for reader in self._readers}
        self._stale = dict.fromkeys(self.sources, 0)
        self._failures: list[SourceError] = []

    def __enter__(self) -> Self:
        for reader in self._readers:
            reader.__enter__()
        return self

    @property
    def live(self) -> bool:
        """Whether a live source is among them."""
        return any(source.live for source in self.sources.values())

    def drops(self, name: str) -> dict[str, int]:
        """How many frames of a live source were left out for what cause, so far; see `DROP_CAUSES`."""
        source = self.sources[name]
        capped = source.capped if isinstance(source, PreparedSource) else 0
        return dict(zip(DROP_CAUSES, (self._by_name[name].dropped, self._stale[name], capped), strict=True))

    def run(
        self,
        begin: Callable[[Frame], Steps[Result]],
        *,
        concurrency: int = 1,
        ahead: Callable[[Source], int] = lambda _: 1,
        idle: Callable[[], None] | None = None,
    ) -> Generator[list[Result], None, None]:
        """What `begin` makes of every frame, as soon as it is there, for every source in the order of its frames.

        Args:
            begin: what is to be done with a frame.
            concurrency: a frame begins while fewer calls of the network than this are under way.
            ahead: how many frames of a source may be under way at once: 1 where one frame depends on the one before.
            idle: called some times a second while nothing is to be done.

        Raises:
            SourceError: sources failed; after all frames of the others. An error of `begin` rises at once.
        """
        jobs: dict[str, deque[_Job[Result]]] = {name: deque() for name in self.sources}
        room = {name: max(ahead(source), 1) for name, source in self.sources.items()}

        def under_way() -> int:
            return sum(job.waiting for several in jobs.values() for job in several)

        def next_frame() -> Frame | None:
            """The next frame that may begin."""
            if under_way() >= concurrency:
                return None
            return self._take({name for name, several in jobs.items() if len(several) < room[name]})

        def go_on() -> bool:
            """Let every frame go on whose answers are there."""
            ready = [job for several in jobs.values() for job in several if job.ready]
            for job in ready:
                job.go_on(self._wake)
            return bool(ready)

        def work_to_do() -> bool:
            return (
                any(job.ready for several in jobs.values() for job in several)
                or (under_way() < concurrency and self._has_frame(jobs, room))
                or (not any(jobs.values()) and self._all_over())
            )

        try:
            while True:
                busy = go_on()
                done = [job for several in jobs.values() for job in _finished(several)]
                while (frame := next_frame()) is not None:
                    job = _Job(frame, begin(frame))
                    jobs[frame.source].append(job)
                    job.go_on(self._wake)
                    busy = True
                if done:
                    yield [job.result for job in done]
                elif not busy:
                    with self._lock:
                        self._collect_failures()
                        if not any(jobs.values()) and self._all_over():
                            break
                        if not self._changed.wait_for(work_to_do, IDLE_SECONDS) and idle is not None:
                            idle()
        finally:
            for several in jobs.values():
                for job in several:
                    job.close()
        if self._failures:
            raise self._failures[0] if len(self._failures) == 1 else SourceError("\n".join(map(str, self._failures)))

    def _wake(self, _: Future[Any]) -> None:
        with self._lock:
            self._changed.notify_all()

    def _has_frame(self, jobs: Mapping[str, Sequence[object]], room: Mapping[str, int]) -> bool:
        return any(
            reader.waiting and len(jobs[reader.source.name]) < room[reader.source.name] for reader in self._readers
        )

    def _take(self, idle: set[str]) -> Frame | None:
        """The frame of the source among `idle` that was served longest ago."""
        with self._lock:
            for reader in [reader for reader in self._readers if reader.source.name in idle and reader.waiting]:
                self._readers.remove(reader)
                self._readers.append(reader)
                (frame,) = reader.take(timeout_seconds=0)
                if reader.source.live and time.monotonic() - frame.captured_seconds > self.stale_seconds:
                    self._stale[reader.source.name] += 1
                    continue
                return frame
        return None

    def _all_over(self) -> bool:
        return all(reader.ended for reader in self._readers)

    def _collect_failures(self) -> None:
        for reader in self._readers:
            if not reader.waiting and reader.filled and not reader.ended:
                try:
                    reader.take(timeout_seconds=0)
                except SourceError as error:
                    self._failures.append(error)
                    if len(self._readers) > 1:
                        log.warning("%s", error)

    def close(self) -> None:
        """Close all sources and join their threads. Twice does no harm."""
        with ExitStack() as stack:  # all of them, whatever one raises
            for reader in self._readers:
                stack.callback(reader.stop)
        until = time.monotonic() + self._join_timeout_seconds
        for reader in self._readers:
            reader.join(until - time.monotonic())


class _Job(Generic[Result]):
    """One frame on its way.

    Attributes:
        frame: the frame.
        result: what became of it, once it is finished.
        finished: whether it is.
    """

    def __init__(self, frame: Frame, steps: Steps[Result]) -> None:
        self.frame = frame
        self.finished = False
        self.result: Result
        self._steps = steps
        self._futures: Sequence[Future[Any]] = ()

    @property
    def waiting(self) -> int:
        """How many answers are still to come."""
        return sum(not future.done() for future in self._futures)

    @property
    def ready(self) -> bool:
        """It waits for nothing and is not finished."""
        return not self.finished and self.waiting == 0

    def go_on(self, wake: Callable[[Future[Any]], None]) -> None:
        """To the next answers that it must wait for, or to the end."""
        try:
            while self.ready:
                self._futures = next(self._steps)
        except StopIteration as end:
            self.result, self.finished, self._futures = end.value, True, ()
            return
        for future in self._futures:
            future.add_done_callback(wake)

    def close(self) -> None:
        self._steps.close()


def _finished(jobs: deque[_Job[Result]]) -> Iterator[_Job[Result]]:
    """Take those out that are finished, in order, up to the first that is not."""
    while jobs and jobs[0].finished:
        yield jobs.popleft()
