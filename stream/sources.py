"""`Source`, where frames come from, and `open_source`, which makes one from what the user typed."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self, runtime_checkable
from urllib.parse import unquote, urlsplit

from stream.address import display_name, is_address
from stream.errors import SourceError
from stream.frame import Frame

__all__ = ["Source", "SourceInfo", "open_source"]

LIVE_SCHEMES: Final = frozenset({"http", "https", "rtmp", "rtmps", "rtp", "rtsp", "rtsps", "srt", "tcp", "udp"})

# An HTTP address whose path ends like this is a recording that happens to lie elsewhere. It must be played once and in
# full; read as live it would lose frames and, at its end, begin again for ever. MPEG-TS is absent: cameras stream it.
RECORDING_SUFFIXES: Final = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source says of itself when it opens. None where it does not know.

    Attributes:
        width: pixels, after rotation. A live source may change it later.
        height: pixels, after rotation.
        frames_per_second: the nominal rate; live sources often claim a wrong one.
        frame_count: how many frames or pictures there are; containers without an index only estimate it.
        duration_seconds: playing time.
    """

    width: int
    height: int
    frames_per_second: float | None = None
    frame_count: int | None = None
    duration_seconds: float | None = None


@runtime_checkable
class Source(Protocol):
    """Something that gives frames: iterate once, then close. Not thread-safe; use one per thread.

    Only `close()` may be called from another thread: it ends the iteration, and wakes a source that waits to reconnect.

    Attributes:
        name: what to print; never holds a password.
        live: the frames come at their own pace and only the newest matters. Otherwise every frame counts.
        still: the frames are independent pictures, so nothing carries over from one to the next.
        info: what is known before the first frame.
        path: the file or folder it reads, None for cameras and addresses; an output must not overwrite it.
    """

    @property
    def name(self) -> str: ...
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


def open_source(
    source: str | int | Path,
    *,
    open_timeout_seconds: float = 5.0,
    read_timeout_seconds: float = 5.0,
    retry_min_seconds: float = 0.5,
    retry_max_seconds: float = 15.0,
) -> Source:
    """Open what the user named.

    A number is a webcam; `rtsp://`, `http://` and their like are network streams, except HTTP addresses of recordings
    (`.mp4`, `.mkv`, …); a folder is a folder of pictures; a file is a picture or a video by its suffix.

    Args:
        source: number, address, folder or file.
        open_timeout_seconds: how long a network stream may take to answer.
        read_timeout_seconds: a live source without a picture for this long has stalled, and is opened again.
        retry_min_seconds: the first pause before a live source is opened again; doubles up to `retry_max_seconds`.
        retry_max_seconds: the longest such pause.

    Raises:
        SourceError: it is not there, not readable, or did not answer in time.
    """
    text = str(source).strip()
    name = display_name(text)

    def live(address: str | int) -> Source:
        from stream.live_source import LiveSource

        return LiveSource(
            address,
            open_timeout_seconds=open_timeout_seconds,
            read_timeout_seconds=read_timeout_seconds,
            retry_min_seconds=retry_min_seconds,
            retry_max_seconds=retry_max_seconds,
        )

    def recording(file: str | Path) -> Source:
        from stream.file_source import FileSource

        return FileSource(file, open_timeout_seconds=open_timeout_seconds, read_timeout_seconds=read_timeout_seconds)

    if not text:
        raise SourceError("No source is named. Give a video, a picture, a folder, a webcam number or an address.")
    if text.isdecimal():
        return live(int(text))
    if is_address(text):
        scheme = text.partition("://")[0].lower()
        if scheme not in LIVE_SCHEMES:
            raise SourceError(f"{name}: {scheme}:// is not read here. Use one of {', '.join(sorted(LIVE_SCHEMES))}.")
        if scheme in ("http", "https") and Path(urlsplit(text).path).suffix.lower() in RECORDING_SUFFIXES:
            return recording(text)
        return live(text)

    path = Path(unquote(urlsplit(text).path)) if text.lower().startswith("file://") else Path(str(source))
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError(f"{name}: there is no such file or folder. Check the path.") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{name} cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if stat.S_ISCHR(mode):  # /dev/video0
        return live(str(path))
    from index.pictures import is_picture
    from stream.picture_source import PictureSource

    if stat.S_ISDIR(mode) or is_picture(path):
        return PictureSource(path)
    return recording(path)
