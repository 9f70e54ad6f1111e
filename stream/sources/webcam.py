"""`Webcam`: a camera of this machine, by number, path or name."""

from __future__ import annotations

import logging
import sys
from typing import Final

import cv2

from stream.errors import SourceError
from stream.settings.model import SourceSettings
from stream.sources.capture import Capture
from stream.sources.devices import find_camera, list_cameras

__all__ = ["Webcam"]

log = logging.getLogger(__name__)

SIZE: Final = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)


class Webcam(Capture):
    """One opened webcam. A name is looked up at each opening, since numbers change when cameras are replugged.

    Args:
        address: number, device path (`/dev/video0`, `/dev/v4l/by-id/…`), or name as `stance cameras` lists it.
        settings: the wanted size, rate and format. A webcam takes what it has that comes closest.

    Attributes:
        reason: why a read gives no picture.

    Raises:
        SourceError: it does not open; the message is the middle of a sentence.
    """

    reason: Final = "the camera gives no picture any more"
    hardware: Final = False
    finished: Final = False

    def __init__(self, address: str | int, settings: SourceSettings) -> None:
        super().__init__(_device(address), cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)
        self._ask_for(settings)

    def _ask_for(self, settings: SourceSettings) -> None:
        """After opening, since a wish that is not granted would make OpenCV's opening fail."""
        if settings.webcam_format is not None:  # first, for it decides which sizes and rates there are
            self.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*settings.webcam_format))
        if settings.webcam_size is not None:
            for property_, pixels in zip(SIZE, settings.webcam_size, strict=True):
                self.set(property_, pixels)
        if settings.webcam_fps is not None:
            self.set(cv2.CAP_PROP_FPS, settings.webcam_fps)
        if settings.webcam_size is not None and self.size != settings.webcam_size:
            wanted, got = ("×".join(map(str, size)) for size in (settings.webcam_size, self.size))
            log.info("asked for %s, the webcam gives %s", wanted, got)


def _device(address: str | int) -> str | int:
    """What OpenCV takes: a number or a path."""
    if isinstance(address, int) or address.startswith("/"):
        return address
    camera = find_camera(address, list_cameras())
    if camera is None:
        raise SourceError("is not plugged in")
    return camera.index
