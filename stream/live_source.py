"""`LiveSource`: a webcam or network stream that comes back when it is lost."""

from __future__ import annotations

import logging
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Final, Self

import cv2

from stream.address import display_name, is_address, redact
from stream.capture import Capture, why_not
from stream.errors import SourceError
from stream.frame import Frame
from stream.sources import SourceInfo

__all__ = ["LiveSource", "LiveState", "LiveStatus", "retry_seconds"]

log = logging.getLogger(__name__)

STEADY_SECONDS: Final = 10.0
"""A connection that lived this long was a good one: the next loss starts again with the shortest pause. A camera that
gives one frame and hangs up does not get hammered."""


class LiveState(StrEnum):
    """Where a live source stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    WAITING = "waiting to reconnect"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """A live source's state, and why it is in it.

    Attributes:
        state: where it stands.
        reason: one clause without a password; empty when there is nothing to say.
        since_seconds: `time.monotonic()` of the change.
    """

    state: LiveState
    reason: str
    since_seconds: float


def retry_seconds(failures: int, shortest: float, longest: float, jitter: float) -> float:
    """Pause before attempt number `failures` + 1: doubling, capped, and shortened by up to half.

    Args:
        failures: attempts that failed in a row, from 1.
        shortest: the first pause, seconds.
        longest: the cap, seconds.
        jitter: 0–1, random, so that many cameras behind one switch do not return in step.
    """
    return float(min(longest, shortest * 2.0 ** min(failures - 1, 30)) * (1 - jitter / 2))


class LiveSource:
    """A camera: frames as they arrive, for ever, over losses of the connection. Not thread-safe; use one per thread.

    When the camera is lost the source waits, with growing pauses, and connects again; `Frame.epoch` counts these.
    Numbers go on, the picture size may change. `Frame.media_seconds` is None: a camera's own clock restarts with each
    connection, jumps when the camera's time is set, and is invented by FFmpeg for MJPEG (25 fps whatever comes), so a
    live frame's time is when it arrived.

    Read it all the time, on a thread of its own (`Handoff`): frames that nobody takes become old in the network's
    buffers.

    Args:
        address: webcam number, device path, or network address.
        open_timeout_seconds: how long the camera may take to answer.
        read_timeout_seconds: without a picture for this long it counts as lost.
        retry_min_seconds: the first pause before connecting again.
        retry_max_seconds: the longest pause.
        jitter: gives 0–1; tests pass a constant.

    Raises:
        SourceError: from the constructor, if the camera is not there at the first attempt; the wait is bounded by twice
            `open_timeout_seconds`.
    """

    live: Final = True
    still: Final = False
    path: Final = None

    def __init__(
        self,
        address: str | int,
        *,
        open_timeout_seconds: float = 5.0,
        read_timeout_seconds: float = 5.0,
        retry_min_seconds: float = 0.5,
        retry_max_seconds: float = 15.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = display_name(address)
        self._address = address
        self._network = isinstance(address, str) and is_address(address)
        self._open_timeout_seconds = open_timeout_seconds
        self._read_timeout_seconds = read_timeout_seconds
        self._retry_min_seconds = retry_min_seconds
        self._retry_max_seconds = retry_max_seconds
        self._jitter = jitter
        self._closed = threading.Event()
        self._capture: Capture | None = None
        self.status = LiveStatus(LiveState.CONNECTING, "", time.monotonic())
        capture = self._connect()
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.info = SourceInfo(
            width=round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            height=round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            frames_per_second=rate if 0 < rate < 1000 else None,
        )

    @property
    def state(self) -> LiveState:
        """Where it stands now; `status` adds the reason."""
        return self.status.state

    def _become(self, state: LiveState, reason: str = "") -> None:
        """Change the state, and log the change once."""
        if self.status.state is state:
            return
        self.status = LiveStatus(state, reason, time.monotonic())
        level = logging.WARNING if state is LiveState.WAITING else logging.INFO
        log.log(level, "%s: %s%s", self.name, state, f": {reason}" if reason else "")

    def _connect(self) -> Capture:
        """Open the camera once, in bounded time. Not chained to FFmpeg's error, which holds the password."""
        started = time.monotonic()
        try:
            if self._network:
                capture = Capture(str(self._address), cv2.CAP_FFMPEG, self._network_parameters())
            else:
                capture = Capture(self._address, cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)
        except SourceError:
            raise SourceError(self._why_not(time.monotonic() - started)) from None
        self._capture = capture
        if self._closed.is_set():  # closed while it was opening
            capture.close()
        return capture

    def _network_parameters(self) -> list[int]:
        return [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            round(self._open_timeout_seconds * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            round(self._read_timeout_seconds * 1000),
            # FFmpeg decodes on one thread per core by default, and every thread more holds back one frame: measured on
            # RTSP at 30 fps, 33 ms with 2 threads and 233 ms with 8. `flags;low_delay` and `fflags;nobuffer` do not
            # help. One thread decodes 1080p at about 180 fps.
            cv2.CAP_PROP_N_THREADS,
            1,
        ]

    def _why_not(self, took_seconds: float) -> str:
        if not self._network:
            return (
                f"{self.name} cannot be opened. Check that the camera is plugged in, that no other program uses it, "
                "and that you may read it (on Linux: `ls -l /dev/video*`)."
            )
        reason = f"does not answer within {self._open_timeout_seconds:g} s"
        if took_seconds < 0.9 * self._open_timeout_seconds:
            reason = why_not(str(self._address), self._open_timeout_seconds)
        cure = "the user name and the password" if "password" in reason else "the address, and that the camera is on"
        return f"{redact(str(self._address))} {reason}. Check {cure}."

    def __iter__(self) -> Iterator[Frame]:
        number = epoch = failures = 0
        capture = self._capture
        try:
            while capture is not None and not self._closed.is_set():
                connected = last = time.monotonic()
                fresh = True
                while (bgr := capture.read()) is not None:
                    last = time.monotonic()
                    self._become(LiveState.LIVE)
                    if fresh and number > 0:  # a connection that gives no frame makes no epoch
                        epoch += 1
                    fresh = False
                    yield Frame(bgr, self.name, number, epoch, None, last)
                    number += 1
                if self._closed.is_set():
                    return
                capture.close()
                if not fresh and last - connected >= STEADY_SECONDS:
                    failures = 0
                capture, failures = self._reconnect(failures + 1, self._lost(time.monotonic() - last))
        finally:
            self._become(LiveState.ENDED)

    def _lost(self, silent_seconds: float) -> str:
        if silent_seconds >= 0.9 * self._read_timeout_seconds:
            return f"no picture for {silent_seconds:.1f} s"
        return "the camera ended the connection" if self._network else "the camera gives no picture any more"

    def _reconnect(self, failures: int, reason: str) -> tuple[Capture | None, int]:
        """Try until the camera is back; (None, …) once closed."""
        while True:
            self._become(LiveState.WAITING, reason)
            pause = retry_seconds(failures, self._retry_min_seconds, self._retry_max_seconds, self._jitter())
            if self._closed.wait(pause):
                return None, failures
            try:
                return self._connect(), failures
            except SourceError as error:
                failures += 1
                if self._closed.is_set():
                    return None, failures
                log.debug("attempt %d failed: %s", failures, error)

    def close(self) -> None:
        """End the iteration and give the camera back. Twice does no harm; from any thread, also during a wait."""
        self._closed.set()
        if self._capture is not None:
            self._capture.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
