"""`NetworkCapture`: one connection to a camera in the network, of whatever kind it turns out to be."""

from __future__ import annotations

import threading
import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.errors import SourceError
from stream.settings.model import SourceSettings
from stream.sources.video_reader import VideoReader

__all__ = ["NetworkCapture", "SnapshotCapture", "connect"]

SNAPSHOTS_PER_SECOND: Final = 5.0
"""How often a camera is asked that gives one picture for each request, where `source.max_fps` says nothing."""

LATE_SECONDS: Final = 0.5
"""A picture of a playlist that comes later than this was not downloaded in time: the pace begins anew with it. Less is
made up for by the next ones."""

JUMP_SECONDS: Final = 5.0
"""Where the clock of a playlist leaps so far ahead, segments were missed or the clock was set: as above."""


def connect(address: str, settings: SourceSettings) -> NetworkCapture | SnapshotCapture:
    """Connect once, in bounded time. What the connection gives says what kind of camera it is.

    Args:
        address: `rtsp://…`, `http://…` and their like.
        settings: time-outs, transport, hardware decoding, how often to ask for snapshots.

    Raises:
        SourceError: it does not open; the message is the middle of a sentence and holds no address.
    """
    reader = VideoReader(address, settings, live=True)
    return SnapshotCapture(address, settings, reader) if reader.still else NetworkCapture(reader)


class NetworkCapture:
    """One open connection. Only one thread reads; `close()` may come from any thread.

    A live playlist (HLS) grows by a segment of some seconds at a time. Its pictures are given at the pace of their
    timestamps, and the moment at which one was due counts as the moment at which it was captured.

    Args:
        reader: what is connected; closed with this.

    Attributes:
        frames_per_second: the announced rate, which is often wrong; None where there is none.
        captured_seconds: `time.monotonic()` when the latest picture was captured.
        finished: the connection is to a recording: it ends, and would begin again.
    """

    def __init__(self, reader: VideoReader) -> None:
        self.frames_per_second = reader.frames_per_second
        self.captured_seconds = 0.0
        self.finished = reader.recording
        self._reader = reader
        self._closed = threading.Event()
        self._paced = reader.playlist
        self._offset_seconds: float | None = None  # of the monotonic clock from the playlist's

    @property
    def reason(self) -> str:
        """Why the last read gave no picture, one clause; empty before."""
        return self._reader.reason

    @property
    def hardware(self) -> bool:
        """Whether the graphics card decodes; known after the first picture."""
        return self._reader.hardware

    def read(self) -> NDArray[np.uint8] | None:
        """The next picture, uint8 `[H, W, 3]` BGR in a buffer of its own; None when it is lost or closed."""
        picture = self._reader.read()
        if picture is None:
            return None
        self.captured_seconds = time.monotonic()
        if self._paced and picture.seconds is not None:
            due = self._due(picture.seconds)
            if self._closed.wait(due - self.captured_seconds):
                return None
            self.captured_seconds = due
        return picture.bgr

    def _due(self, seconds: float) -> float:
        """When to give the picture of this time; from now on, if it is late or its clock was set."""
        now = time.monotonic()
        if (
            self._offset_seconds is None
            or not now - LATE_SECONDS <= self._offset_seconds + seconds <= now + JUMP_SECONDS
        ):
            self._offset_seconds = now - seconds
        return self._offset_seconds + seconds

    def close(self) -> None:
        """Give the connection back. Twice does no harm."""
        self._closed.set()
        self._reader.close()


class SnapshotCapture:
    """A camera that gives one picture for each request, asked at `source.max_fps`. Only one thread reads; `close()` may
    come from any thread.

    Args:
        address: of the picture.
        settings: as for `connect`.
        reader: its first picture, not read yet.

    Attributes:
        captured_seconds: `time.monotonic()` when the latest picture was asked for.
        reason: why the last read gave no picture, one clause; empty before.
    """

    hardware: Final = False
    finished: Final = False

    def __init__(self, address: str, settings: SourceSettings, reader: VideoReader) -> None:
        self.frames_per_second = settings.max_fps or SNAPSHOTS_PER_SECOND
        self.captured_seconds = time.monotonic()
        self.reason = ""
        self._address = address
        self._settings = settings
        self._reader: VideoReader | None = reader
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._due = self.captured_seconds

    def read(self) -> NDArray[np.uint8] | None:
        """The next picture, uint8 `[H, W, 3]` BGR, when it is due; None when there is none, or once closed."""
        self._due = max(self._due, time.monotonic() - 1 / self.frames_per_second)
        if self._closed.wait(self._due - time.monotonic()):
            return None
        try:
            reader = self._ask()
        except SourceError as fault:
            self.reason = str(fault)
            return None
        self._due += 1 / self.frames_per_second
        picture = reader.read()
        reader.close()
        if picture is None:
            self.reason = reader.reason or "the answer holds no picture"
            return None
        return picture.bgr

    def _ask(self) -> VideoReader:
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None:
            return reader
        self.captured_seconds = time.monotonic()
        return VideoReader(self._address, self._settings, live=True)

    def close(self) -> None:
        """Ask no more. Twice does no harm."""
        self._closed.set()
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
