"""`Source`, where frames come from, and `open_source`, which makes one from what the user typed."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self, runtime_checkable
from urllib.parse import unquote, urlsplit

from stream.errors import SourceError
from stream.frame import Frame
from stream.settings.model import SourceSettings
from stream.sources.address import display_name, is_address
from stream.sources.status import SourceStatus

__all__ = ["Source", "SourceInfo", "open_source"]

LIVE_SCHEMES: Final = frozenset({"http", "https", "rtmp", "rtmps", "rtp", "rtsp", "rtsps", "srt", "tcp", "udp"})

# An HTTP address whose path ends like this is a recording that happens to lie elsewhere. It must be played once and in
# full; read as live it would lose frames and, at its end, begin again for ever. MPEG-TS is absent: cameras stream it.
RECORDING_SUFFIXES: Final = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source says of itself when it opens. None where it does not know.

    Attributes:
        width: pixels, after rotation. A live source knows it from its first picture on, and may change it.
        height: pixels, after rotation.
        frames_per_second: the nominal rate; live sources often claim a wrong one.
        frame_count: how many frames or pictures there are; containers without an index only estimate it.
        duration_seconds: playing time.
    """

    width: int | None
    height: int | None
    frames_per_second: float | None = None
    frame_count: int | None = None
    duration_seconds: float | None = None


@runtime_checkable
class Source(Protocol):
    """Something that gives frames: iterate once, then close. Not thread-safe; use one per thread.

    Only `close()` and `status` are for other threads as well: `close()` ends the iteration, and wakes a source that
    waits to reconnect.

    Attributes:
        name: what to print; never holds a password.
        status: where it stands now.
        live: the frames come at their own pace and only the newest matters. Otherwise every frame counts.
        still: the frames are independent pictures, so nothing carries over from one to the next.
        info: what is known so far; of a file or folder, all before the first frame.
        path: the file or folder it reads, None for cameras and addresses; an output must not overwrite it.
    """

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> SourceStatus: ...
    @property
    def live(self) -> bool: ...
    @property
    def still(self) -> bool: ...
    @property
    def info(self) -> SourceInfo: ...
    @property
    def path(self) -> Path | None: ...

    def __iter__(self) -> Iterator[Frame]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_source(source: str | int | Path, settings: SourceSettings | None = None, *, name: str | None = None) -> Source:
    """Open what the user named.

    A number is a webcam, and so are a device's path and a name that `stance cameras` lists; `rtsp://`, `http://` and
    their like are network streams, except HTTP addresses of recordings (`.mp4`, `.mkv`, …); a folder is a folder of
    pictures; a file is a picture or a video by its suffix.

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
