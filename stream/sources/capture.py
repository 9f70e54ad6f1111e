"""`Capture`: OpenCV's `VideoCapture`, which reads webcams: quiet, bounded in time, closable from another thread."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.errors import SourceError

__all__ = ["Capture", "plausible_rate"]

# OpenCV writes to standard error whatever the program's logging says: a dozen lines for a webcam that is not there.
# Every one of these comes back as a SourceError, so it is switched off; a person who sets the variables sees
# everything. The second is for its FFmpeg, which webcams on some systems go through.
if "OPENCV_LOG_LEVEL" not in os.environ:
    _logging = getattr(cv2.utils, "logging", None)  # OpenCV 4.x has it as cv2.setLogLevel
    (_logging or cv2).setLogLevel(0)
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

# How long a frozen webcam holds a read, seconds; OpenCV's own 10 s would hold a stopping program too long.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "5")


class Capture:
    """One open OpenCV capture.

    Only one thread reads; `close()` may come from any thread. OpenCV crashes when a capture is released under a read,
    so a close that meets a read leaves the release to the reader, which does it as soon as the read returns.

    Attributes:
        captured_seconds: `time.monotonic()` when the latest picture was in our hands.

    Raises:
        SourceError: it does not open; the message, the middle of a sentence, says only that, as OpenCV does.
    """

    def __init__(self, source: str | int, backend: int, parameters: Sequence[int] = ()) -> None:
        self.captured_seconds = 0.0
        self._lock = threading.Lock()
        self._closed = False
        self._capture = cv2.VideoCapture(source, backend, list(parameters))
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError("cannot be opened")

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def read(self) -> NDArray[np.uint8] | None:
        """The next picture, uint8 `[H, W, 3]` BGR in a buffer of its own; None at the end, on failure, once closed."""
        with self._lock:
            # without a destination OpenCV allocates a new array each time, so frames never share memory
            ok, picture = (False, None) if self._closed else self._capture.read()
        if self._closed:  # only now, or a close that came between this question and the lock's release would be lost
            self.close()
            return None
        if not ok or picture is None:
            return None
        self.captured_seconds = time.monotonic()
        if picture.ndim == 2:  # grey webcams
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        return np.asarray(picture, np.uint8)

    def get(self, property_: int) -> float:
        """A property (`cv2.CAP_PROP_…`), NaN once closed. For the reading thread."""
        with self._lock:
            return float("nan") if self._closed else float(self._capture.get(property_))

    def set(self, property_: int, value: float) -> None:
        """Ask for a property (`cv2.CAP_PROP_…`); whether it was granted, `get` says. For the reading thread."""
        with self._lock:
            if not self._closed:
                self._capture.set(property_, value)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as announced."""
        return round(self.get(cv2.CAP_PROP_FRAME_WIDTH)), round(self.get(cv2.CAP_PROP_FRAME_HEIGHT))

    @property
    def frames_per_second(self) -> float | None:
        """The announced rate; None where it cannot be one."""
        return plausible_rate(self.get(cv2.CAP_PROP_FPS))

    def close(self) -> None:
        """Give the device or connection back. Twice does no harm."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._capture.release()
            finally:
                self._lock.release()


def plausible_rate(rate: float) -> float | None:
    """A rate in frames per second as it is, None where it cannot be one: webcams say 0, some streams 90,000."""
    return rate if 0 < rate < 1000 else None
