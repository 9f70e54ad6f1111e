"""`Capture`: OpenCV's `VideoCapture` behind a border: quiet, bounded in time, closable from another thread."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.errors import SourceError

__all__ = ["Capture", "why_not"]

# OpenCV and its FFmpeg write to standard error whatever the program's logging says: refused connections, decoder
# complaints, a dozen lines for a webcam that is not there. Every one of these comes back as a SourceError, so both are
# switched off; a person who sets the variables sees everything. The second is read at FFmpeg's first use.
if "OPENCV_LOG_LEVEL" not in os.environ:
    _logging = getattr(cv2.utils, "logging", None)  # OpenCV 4.x has it as cv2.setLogLevel
    (_logging or cv2).setLogLevel(0)
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

# Process-wide in OpenCV, and the only way to say it. RTSP over UDP loses packets and shows grey smears.
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")


class Capture:
    """One open OpenCV capture.

    Only one thread reads; `close()` may come from any thread. OpenCV crashes when a capture is released under a read,
    so a close that meets a read leaves the release to the reader, which does it as soon as the read returns.

    Raises:
        SourceError: OpenCV cannot open it; the message says only that, since OpenCV does not say why.
    """

    def __init__(self, source: str | int, backend: int, parameters: Sequence[int] = ()) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._capture = cv2.VideoCapture(source, backend, list(parameters))
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError("OpenCV cannot open it.")

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def read(self) -> NDArray[np.uint8] | None:
        """The next picture, uint8 `[H, W, 3]` BGR in a buffer of its own; None at the end, on failure, once closed."""
        with self._lock:
            # without a destination OpenCV allocates a new array each time, so frames never share memory
            ok, picture = (False, None) if self._closed else self._capture.read()
            if self._closed:
                self._capture.release()
                return None
        if not ok or picture is None:
            return None
        if picture.ndim == 2:  # grey webcams
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        return np.asarray(picture, np.uint8)

    def get(self, property_: int) -> float:
        """A property (`cv2.CAP_PROP_…`), NaN once closed. For the reading thread."""
        with self._lock:
            return float("nan") if self._closed else float(self._capture.get(property_))

    def close(self) -> None:
        """Give the device or connection back. Twice does no harm."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._capture.release()
            finally:
                self._lock.release()


def why_not(address: str, timeout_seconds: float) -> str:
    """Why a file or address cannot be opened as video, as the middle of a sentence.

    OpenCV says only "no"; PyAV opens the same thing with the same FFmpeg and says why. Never holds the address.
    """
    import av
    from av import error

    options = {"rtsp_transport": "tcp"} if address.lower().startswith("rtsp") else {}
    try:
        with av.open(address, options=options, timeout=(timeout_seconds, timeout_seconds)) as container:
            return "holds no moving picture" if not container.streams.video else "cannot be decoded"
    except (error.HTTPUnauthorizedError, error.HTTPForbiddenError):
        return "refuses the user name or password"
    except error.HTTPNotFoundError:
        return "does not have this path"
    except (error.HTTPClientError, error.HTTPServerError) as fault:
        return f"answers with an error ({fault.strerror})"
    except (error.InvalidDataError, error.EOFError):
        return "is not video, or its end is missing"
    except (error.ExitError, TimeoutError):
        return f"does not answer within {timeout_seconds:g} s"
    except ConnectionRefusedError:
        return "refuses the connection: nothing listens at this address and port"
    except error.FFmpegError as fault:
        if fault.errno == errno.EIO:  # what FFmpeg makes of a host name that cannot be resolved
            return "cannot be reached: its host is not known, or the network is down"
        return f"cannot be opened ({fault.strerror})"
