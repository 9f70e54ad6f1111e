"""`check_webcam`: is the webcam that was asked for here, and which are?"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from stream.errors import SourceError
from stream.sources.address import display_name
from stream.sources.devices import Camera, find_camera, list_cameras

__all__ = ["check_webcam"]

log = logging.getLogger(__name__)


def check_webcam(address: str | int, *, wait: bool) -> None:
    """Say which webcams there are, where the one asked for is not among them.

    Args:
        address: number, device path or name.
        wait: whether to wait for one where there is none at all.

    Raises:
        SourceError: there is none at all, and nobody wants to wait.
    """
    cameras = list_cameras()
    if _present(str(address).strip(), cameras):
        return
    shown = display_name(address)
    if cameras:
        names = ", ".join(f"{camera.index} ({camera.name})" for camera in cameras)
        log.warning("%s is not here; it is waited for. Here are: %s.", shown, names)
    elif wait:
        log.warning("%s is not here, nor is any other webcam; it is waited for.", shown)
    else:
        raise SourceError(f"{shown}: there is no webcam here. Plug one in, or wait for it with `stance run … --wait`.")


def _present(address: str, cameras: list[Camera]) -> bool:
    if address.startswith("/"):
        return Path(address).exists()
    if address.isdecimal():
        number = int(address)
        device = sys.platform.startswith("linux") and Path(f"/dev/video{number}").exists()
        return device or any(camera.index == number for camera in cameras)
    return find_camera(address, cameras) is not None
