"""`NetworkCapture`: one connection to a camera in the network: bounded in time, closable from another thread.

PyAV and not OpenCV, though both use the same FFmpeg at the same cost (1080p H.264 to BGR: 5.4 ms of CPU each). OpenCV
has one transport for all sources of a process (and its FFmpeg no longer takes `?udp` behind an address), cannot say why
it does not open, and decodes on no graphics card in the packages that pip installs.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from stream.errors import SourceError
from stream.settings.model import SourceSettings
from stream.sources.capture import NO_PICTURE, cause_of, plausible_rate

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel

__all__ = ["NetworkCapture"]

log = logging.getLogger(__name__)

FIRST_PICTURE_SECONDS: Final = 30.0
"""A stream that is joined between two keyframes shows nothing until the next; cameras that save bandwidth send one in
20 s. So long may a new connection be without a picture, as long as packets come."""

HARDWARE: Final = ("cuda", "videotoolbox", "d3d11va", "vaapi")  # NVIDIA; Apple; Windows; Intel and AMD on Linux


class NetworkCapture:
    """One open connection. Only one thread reads; `close()` may come from any thread.

    FFmpeg cannot be interrupted, so a close that meets a read leaves the release to the reader: at the latest after
    `read_timeout_seconds`, when the camera is frozen.

    Args:
        address: `rtsp://…`, `http://…` and their like.
        settings: time-outs, transport, hardware decoding.

    Attributes:
        frames_per_second: the announced rate, which is often wrong; None where there is none.
        reason: why the last read gave no picture, one clause; empty before.

    Raises:
        SourceError: it does not open; the message is the middle of a sentence and holds no address.
    """

    def __init__(self, address: str, settings: SourceSettings) -> None:
        self.reason = ""
        self._lock = threading.Lock()
        self._closed = False
        self._timeout_seconds = settings.read_timeout_seconds
        self._decoded: deque[Any] = deque()
        self._container = _open(address, settings)
        if not self._container.streams.video:
            self._container.close()
            raise SourceError(NO_PICTURE)
        self._stream = self._container.streams.video[0]
        # FFmpeg decodes on one thread per core by default, and every thread more holds back one frame: measured on
        # RTSP at 30 fps, 33 ms with 2 threads and 233 ms with 8. `flags;low_delay` and `fflags;nobuffer` do not help.
        # One thread decodes 1080p at about 180 fps.
        self._stream.codec_context.thread_count = 1
        self._packets = self._container.demux()
        self._opened_seconds = time.monotonic()
        self._seen = False
        self.frames_per_second = plausible_rate(float(self._stream.guessed_rate or 0))

    @property
    def hardware(self) -> bool:
        """Whether the graphics card decodes; known after the first picture."""
        return bool(self._stream.codec_context.is_hwaccel)

    def read(self) -> NDArray[np.uint8] | None:
        """The next picture, uint8 `[H, W, 3]` BGR in a buffer of its own; None when it is lost or closed."""
        with self._lock:
            picture = None if self._closed else self._next()
        if self._closed:  # only now, or a close that came between this question and the lock's release would be lost
            self.close()
            return None
        return picture

    def _next(self) -> NDArray[np.uint8] | None:
        asked = time.monotonic()
        while not self._closed:
            if self._decoded:
                self._seen = True
                return np.asarray(self._decoded.popleft().to_ndarray(format="bgr24"), np.uint8)
            before = time.monotonic()
            try:
                packet = next(self._packets, None)
            except av.error.FFmpegError as fault:
                packet = None
                self.reason = f"the connection broke ({fault.strerror})"
            now = time.monotonic()
            # At a time-out FFmpeg first gives up what it held, often half a picture, so the clock decides. Packets
            # that make no picture, as of sound, are no sign of life once there was one.
            since = asked if self._seen else self._opened_seconds
            patience = self._timeout_seconds if self._seen else FIRST_PICTURE_SECONDS
            if now - before >= 0.95 * self._timeout_seconds or now - since >= patience:
                self.reason = f"no picture for {now - since:.1f} s"
                return None
            if packet is None:
                self.reason = self.reason or "the camera ended the connection"
                return None
            if packet.stream is self._stream:
                try:
                    self._decoded.extend(packet.decode())
                except av.error.FFmpegError as fault:  # a damaged packet; the decoder goes on with the next
                    log.debug("a packet cannot be decoded (%s)", cause_of(fault, self._timeout_seconds))
        return None

    def close(self) -> None:
        """Give the connection back. Twice does no harm."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._container.close()
            finally:
                self._lock.release()


def _open(address: str, settings: SourceSettings) -> Any:
    """PyAV's container; see `NetworkCapture` for what it raises."""
    started = time.monotonic()
    timeout_seconds = settings.open_timeout_seconds
    try:
        return av.open(
            address,
            options=_options(address, settings),
            timeout=(timeout_seconds, settings.read_timeout_seconds),
            hwaccel=_hardware() if settings.hardware_decoding == "auto" else None,
        )
    except av.error.FFmpegError as fault:
        cause = cause_of(fault, timeout_seconds)
    if time.monotonic() - started >= 0.9 * timeout_seconds:  # the kind of a late fault says nothing
        cause = f"does not answer within {timeout_seconds:g} s"
    raise SourceError(cause)  # out here, or FFmpeg's fault would hang on as its context, with address and password


def _options(address: str, settings: SourceSettings) -> dict[str, str]:
    """What FFmpeg is told before it connects."""
    # Looking at a stream ends when this much of it has come, and FFmpeg's own 5 s are as long as our patience: a camera
    # with one picture in 2 s would not open in time.
    options = {"analyzeduration": str(round(settings.open_timeout_seconds / 2 * 1e6))}
    if address.lower().startswith(("rtsp:", "rtsps:")):
        # sound would cost bandwidth, and keep a connection alive whose picture has frozen
        options |= {"rtsp_transport": settings.transport, "allowed_media_types": "video"}
    return options


@functools.cache
def _hardware() -> HWAccel | None:
    """The first kind of graphics card that is here and decodes H.264; None without one."""
    from av.codec.hwaccel import HWAccel, hwdevices_available

    for kind in HARDWARE:
        if kind not in hwdevices_available():
            continue
        accelerator = HWAccel(kind, allow_software_fallback=True)
        try:
            accelerator.create(av.Codec("h264", "r"))
        except (av.error.FFmpegError, NotImplementedError) as fault:  # no such card, or no driver
            log.debug("no decoding by %s: %s", kind, fault)
            continue
        return accelerator
    return None
