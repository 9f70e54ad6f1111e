"""`BackgroundReader`: puts a source on a thread of its own. The one threading primitive between camera and network."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Self

from pose.closing import Closing
from stream.frame import Frame
from stream.sources.base import Source

__all__ = ["BackgroundReader"]

log = logging.getLogger(__name__)

JOIN_SECONDS: Final = 6.0  # a camera that froze in the middle of a read holds it for `source.read_timeout_seconds`
INTERVAL_MEMORY: Final = 0.8  # of the average time between two frames


class BackgroundReader(Closing):
    """Frames of a source, read ahead on a thread of its own. A context manager; iterate inside it.

    A live source has one place: a newer frame takes it, the older one is dropped and counted. A recording or pictures
    have `capacity` places, and the reader waits while they are taken, so every frame arrives.

    An error of the source rises where you iterate, after the frames before it. Leaving the `with` closes the source
    (only that wakes one that waits to reconnect) and joins the thread.

        with BackgroundReader(open_source("clip.mp4")) as frames:
            for frame in frames:
                ...

    Args:
        source: what to read. The hand-off closes it.
        capacity: frames of a recording that may wait; 8 frames of 1080p are 50 MB.
        join_timeout_seconds: how long leaving may take if the source is frozen inside its library. The thread is then
            left behind, as a daemon, and a warning says so.
        stage: called with "read", gives a context in which each frame is read; for profiling. Of a live source it
            includes the wait for the picture.
        lock, changed: a lock, and a condition on it that is notified when there is more to take; both or neither.
            Shared by hand-offs that are waited for together.

    Attributes:
        source: the source.
        dropped: how many frames of a live source nobody took in time.
    """

    def __init__(
        self,
        source: Source,
        *,
        capacity: int = 8,
        join_timeout_seconds: float = JOIN_SECONDS,
        stage: Callable[[str], AbstractContextManager[object]] = nullcontext,
        lock: threading.RLock | None = None,
        changed: threading.Condition | None = None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, expected at least 1")
        self.source = source
        self.dropped = 0
        self._capacity = 1 if source.live else capacity
        self._join_timeout_seconds = join_timeout_seconds
        self._stage = stage
        self._lock = lock or threading.RLock()
        self._changed = changed or threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)  # apart, so that a frame taken here does not wake all readers
        self._ready: deque[Frame] = deque()
        self._finished = False
        self._stopping = False
        self._error: BaseException | None = None
        self._arrived_seconds: float | None = None
        self._interval_seconds: float | None = None
        self._thread = threading.Thread(target=self._read, name=f"read {source.name}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def _read(self) -> None:
        try:
            frames = iter(self.source)
            while True:
                with self._stage("read"):
                    frame = next(frames, None)
                if frame is None or not self._offer(frame):
                    break
        except BaseException as error:  # rises again in take()
            self._error = error
        finally:
            with self._lock:
                self._finished = True
                self._changed.notify_all()

    def _offer(self, frame: Frame) -> bool:
        """Hand one frame over; False once nobody wants more."""
        with self._lock:
            if self.source.live:
                self._note_arrival(frame.captured_seconds)
                if self._ready:
                    self._ready.clear()
                    self.dropped += 1
            else:
                self._room.wait_for(lambda: len(self._ready) < self._capacity or self._stopping)
            if self._stopping:
                return False
            self._ready.append(frame)
            self._changed.notify_all()
            return True

    def resize(self, capacity: int) -> None:
        """Let another number of a recording's frames wait."""
        if self.source.live:
            return
        with self._lock:
            self._capacity = capacity
            self._room.notify_all()
            self._changed.notify_all()

    def _note_arrival(self, seconds: float) -> None:
        if self._arrived_seconds is not None:
            interval = seconds - self._arrived_seconds
            known = interval if self._interval_seconds is None else self._interval_seconds
            self._interval_seconds = INTERVAL_MEMORY * known + (1 - INTERVAL_MEMORY) * interval
        self._arrived_seconds = seconds

    @property
    def waiting(self) -> int:
        """How many frames wait to be taken."""
        return len(self._ready)

    @property
    def filled(self) -> bool:
        """Whether waiting longer would bring no larger batch."""
        return len(self._ready) >= self._capacity or self._finished or self._stopping

    @property
    def oldest_seconds(self) -> float:
        """`time.monotonic()` at which the frame that is next was captured; infinite if none waits."""
        with self._lock:
            return self._ready[0].captured_seconds if self._ready else float("inf")

    @property
    def expected_seconds(self) -> float:
        """`time.monotonic()` at which a live source will probably give its next frame.

        Infinite while that is not known: before its second frame, and when the last one is two intervals ago.
        """
        if self._arrived_seconds is None or self._interval_seconds is None:
            return float("inf")
        late = time.monotonic() - self._arrived_seconds > 2 * self._interval_seconds
        return float("inf") if late else self._arrived_seconds + self._interval_seconds

    @property
    def ended(self) -> bool:
        """No frame is left and none will come. An error of the source that was not raised yet keeps this False."""
        with self._lock:
            return self._stopping or (self._finished and not self._ready and self._error is None)

    def take(self, max_frames: int = 1, *, timeout_seconds: float | None = None) -> list[Frame]:
        """The next frames as one batch, oldest first.

        Of a live source the newest frame, as soon as there is one. Of a recording `max_frames` consecutive frames (at
        most `capacity`), fewer only at its end: waiting for them costs nothing there and a full batch is cheaper.

        Returns:
            1 to `max_frames` frames; none at the end (`ended` is then True). When `timeout_seconds` have passed, what
            there is.

        Raises:
            SourceError: the source failed. Frames from before the failure were given by earlier calls.
        """
        wanted = min(max_frames, self._capacity)
        with self._lock:
            self._changed.wait_for(
                lambda: len(self._ready) >= wanted or self._finished or self._stopping, timeout_seconds
            )
            if self._stopping:
                return []
            batch = [self._ready.popleft() for _ in range(min(wanted, len(self._ready)))]
            if batch:
                self._room.notify_all()
                return batch
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return []

    def __iter__(self) -> Iterator[Frame]:
        """The frames one by one, until the source ends.

        Raises:
            SourceError: the source failed, after the frames before the failure.
        """
        while batch := self.take():
            yield from batch

    def stop(self) -> None:
        """Ask the source and its thread to end, without waiting for them."""
        with self._lock:
            self._stopping = True
            self._ready.clear()
            self._room.notify_all()
            self._changed.notify_all()
        self.source.close()

    def join(self, timeout_seconds: float) -> None:
        """Wait for the thread after `stop`. One that is frozen inside its library is left behind, with a warning."""
        if not self._thread.is_alive():
            return
        self._thread.join(max(timeout_seconds, 0.0))
        if self._thread.is_alive():
            log.warning("%s does not stop in time; its thread is left behind", self.source.name)

    def close(self) -> None:
        """Close the source and join its thread. Twice does no harm."""
        self.stop()
        self.join(self._join_timeout_seconds)
