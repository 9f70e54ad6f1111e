"""`PictureSource`: one picture, a folder of them, or those that a pattern names."""

from __future__ import annotations

import glob
import itertools
import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from index.building.pictures import is_picture, printable
from pose.closing import Closing
from pose.datasets.picture_file import decode_picture
from pose.errors import PictureError
from stream.errors import SourceError
from stream.frame import Frame
from stream.sources.base import SourceInfo
from stream.sources.status import SourceState, SourceStatus

__all__ = ["PictureSource", "Pictures", "matching_pictures"]

log = logging.getLogger(__name__)


_NUMBER: Final = re.compile(r"%0?(\d*)d")


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures that a pattern names.

    Attributes:
        folder: that all of them are in, at some depth.
        pictures: in the order of their numbers or names.
    """

    folder: Path
    pictures: Sequence[Path]


def matching_pictures(pattern: Path) -> Pictures | None:
    """What a numbered name (`img_%04d.png`) or a pattern (`*.jpg`, `**/*.png`) stands for; None if it is neither.

    Raises:
        SourceError: it stands for no picture.
    """
    if _NUMBER.search(pattern.name):
        found, folder = _numbered(pattern), pattern.parent
    elif glob.has_magic(str(pattern)):
        found = sorted(Path(name) for name in glob.glob(str(pattern), recursive=True))
        plain = itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts)
        folder = Path(*plain)
    else:
        return None
    pictures = [file for file in found if is_picture(file)]
    if not pictures:
        what = "names files, but none is a picture" if found else "names no file"
        raise SourceError(f"{printable(pattern)} {what}. Check the pattern; videos are named one by one.")
    return Pictures(folder, pictures)


def _numbered(pattern: Path) -> list[Path]:
    """The files whose names differ in their number, by number."""
    before, digits, after = re.split(_NUMBER, pattern.name, maxsplit=1)
    least = int(digits or 1)
    name = re.compile(re.escape(before) + rf"(\d{{{least},}})" + re.escape(after))
    try:
        matches = [(match, file) for file in pattern.parent.iterdir() if (match := name.fullmatch(file.name))]
    except OSError:
        return []
    return [file for _, file in sorted((int(match[1]), file) for match, file in matches)]


class PictureSource(Closing):
    """Independent pictures: the one at `path`, or every one directly in the folder `path`, sorted by name.

    `Frame.file` is the picture's own path. Turned as EXIF says. Not thread-safe; use one per thread.

    Args:
        path: a picture or a folder.
        pictures: only these, which lie in the folder, in this order.
        name: what the source is called; None for the path.

    Attributes:
        skipped: `(path, reason)` of every picture that could not be read, so far.

    Raises:
        SourceError: from the constructor, if there is no readable picture at all.
    """

    live: Final = False
    still: Final = True

    def __init__(self, path: str | Path, pictures: Sequence[Path] | None = None, *, name: str | None = None) -> None:
        self.path = Path(path)
        self.name = name or printable(path)
        self.status = SourceStatus(SourceState.CONNECTING, "", time.monotonic())
        self.skipped: list[tuple[Path, str]] = []
        self._closed = threading.Event()
        self._pictures = self._find() if pictures is None else list(pictures)
        self._first = self._open_first()
        height, width = self._first.bgr.shape[:2]
        self.info = SourceInfo(width=width, height=height, frame_count=len(self._pictures))

    def _find(self) -> list[Path]:
        if not self.path.is_dir():
            return [self.path]
        try:
            with os.scandir(self.path) as entries:
                files = [Path(entry.path) for entry in entries if entry.is_file()]
        except OSError as error:
            raise SourceError(f"{printable(self.path)} cannot be listed ({error.strerror}).") from error
        pictures = sorted(file for file in files if is_picture(file))
        if not pictures:
            deeper = next((file.parent for file in sorted(self.path.glob("*/*")) if is_picture(file)), None)
            cure = f"There are some in {printable(deeper)}." if deeper else "It must hold pictures directly."
            raise SourceError(f"{printable(self.path)}: there are no pictures in this folder. {cure}")
        return pictures

    def _open_first(self) -> Frame:
        for position, picture in enumerate(self._pictures):
            frame = self._read(picture, 0)
            if frame is not None:
                self._rest = self._pictures[position + 1 :]
                return frame
        reason = self.skipped[0][1]
        if len(self._pictures) == 1:
            raise SourceError(reason)
        raise SourceError(f"{printable(self.path)}: none of its {len(self._pictures)} pictures can be read. {reason}")

    def _read(self, picture: Path, number: int) -> Frame | None:
        try:
            bgr = decode_picture(picture.read_bytes(), printable(picture))
        except PictureError as error:
            self.skipped.append((picture, str(error)))
            return None
        except OSError as error:
            self.skipped.append((picture, f"{printable(picture)} cannot be read: {error.strerror}."))
            return None
        return Frame(bgr, self.name, number, 0, None, time.monotonic(), printable(picture))

    def __iter__(self) -> Iterator[Frame]:
        self.status = SourceStatus(SourceState.LIVE, "", time.monotonic())
        try:
            yield from self._frames()
        finally:
            self.status = SourceStatus(SourceState.ENDED, "", time.monotonic())

    def _frames(self) -> Iterator[Frame]:
        for _, reason in self.skipped:
            log.warning("skipped: %s", reason)
        if not self._closed.is_set():
            yield self._first
        number = 1
        for picture in self._rest:
            if self._closed.is_set():
                return
            frame = self._read(picture, number)
            if frame is None:
                log.warning("skipped: %s", self.skipped[-1][1])
                continue
            yield frame
            number += 1
        if self.skipped:
            log.warning("%s: %d of %d pictures were skipped", self.name, len(self.skipped), len(self._pictures))

    def close(self) -> None:
        """End the iteration. Twice does no harm."""
        self._closed.set()
