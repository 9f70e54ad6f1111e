"""`Source`, where frames come from, and `SourceInfo`, what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from stream.frame import Frame
from stream.sources.status import SourceStatus

__all__ = ["Source", "SourceInfo"]


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
