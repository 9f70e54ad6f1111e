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

# What cannot be reached cannot say what it is. An HTTP address whose path ends like this is a recording, and an error;
# any other is a camera that is waited for.
RECORDING_SUFFIXES: Final = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})


def open_source(
    source: str | int | Path,
    settings: SourceSettings | None = None,
    *,
    name: str | None = None,
    sources: int = 1,
) -> Source:
    """Open what the user named.

    A number is a webcam, and so are a device's path and a name that `stance cameras` lists; `rtsp://`, `http://` and
    their like are network streams. What an HTTP address gives decides whether it is a recording, which has an end, or a
    camera; so it is connected to here. A folder, a numbered name (`img_%04d.png`) and a pattern (`*.jpg`) are pictures;
    a file is a picture, an animated picture or a video; `demo:` is the film that ships, `demo:live` the same as a
    camera.

    A camera that is down is no fault: the source waits for it (`LiveSource`).

    Args:
        source: number, address, folder, file, or a camera's name.
        settings: time-outs and how it is read, and what is done to its pictures before anybody sees them;
            None for the defaults.
        name: what it is called; None for the path, or the address without its password.
        sources: how many are read side by side, and share the cores for decoding.

    Raises:
        SourceError: a file or folder is not there or not readable, or an address is of no known kind; or a part is
            asked of what is no recording.
    """
    settings = settings or SourceSettings()
    opened = _open(source, settings, name, sources)
    if (opened.live or opened.still) and (settings.start_seconds is not None or settings.end_seconds is not None):
        opened.close()
        what = "is live" if opened.live else "holds pictures, which have no time"
        raise SourceError(f"{opened.name} {what}: only a recording has a start and an end to choose.")
    if settings.max_fps is None and settings.rotation == 0 and settings.region is None:
        return opened
    from stream.sources.transformed import PreparedSource

    return PreparedSource(opened, settings)


def _open(source: str | int | Path, settings: SourceSettings, name: str | None, sources: int) -> Source:
    text = str(source).strip()
    shown = display_name(text)

    def live(address: str | int) -> Source:
        from stream.sources.live import LiveSource

        return LiveSource(address, settings, name=name)

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
        recording = _recording_at(text, settings, name, sources) if scheme in ("http", "https") else None
        return recording or live(text)

    from stream.sources.pictures import PictureSource, matching_pictures

    path = Path(unquote(urlsplit(text).path)) if text.lower().startswith("file://") else Path(str(source))
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        if text.startswith("/dev/"):  # a camera that will be plugged in
            return live(text)
        if (pattern := matching_pictures(path)) is not None:
            return PictureSource(pattern.folder, pattern.pictures, name=name or shown)
        from stream.sources.devices import find_camera, list_cameras

        if Path(text).name == text and find_camera(text, list_cameras()):
            return live(text)
        raise SourceError(f"{shown}: there is no such file, folder or camera. Check the path.") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{shown} cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if stat.S_ISCHR(mode):  # /dev/video0
        return live(str(path))
    if stat.S_ISDIR(mode):
        return PictureSource(path, name=name)
    from index.building.pictures import is_picture
    from stream.sources.animation import is_animated
    from stream.sources.file import FileSource

    if is_picture(path) and not is_animated(path):
        return PictureSource(path, name=name)
    return FileSource(path, settings, name=name, sources=sources)


def _recording_at(address: str, settings: SourceSettings, name: str | None, sources: int) -> Source | None:
    """The recording that an HTTP address gives; None if it is live, or out of reach and perhaps a camera.

    Raises:
        SourceError: it is a recording by its name, and cannot be read.
    """
    from stream.sources.file import FileSource, cannot_open
    from stream.sources.video_reader import VideoReader

    try:
        reader = VideoReader(address, settings, sources=sources)
    except SourceError as error:
        if Path(urlsplit(address).path).suffix.lower() in RECORDING_SUFFIXES:
            raise SourceError(cannot_open(display_name(address), str(error))) from None
        return None
    if reader.still or not reader.recording:
        reader.close()
        return None
    return FileSource(address, settings, name=name, reader=reader)
