"""The cameras of this machine: what they are called and what they can."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Camera", "CameraFormat", "find_camera", "list_cameras"]

# Linux's <linux/videodev2.h>: three questions to a device, and what they fill in. Numbers are native; the structures
# have the same size on 32 and 64 bit.
QUERY_CAPABILITIES: Final = 0x80685600  # VIDIOC_QUERYCAP, struct v4l2_capability of 104 bytes
ENUMERATE_FORMATS: Final = 0xC0405602  # VIDIOC_ENUM_FMT, struct v4l2_fmtdesc of 64 bytes
ENUMERATE_SIZES: Final = 0xC02C564A  # VIDIOC_ENUM_FRAMESIZES, struct v4l2_frmsizeenum of 44 bytes
VIDEO_CAPTURE: Final = 0x1
HAS_DEVICE_CAPABILITIES: Final = 0x80000000
DISCRETE: Final = 1
MOST: Final = 64  # entries that are asked for, at most; a broken driver answers for ever

PROBED_INDEXES: Final = range(10)  # where only trying tells


@dataclass(frozen=True, slots=True)
class CameraFormat:
    """One coding a camera offers.

    Attributes:
        code: four letters, as in `source.webcam_format`: `MJPG`, `YUYV`.
        sizes: widths and heights in pixels; empty where the camera takes any or does not say.
    """

    code: str
    sizes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that is plugged in.

    Attributes:
        index: its number now; another one after replugging, perhaps.
        name: what its maker calls it; two of the same make have the same name.
        path: the device, None where the system has no such paths.
        stable_path: a path that stays the same over replugging and restarts, None where there is none.
        formats: what it offers; empty where that is not known or the device is not ours to open.
    """

    index: int
    name: str
    path: Path | None = None
    stable_path: Path | None = None
    formats: tuple[CameraFormat, ...] = ()


def list_cameras(system: Path = Path("/sys/class/video4linux"), devices: Path = Path("/dev")) -> list[Camera]:
    """The cameras present, by index. On Linux nothing is started; elsewhere every index is opened for a moment.

    Args:
        system: where Linux lists video devices.
        devices: where their device files are.
    """
    if not sys.platform.startswith("linux"):
        return _try_indexes()
    stable = _stable_paths(devices / "v4l" / "by-id") or _stable_paths(devices / "v4l" / "by-path")
    cameras = []
    for entry in system.glob("video*") if system.is_dir() else ():
        number = re.fullmatch(r"video(\d+)", entry.name)
        path = devices / entry.name
        if number is None or not path.exists():
            continue
        captures, formats = _ask(path)
        if captures is None:  # it may not be opened: the first device of a camera gives pictures, the others data
            captures = _read(entry / "index") in ("", "0")
        if captures:
            name = _read(entry / "name") or entry.name
            cameras.append(Camera(int(number[1]), name, path, stable.get(path.resolve()), formats))
    return sorted(cameras, key=lambda camera: camera.index)


def find_camera(name: str, cameras: list[Camera]) -> Camera | None:
    """The camera of this name, capitals aside; the one with the lowest index where several have it."""
    return next((camera for camera in cameras if camera.name.casefold() == name.strip().casefold()), None)


def _try_indexes() -> list[Camera]:
    import cv2

    from stream.errors import SourceError
    from stream.sources.capture import Capture

    cameras = []
    for index in PROBED_INDEXES:
        with contextlib.suppress(SourceError):
            Capture(index, cv2.CAP_ANY).close()
            cameras.append(Camera(index, f"webcam {index}"))
    return cameras


def _read(file: Path) -> str:
    """What the system says in a small file; empty where it says nothing."""
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""


def _stable_paths(folder: Path) -> dict[Path, Path]:
    """The links in `folder`, by the device they lead to."""
    return {link.resolve(): link for link in sorted(folder.iterdir())} if folder.is_dir() else {}


def _ask(path: Path) -> tuple[bool | None, tuple[CameraFormat, ...]]:
    """Whether the device gives pictures (None: it does not say), and in which formats."""
    try:
        device = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return None, ()
    try:
        answer = _question(device, QUERY_CAPABILITIES, bytearray(104))
        if answer is None:
            return None, ()
        capabilities, of_device = struct.unpack_from("=II", answer, 84)
        captures = bool((of_device if capabilities & HAS_DEVICE_CAPABILITIES else capabilities) & VIDEO_CAPTURE)
        return captures, _formats(device) if captures else ()
    finally:
        os.close(device)


def _formats(device: int) -> tuple[CameraFormat, ...]:
    formats = []
    for number in range(MOST):
        request = bytearray(64)
        struct.pack_into("=II", request, 0, number, VIDEO_CAPTURE)
        if (answer := _question(device, ENUMERATE_FORMATS, request)) is None:
            break
        (code,) = struct.unpack_from("4s", answer, 44)
        formats.append(CameraFormat(code.decode("ascii", "replace"), _sizes(device, code)))
    return tuple(formats)


def _sizes(device: int, code: bytes) -> tuple[tuple[int, int], ...]:
    sizes = []
    for number in range(MOST):
        request = bytearray(44)
        struct.pack_into("=I4s", request, 0, number, code)
        if (answer := _question(device, ENUMERATE_SIZES, request)) is None:
            break
        kind, width, height = struct.unpack_from("=III", answer, 8)
        if kind != DISCRETE:
            break
        sizes.append((width, height))
    return tuple(sizes)


def _question(device: int, number: int, request: bytearray) -> bytearray | None:
    """The filled-in request; None if the device refuses."""
    import fcntl

    try:
        fcntl.ioctl(device, number, request)
    except OSError:
        return None
    return request
