"""`open_source`, which makes a source of what the user typed."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from stream.errors import SourceError
from stream.settings.model import SourceSettings
from stream.sources.address import display_name, is_address
from stream.sources.base import Source

__all__ = ["DEMO", "DEMO_LIVE", "open_source"]

DEMO: Final = "demo:"
"""The address of the film that ships, as a recording."""
DEMO_LIVE: Final = "demo:live"
"""And as a camera: in the time in which it is to be watched."""

LIVE_SCHEMES: Final = frozenset({"http", "https", "rtmp", "rtmps", "rtp", "rtsp", "rtsps", "srt", "tcp", "udp"})

# An HTTP address whose path ends like this is a recording that happens to lie elsewhere. It must be played once and in
# full; read as live it would lose frames and, at its end, begin again for ever. MPEG-TS is absent: cameras stream it.
RECORDING_SUFFIXES: Final = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})


def open_source(source: str | int | Path, settings: SourceSettings | None = None, *, name: str | None = None) -> Source:
    """Open what the user named.

    A number is a webcam, and so are a device's path and a name that `stance cameras` lists; `rtsp://`, `http://` and
    their like are network streams, except HTTP addresses of recordings (`.mp4`, `.mkv`, …); a folder is a folder of
    pictures; a file is a picture or a video by its suffix; `demo:` is the film that ships, `demo:live` the same as a
    camera.

    A camera that is down is no fault: the source waits for it (`LiveSource`).

    Args:
        source: number, address, folder, file, or a camera's name.
        settings: time-outs and how it is read, and what is done to its pictures before anybody sees them;
            None for the defaults.
        name: what it is called; None for the path, or the address without its password.

    Raises:
        SourceError: a file or folder is not there or not readable, or an address is of no known kind.
    """
    settings = settings or SourceSettings()
    opened = _open(source, settings, name)
    if settings.max_fps is None and settings.rotation == 0 and settings.region is None:
        return opened
    from stream.sources.transformed import PreparedSource

    return PreparedSource(opened, settings)


def _open(source: str | int | Path, settings: SourceSettings, name: str | None) -> Source:
    text = str(source).strip()
    shown = display_name(text)

    def live(address: str | int) -> Source:
        from stream.sources.live import LiveSource

        return LiveSource(address, settings, name=name)

    def recording(file: str | Path) -> Source:
        from stream.sources.file import FileSource

        return FileSource(file, settings, name=name)

    if not text:
        raise SourceError("No source is named. Give a video, a picture, a folder, a webcam number or an address.")
    if text.isdecimal():
        return live(int(text))
    if text in (DEMO, DEMO_LIVE):
        from stream.sources.demo.source import DemoSource

        return DemoSource(live=text == DEMO_LIVE, name=name or text)
    if is_address(text):
        scheme = text.partition("://")[0].lower()
        if scheme not in LIVE_SCHEMES:
            raise SourceError(f"{shown}: {scheme}:// is not read here. Use one of {', '.join(sorted(LIVE_SCHEMES))}.")
        if scheme in ("http", "https") and Path(urlsplit(text).path).suffix.lower() in RECORDING_SUFFIXES:
            return recording(text)
        return live(text)

    path = Path(unquote(urlsplit(text).path)) if text.lower().startswith("file://") else Path(str(source))
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        if text.startswith("/dev/"):  # a camera that will be plugged in
            return live(text)
        from stream.sources.devices import find_camera, list_cameras

        if Path(text).name == text and find_camera(text, list_cameras()):
            return live(text)
        raise SourceError(f"{shown}: there is no such file, folder or camera. Check the path.") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{shown} cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if stat.S_ISCHR(mode):  # /dev/video0
        return live(str(path))
    from index.building.pictures import is_picture
    from stream.sources.pictures import PictureSource

    if stat.S_ISDIR(mode) or is_picture(path):
        return PictureSource(path, name=name)
    return recording(path)
