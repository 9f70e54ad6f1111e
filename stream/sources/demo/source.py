"""`DemoSource`: the demo's film as a source."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Final

from pose.closing import Closing
from stream.frame import Frame
from stream.sources.base import SourceInfo
from stream.sources.demo.backdrop import HEIGHT, WIDTH
from stream.sources.demo.film import Film
from stream.sources.demo.recordings import FRAMES_PER_SECOND
from stream.sources.status import SourceState, SourceStatus

__all__ = ["DemoSource"]


class DemoSource(Closing):
    """Gives the frames of the film once, as a recording: all of them, as fast as they are taken; or as a camera would:
    in the time in which it is to be watched. Not thread-safe; use one per thread.

    Args:
        film: what to play; None for the film that ships.
        live: as a camera.
        name: what it is called.
    """

    still: Final = False
    path: Final = None

    def __init__(self, film: Film | None = None, *, live: bool = False, name: str = "demo") -> None:
        self.name = name
        self.live = live
        self._film = film or Film()
        self._closed = threading.Event()
        self.status = SourceStatus(SourceState.LIVE, "", time.monotonic())
        frames = None if live else self._film.frames
        seconds = None if live else self._film.frames / FRAMES_PER_SECOND
        self.info = SourceInfo(WIDTH, HEIGHT, FRAMES_PER_SECOND, frames, seconds)

    def __iter__(self) -> Iterator[Frame]:
        began = time.monotonic()
        for number in range(self._film.frames):
            picture = self._film.picture(number)
            seconds = number / FRAMES_PER_SECOND
            early = began + seconds - time.monotonic() if self.live else 0.0
            if self._closed.wait(early) if early > 0 else self._closed.is_set():
                break
            yield Frame(picture, self.name, number, 0, None if self.live else seconds, time.monotonic())
        self.status = SourceStatus(SourceState.ENDED, "", time.monotonic())

    def close(self) -> None:
        """End the iteration. Twice does no harm."""
        self._closed.set()
