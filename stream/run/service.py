"""`Service`: tells whoever runs us that the frames go on: systemd through its socket, a container through a file."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pose.closing import Closing

__all__ = ["HEARTBEAT", "Service"]

log = logging.getLogger(__name__)

HEARTBEAT: Final = "STANCE_HEARTBEAT_FILE"
"""The environment variable that names a file which is touched while frames go on; its age is a health check."""
HEARTBEAT_SECONDS: Final = 5.0
SOONER: Final = 3  # times within what the watchdog allows


class Service(Closing):
    """Speaks systemd's `sd_notify` protocol, and keeps a heartbeat file: ready, alive, stopping. Without either in the
    environment it does nothing. Not thread-safe; use one per thread.

    `alive` is called by the loop that carries the frames, never by a timer: when the loop hangs, whoever watches hears
    nothing more and starts us anew. A camera that is away is no hang, for the loop then waits and goes round.

    Args:
        environment: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` as systemd sets them, and `HEARTBEAT`.
        clock: seconds that never go back.

    Source: sd_notify(3), sd_watchdog_enabled(3).
    """

    def __init__(
        self, environment: Mapping[str, str] = os.environ, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._file = Path(environment[HEARTBEAT]) if environment.get(HEARTBEAT) else None
        self._socket = _connect(environment.get("NOTIFY_SOCKET", ""))
        watchdog = self._socket is not None and environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        allowed_us = environment.get("WATCHDOG_USEC", "")
        self._watchdog_seconds = int(allowed_us) / 1e6 / SOONER if watchdog and allowed_us.isdecimal() else None
        self._fed = self._touched = float("-inf")

    def ready(self) -> None:
        """The network is loaded, and frames are taken from now on."""
        self._send("READY=1")
        self.alive()

    def alive(self) -> None:
        """The loop has gone round once more. Cheap: most calls do nothing."""
        now = self._clock()
        if self._watchdog_seconds is not None and now - self._fed >= self._watchdog_seconds:
            self._fed = now
            self._send("WATCHDOG=1")
        if self._file is not None and now - self._touched >= HEARTBEAT_SECONDS:
            self._touched = now
            try:
                self._file.touch()
            except OSError as error:
                log.warning("%s cannot be touched (%s): no heartbeat is kept.", self._file, error.strerror)
                self._file = None

    def close(self) -> None:
        """The run ends, and files are finished now. Twice does no harm."""
        self._send("STOPPING=1")
        if self._socket is not None:
            self._socket.close()
        self._socket = self._watchdog_seconds = self._file = None

    def _send(self, message: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # nobody listens any more, or listens too slowly: no reason to stop
                self._socket.send(message.encode())


def _connect(address: str) -> socket.socket | None:
    """A socket of datagrams to `address`, a path or, after @, an abstract name; None where nobody listens."""
    if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
        return None
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        connected.setblocking(False)
        connected.connect("\0" + address[1:] if address.startswith("@") else address)
    except OSError as error:
        log.debug("%s: %s", address, error)
        connected.close()
        return None
    return connected
