"""`BackgroundSink`: another sink on a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import Final, Literal

from pose.closing import Closing
from stream.errors import SinkError
from stream.scene import Scene
from stream.sinks.base import Drawing, Sink

__all__ = ["BackgroundSink"]

log = logging.getLogger(__name__)

CLOSE_SECONDS: Final = 3.0


class BackgroundSink(Closing):
    """Runs another sink on a thread of its own, so that drawing and encoding go on beside the network.

    At most `capacity` scenes wait. When they do, `when_full="wait"` makes `write` wait, so that nothing is lost (for
    recordings), and `"drop"` leaves this scene out and counts it (live, where waiting would make everything late). An
    error of the sink rises at the next `write`, or at `close`; what comes after it is not written.

    A thread that is stuck in a write, on a network disk that does not answer, cannot be ended. With `"drop"`, `close`
    therefore waits for so long and no longer; the thread is left behind, as a daemon, and a warning says so. With
    `"wait"` it takes as long as it takes, because a slow disk is no reason to lose the end of a recording; a second
    ctrl-C ends it.

    Args:
        sink: used by the thread alone, also to close it.
        name: the output, as the user knows it.
        capacity: how many scenes may wait.
        when_full: what happens to a scene when so many wait.
        close_timeout_seconds: how long `close` may take with `"drop"`.

    Attributes:
        dropped: how many scenes were left out.
    """

    def __init__(
        self,
        sink: Sink,
        name: str,
        *,
        capacity: int = 8,
        when_full: Literal["wait", "drop"] = "wait",
        close_timeout_seconds: float = CLOSE_SECONDS,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, expected at least 1")
        self.sink = sink
        self.name = name
        self.dropped = 0
        self._capacity = capacity
        self._when_full = when_full
        self._close_timeout_seconds = close_timeout_seconds if when_full == "drop" else None
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Scene, Drawing]] = deque()
        self._error: BaseException | None = None
        self._closing = False
        self._left_behind = False
        self._thread = threading.Thread(target=self._work, name=f"write {name}", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            try:
                while (job := self._next()) is not None:
                    self.sink.write(*job)
            finally:
                self.sink.close()
        except BaseException as error:  # rises again in write() or close()
            with self._changed:
                self._error = error
                self._closing = True
                self._waiting.clear()
                self._changed.notify_all()

    def _next(self) -> tuple[Scene, Drawing] | None:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._closing)
            if not self._waiting:
                return None
            job = self._waiting.popleft()
            self._changed.notify_all()
            return job

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Queue one scene.

        Raises:
            SinkError: an earlier scene could not be written.
        """
        with self._changed:
            if self._when_full == "drop" and len(self._waiting) >= self._capacity and self._error is None:
                self.dropped += 1
                return
            self._changed.wait_for(lambda: len(self._waiting) < self._capacity or self._closing)
            self._raise_error()
            if self._closing:
                raise SinkError(f"{self.name} is closed.")
            self._waiting.append((scene, drawing))
            self._changed.notify_all()

    def _raise_error(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def close(self) -> None:
        """Write what waits, then close the sink. Twice does no harm.

        Raises:
            SinkError: something could not be written, and no `write` has said so yet.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._left_behind:
            return
        self._thread.join(self._close_timeout_seconds)
        if self._thread.is_alive():
            self._left_behind = True
            with self._changed:
                self.dropped += len(self._waiting)
                self._waiting.clear()
            log.warning(
                "%s was not finished within %g s: the disk does not answer, or is too slow; its thread is left behind",
                self.name,
                self._close_timeout_seconds,
            )
        self._raise_error()
