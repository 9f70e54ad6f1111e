"""`LiveSource`: a webcam or network stream that comes back when it is lost."""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose.closing import Closing
from stream.errors import SourceError
from stream.frame import Frame
from stream.settings.model import SourceSettings
from stream.sources.address import display_name, is_address, redact
from stream.sources.base import SourceInfo
from stream.sources.faults import WRONG_LOGIN
from stream.sources.status import SourceState, SourceStatus

if TYPE_CHECKING:
    from stream.sources.network_capture import NetworkCapture, SnapshotCapture
    from stream.sources.webcam import Webcam

    Connection: TypeAlias = NetworkCapture | SnapshotCapture | Webcam

__all__ = ["LiveSource", "retry_seconds"]

log = logging.getLogger(__name__)

RETRY_MIN_SECONDS: Final = 0.5

STEADY_SECONDS: Final = 10.0
"""A connection that lived this long was a good one: the next loss starts again with the shortest pause. A camera that
gives one frame and hangs up does not get hammered."""


def retry_seconds(failures: int, shortest: float, longest: float, jitter: float) -> float:
    """Pause before attempt number `failures` + 1: doubling, capped, and shortened by up to half.

    Args:
        failures: attempts that failed in a row, from 1.
        shortest: the first pause, seconds.
        longest: the cap, seconds.
        jitter: 0–1, random, so that many cameras behind one switch do not return in step.
    """
    return float(min(longest, shortest * 2.0 ** min(failures - 1, 30)) * (1 - jitter / 2))


class LiveSource(Closing):
    """A camera: frames as they arrive, for ever, over losses of the connection. Not thread-safe; use one per thread.

    It connects when it is iterated, and a camera that is down then is waited for like one that is lost later: with
    growing pauses. `Frame.epoch` counts the connections that gave pictures after the first. Numbers go on, the picture
    size may change. `Frame.media_seconds` is None: a camera's own clock restarts with each connection, jumps when the
    camera's time is set, and is invented by FFmpeg for MJPEG (25 fps whatever comes), so a live frame's time is when it
    arrived, or was due (see `NetworkCapture`). A broadcast that ends for good, which a playlist says, ends the source.

    Read it all the time, on a thread of its own (`BackgroundReader`): frames that nobody takes become old in the
    network's buffers. `status` and `close()` are for any thread.

    Args:
        address: webcam number, device path or name, or network address.
        settings: time-outs, pauses, transport, what is asked of a webcam; None for the defaults.
        name: what it is called; None for the address without its password.
        jitter: gives 0–1; tests pass a constant.

    Attributes:
        info: width and height are None before the first picture, and those of the newest one after it.
    """

    live: Final = True
    still: Final = False
    path: Final = None

    def __init__(
        self,
        address: str | int,
        settings: SourceSettings | None = None,
        *,
        name: str | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name or display_name(address)
        self.info = SourceInfo(None, None)
        self._address = address
        self._settings = settings or SourceSettings()
        self._jitter = jitter
        self._changed = threading.Condition()  # guards what follows; told when it is closed, and when it is connected
        self._closed = False
        self._capture: Connection | None = None
        self._status = SourceStatus(SourceState.CONNECTING, "", time.monotonic())
        self._told: set[str] = set()  # reasons that the log has since pictures last came
        self._asked_seconds: float | None = None  # since when the reader waits for a picture

    @property
    def webcam(self) -> str | int | None:
        """The webcam that this is: number, path or name; None for a camera in the network."""
        return None if _in_network(self._address) else self._address

    @property
    def status(self) -> SourceStatus:
        """Where it stands now. Whoever asks finds out that it has stalled, for the reader is then held up."""
        with self._changed:
            asked, patience = self._asked_seconds, self._settings.stall_seconds
            if self._status.state is SourceState.LIVE and asked is not None:
                stalled_seconds = asked + patience
                if time.monotonic() >= stalled_seconds:
                    self._become(SourceState.STALLED, f"no picture for {patience:g} s", since_seconds=stalled_seconds)
            return self._status

    def _become(
        self,
        state: SourceState,
        reason: str = "",
        *,
        since_seconds: float | None = None,
        next_try_seconds: float | None = None,
    ) -> None:
        """Change the state. The log has each state and reason once until pictures come again."""
        with self._changed:
            before = self._status
            if before.state is SourceState.ENDED:
                return
            if state is not before.state:
                since = time.monotonic() if since_seconds is None else since_seconds
            else:
                since = before.since_seconds
            self._status = SourceStatus(state, reason, since, next_try_seconds)
            if state is before.state and reason in self._told:
                return
            self._told = {reason} if state is SourceState.LIVE else self._told | {reason}
        level = logging.WARNING if state in (SourceState.WAITING, SourceState.STALLED) else logging.INFO
        if state is SourceState.ENDED:  # somebody wanted it to
            level = logging.DEBUG
        log.log(level, "%s: %s%s", self.name, state, f": {reason}" if reason else "")

    def probe(self) -> SourceInfo:
        """Connect once, look at one picture, and hang up.

        Raises:
            SourceError: what is wrong and its cure.
        """
        try:
            capture = self._connect()
        except SourceError as fault:
            raise SourceError(self._sentence(str(fault))) from None
        try:
            picture = capture.read()
            if picture is None:
                raise SourceError(self._sentence(f"gives no picture ({capture.reason})"))
            self._learn(capture, picture)
            return self.info
        finally:
            capture.close()

    def _sentence(self, reason: str) -> str:
        cure = "the address, and that the camera is on"
        if not _in_network(self._address):
            cure = (
                "that the camera is plugged in, that no other program uses it, and that you may read it "
                "(`stance cameras` lists what is here)"
            )
        elif reason == WRONG_LOGIN:
            cure = "the user name and the password"
            if re.search(r"[#/?@%].*@", str(self._address).partition("://")[2]):
                cure += "; in an address write # as %23, / as %2F, ? as %3F, @ as %40 and % as %25"
        return f"{redact(display_name(self._address))} {reason}. Check {cure}."

    def _connect(self) -> Connection:
        """Open the camera once, in bounded time."""
        if _in_network(self._address):
            from stream.sources.network_capture import connect

            return connect(str(self._address), self._settings)
        from stream.sources.webcam import Webcam

        return Webcam(self._address, self._settings)

    def _connect_aside(self) -> Connection | None:
        """Open the camera on a thread of its own, which a close leaves behind, for opening cannot be interrupted.

        That thread ends with the opening, at the latest after `open_timeout_seconds` where the host's name is known.

        Returns:
            None once closed.

        Raises:
            SourceError: see `_connect`.
        """
        outcome: list[Connection | BaseException] = []

        def connect() -> None:
            result: Connection | BaseException
            try:
                result = self._connect()
            except BaseException as fault:  # rises again in the reader
                result = fault
            with self._changed:
                outcome.append(result)
                if not self._closed:
                    self._capture = None if isinstance(result, BaseException) else result
                    self._changed.notify_all()
                    return
            if not isinstance(result, BaseException):
                result.close()

        threading.Thread(target=connect, name=f"connect {self.name}", daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: outcome or self._closed)
            if self._closed:
                return None
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    def _learn(self, capture: Connection, picture: NDArray[np.uint8]) -> None:
        height, width = picture.shape[:2]
        self.info = SourceInfo(width, height, capture.frames_per_second)

    def __iter__(self) -> Iterator[Frame]:
        number = epoch = failures = 0
        reason = ""
        try:
            while not self._closed:
                try:
                    capture = self._connect_aside()
                except SourceError as fault:
                    capture, reason = None, str(fault)
                if capture is not None:
                    if capture.finished and number > 0:
                        log.info("%s: the broadcast is over", self.name)
                        capture.close()
                        return
                    connected = last = time.monotonic()
                    pictures = 0
                    while (bgr := self._read(capture)) is not None:
                        if pictures == 0 and number > 0:  # a connection that gives no picture makes no epoch
                            epoch += 1
                        last = time.monotonic()
                        self._learn(capture, bgr)
                        yield Frame(bgr, self.name, number, epoch, None, capture.captured_seconds)
                        number, pictures = number + 1, pictures + 1
                    capture.close()
                    if capture.finished and pictures:
                        return
                    reason = capture.reason
                    if pictures and last - connected >= STEADY_SECONDS:
                        failures = 0
                failures += 1
                if not self._pause(failures, reason):
                    return
        finally:
            self._become(SourceState.ENDED)

    def _read(self, capture: Connection) -> NDArray[np.uint8] | None:
        """The next picture, None when the camera is lost or the source closed."""
        self._asked_seconds = time.monotonic()
        picture = capture.read()
        self._asked_seconds = None
        if picture is not None and self._status.state is not SourceState.LIVE:
            where = "on the graphics card" if capture.hardware else "on the CPU"
            self._become(SourceState.LIVE, f"decoded {where}" if self._settings.hardware_decoding == "auto" else "")
        return picture

    def _pause(self, failures: int, reason: str) -> bool:
        """Wait before the next attempt; False once closed."""
        pause = retry_seconds(failures, RETRY_MIN_SECONDS, self._settings.retry_max_seconds, self._jitter())
        with self._changed:
            if self._closed:
                return False
            self._become(SourceState.WAITING, reason, next_try_seconds=time.monotonic() + pause)
            if self._changed.wait_for(lambda: self._closed, pause):
                return False
            self._become(SourceState.WAITING, reason)
            return True

    def close(self) -> None:
        """End the iteration and give the camera back. Twice does no harm; from any thread, in every state.

        The iteration ends at once, but for a read that a frozen camera holds up, which takes until
        `read_timeout_seconds` have passed.
        """
        with self._changed:
            self._closed = True
            capture = self._capture
            self._changed.notify_all()
        if capture is not None:
            capture.close()
        self._become(SourceState.ENDED)


def _in_network(address: str | int) -> bool:
    return isinstance(address, str) and is_address(address)
