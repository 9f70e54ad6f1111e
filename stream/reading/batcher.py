"""`FrameBatcher`: the frames of any number of sources, as batches for the network."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, Self

from pose.closing import Closing
from stream.errors import SourceError
from stream.frame import Frame
from stream.reading.reader import JOIN_SECONDS, BackgroundReader
from stream.sources.base import Source
from stream.sources.transformed import PreparedSource

if TYPE_CHECKING:
    from pose.estimator import PoseEstimator

__all__ = ["DROP_CAUSES", "FrameBatcher"]

log = logging.getLogger(__name__)

DROP_CAUSES: Final = ("replaced", "stale", "capped")
"""Why frames of a live source are left out: a newer one came before the network was free; it was too old when its turn
came; more came than `source.max_fps` wants."""

READ_AHEAD: Final = 2
WINDOW_SHARE: Final = 0.5  # of a batch's time that a GPU may wait for company
WORK_MEMORY: Final = 0.8  # of the average time a batch takes


class FrameBatcher(Closing):
    """Reads every source on a thread of its own and makes batches of what is there. A context manager.

    Live sources give their freshest frame, the one served longest ago first, so a slow camera is never behind a fast
    one; whoever has no frame is not waited for. Recordings give every frame. Where both run, every batch has room for
    at least one frame of a recording.

    When a batch is not full, a camera whose next frame is due within the collection window is waited for. The window is
    a share of the time that batches take: nothing while the network is the bottleneck (then frames are there already),
    and never so long that a frame which waits gets older than `stale_seconds`.

    A recording that fails does not stop the others: its error rises from `take` when they have all ended.

    Args:
        sources: with different names. The batcher closes them.
        batch_size: frames in a batch, at most; `fit` sets it later. Of a recording, `READ_AHEAD` batches may wait.
        stale_seconds: a live frame older than this when its turn comes is left out.
        window_share: the collection window as a share of a batch's time; `fit` sets it later.
        stage: see `BackgroundReader`.
        join_timeout_seconds: how long leaving may take, for all sources together.

    Raises:
        ValueError: two sources have one name.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        batch_size: int = 4,
        stale_seconds: float = 1.0,
        window_share: float = 0.0,
        stage: Callable[[str], AbstractContextManager[object]] = nullcontext,
        join_timeout_seconds: float = JOIN_SECONDS,
    ) -> None:
        self.sources: Mapping[str, Source] = {source.name: source for source in sources}
        if len(self.sources) < len(sources):
            raise ValueError("two sources have one name")
        self.batch_size = batch_size
        self.stale_seconds = stale_seconds
        self.window_share = window_share
        self._join_timeout_seconds = join_timeout_seconds
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._readers = [
            BackgroundReader(
                source, capacity=READ_AHEAD * batch_size, stage=stage, lock=self._lock, changed=self._changed
            )
            for source in sources
        ]  # those served longest ago first
        self._by_name = {reader.source.name: reader for reader in self._readers}
        self._stale = dict.fromkeys(self.sources, 0)
        self._failures: dict[str, Exception] = {}
        self._raised = False
        self._gave_seconds: float | None = None
        self._work_seconds = 0.0

    def __enter__(self) -> Self:
        for reader in self._readers:
            reader.__enter__()
        return self

    def fit(self, estimator: PoseEstimator) -> None:
        """Make batches of the size that suits the network. Called when it is loaded, after reading began."""
        with self._lock:
            # A larger batch costs a CPU nearly as much more time as it is larger, and all its frames wait for the last.
            gpu = estimator.device.type == "cuda"
            self.batch_size = estimator.batch_size if gpu or not self.live else 1
            self.window_share = WINDOW_SHARE if gpu else 0.0
            for reader in self._readers:
                reader.resize(READ_AHEAD * self.batch_size)

    @property
    def live(self) -> bool:
        """Whether a live source is among them, so that no frame may wait for a later one."""
        return any(source.live for source in self.sources.values())

    @property
    def ended(self) -> bool:
        """No frame is left and none will come."""
        with self._lock:
            return all(reader.ended for reader in self._readers) and (self._raised or not self._failures)

    def drops(self, name: str) -> dict[str, int]:
        """How many frames of a live source were left out for what cause, so far; see `DROP_CAUSES`."""
        source = self.sources[name]
        capped = source.capped if isinstance(source, PreparedSource) else 0
        return dict(zip(DROP_CAUSES, (self._by_name[name].dropped, self._stale[name], capped), strict=True))

    def wake(self) -> None:
        """Let `take` ask `unless` again. From any thread."""
        with self._lock:
            self._changed.notify_all()

    def take(self, *, timeout_seconds: float | None = None, unless: Callable[[], bool] | None = None) -> list[Frame]:
        """The next batch.

        Args:
            timeout_seconds: how long to wait for one at most.
            unless: while nothing is there, waiting ends as soon as this says True.

        Returns:
            1 to `batch_size` frames, at most one of each live source; none at the end (`ended` is then True), when
            `timeout_seconds` have passed, or because of `unless`.

        Raises:
            SourceError: sources failed, and all others have ended.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        with self._lock:
            self._note_work()
            while True:
                self._collect_failures()
                if self.ended or self._all_over():
                    break
                if self._ready():
                    self._await_company()
                    if batch := self._pick():
                        self._gave_seconds = time.monotonic()
                        return batch
                    continue  # what was there was stale
                left = None if deadline is None else deadline - time.monotonic()
                if (left is not None and left <= 0) or (unless is not None and unless()):
                    return []
                self._changed.wait(left)
        if self._failures and not self._raised:
            self._raised = True
            raise self._failure()
        return []

    def _all_over(self) -> bool:
        return all(reader.ended for reader in self._readers)

    def _note_work(self) -> None:
        """The time since the last batch was given is what a batch takes."""
        if self._gave_seconds is not None:
            took = time.monotonic() - self._gave_seconds
            known = self._work_seconds or took
            self._work_seconds = WORK_MEMORY * known + (1 - WORK_MEMORY) * took
            self._gave_seconds = None

    def _collect_failures(self) -> None:
        for reader in self._readers:
            if not reader.waiting and reader.filled and not reader.ended:
                try:
                    reader.take(timeout_seconds=0)
                except SourceError as error:
                    self._failures[reader.source.name] = error
                    if len(self._readers) > 1:
                        log.warning("%s", error)

    def _failure(self) -> Exception:
        errors = list(self._failures.values())
        return errors[0] if len(errors) == 1 else SourceError("\n".join(map(str, errors)))

    def _ready(self) -> bool:
        if any(reader.waiting for reader in self._readers if reader.source.live):
            return True
        # A full batch of a recording is cheaper, and waiting for it costs nothing; beside cameras it would.
        wanted = 1 if self.live else self.batch_size
        return any(
            reader.waiting >= wanted or (reader.waiting and reader.filled)
            for reader in self._readers
            if not reader.source.live
        )

    def _await_company(self) -> None:
        """Wait for cameras that are about to give a frame."""
        cameras = [reader for reader in self._readers if reader.source.live]
        now = time.monotonic()
        oldest = min((reader.oldest_seconds for reader in cameras), default=now)
        until = min(now + self.window_share * self._work_seconds, oldest + self.stale_seconds / 2)
        while (left := until - time.monotonic()) > 0:
            if sum(reader.waiting for reader in cameras) >= self.batch_size:
                return
            if not any(reader.expected_seconds <= until for reader in cameras if not reader.waiting):
                return
            self._changed.wait(left)

    def _pick(self) -> list[Frame]:
        cameras = [reader for reader in self._readers if reader.source.live and reader.waiting]
        recordings = [reader for reader in self._readers if not reader.source.live and reader.waiting]
        room = max(self.batch_size - bool(recordings), 1)
        if recordings and cameras and self.batch_size == 1:  # they take turns
            order = [reader for reader in self._readers if reader in (cameras[0], recordings[0])]
            cameras, recordings = ([cameras[0]], []) if order[0] is cameras[0] else ([], recordings)
        batch: list[Frame] = []
        for reader in cameras:
            if len(batch) == room:
                break
            self._serve(reader)
            (frame,) = reader.take()
            if time.monotonic() - frame.captured_seconds > self.stale_seconds:
                self._stale[reader.source.name] += 1
            else:
                batch.append(frame)
        if recordings and len(batch) < self.batch_size:
            # Of one recording at a time: its pictures have one size, so they go through the network together.
            complete = (reader for reader in recordings if reader.waiting >= self.batch_size or reader.filled)
            chosen = next(complete, recordings[0])
            self._serve(chosen)
            batch += chosen.take(self.batch_size - len(batch), timeout_seconds=0)
        return batch

    def _serve(self, reader: BackgroundReader) -> None:
        """Put it behind all others."""
        self._readers.remove(reader)
        self._readers.append(reader)

    def close(self) -> None:
        """Close all sources and join their threads. Twice does no harm."""
        for reader in self._readers:
            reader.stop()
        until = time.monotonic() + self._join_timeout_seconds
        for reader in self._readers:
            reader.join(until - time.monotonic())
