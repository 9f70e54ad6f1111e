"""`FileSource`: every frame of a recording, with its own time."""

from __future__ import annotations

import dataclasses
import logging
import math
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from index.building.pictures import printable
from pose.closing import Closing
from stream.errors import SourceError
from stream.frame import Frame
from stream.settings.model import SourceSettings
from stream.sources.address import display_name, is_address
from stream.sources.base import SourceInfo
from stream.sources.faults import NO_PICTURE
from stream.sources.status import SourceState, SourceStatus

if TYPE_CHECKING:
    from stream.sources.animation import WebpAnimation
    from stream.sources.video_reader import Picture, VideoReader

__all__ = ["FileSource", "cannot_open"]

log = logging.getLogger(__name__)

DEFAULT_FRAMES_PER_SECOND: Final = 25.0
"""For raw streams that carry no times: FFmpeg's own assumption."""

CONVERT: Final = "`ffmpeg -i FILE -c:v libx264 FILE.mp4`"

SAME_MOMENT_SECONDS: Final = 1e-6
"""Times are rounded to the ticks of a file, so a start that somebody writes as a decimal may lie just behind one."""


class FileSource(Closing):
    """A recording: every frame, in order, as fast as it is asked for. Not thread-safe; use one per thread.

    `Frame.media_seconds` is when a player shows the frame, also where the rate varies, the sound begins earlier or an
    edit list hides the beginning (equal to ffprobe's on all test clips; frame number over frame rate is wrong by up to
    1.35 s on a real one). Rotation written by phones is applied, pixels are square, interlaced pictures are
    deinterlaced.

    Args:
        file: a path, or the HTTP address of a recording.
        settings: time-outs for an address, hardware decoding, the part to read; None for the defaults.
        name: what it is called; None for the path, or the address without its password.
        reader: the file, where it is already open; closed by this source.
        sources: how many are read side by side, and share the cores for decoding.

    Raises:
        SourceError: from the constructor, if it is no video; from the iteration, after every readable frame was given,
            if the file is truncated.
    """

    live: Final = False
    still: Final = False

    def __init__(
        self,
        file: str | Path,
        settings: SourceSettings | None = None,
        *,
        name: str | None = None,
        reader: VideoReader | None = None,
        sources: int = 1,
    ) -> None:
        from stream.sources.animation import WebpAnimation, is_webp
        from stream.sources.video_reader import VideoReader

        settings = settings or SourceSettings()
        self._shown = display_name(file) if is_address(str(file)) else printable(file)
        self.name = name or self._shown
        self.status = SourceStatus(SourceState.CONNECTING, "", time.monotonic())
        self._start = settings.start_seconds or 0.0
        self._end = math.inf if settings.end_seconds is None else settings.end_seconds
        self.path = None if is_address(str(file)) else Path(file)
        if self.path is not None:
            self._check(self.path)
        try:
            # absolute, because FFmpeg would read "a:b.mp4" as an address
            address = str(file) if self.path is None else str(self.path.absolute())
            if self.path is not None and self.path.is_file() and is_webp(self.path):
                self._reader: VideoReader | WebpAnimation = WebpAnimation(self.path)
            else:
                self._reader = reader or VideoReader(address, settings, sources=sources)
        except SourceError as error:
            raise SourceError(cannot_open(self._shown, str(error), self.path)) from None
        try:
            first = self._find_first()
            self.info = self._announced(first)
        except SourceError:
            self._reader.close()
            raise
        self._first: Picture | None = first
        if settings.hardware_decoding == "auto":
            log.info("%s: decoded on the %s", self.name, "graphics card" if self._reader.hardware else "CPU")

    def _check(self, path: Path) -> None:
        """Refuse what would end in a puzzle."""
        try:
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                if status.st_size == 0:
                    raise SourceError(f"{self._shown} is empty. Copy or record it again.")
                path.open("rb").close()
        except FileNotFoundError as error:
            raise SourceError(f"{self._shown}: there is no such file or folder. Check the path.") from error
        except PermissionError as error:
            raise SourceError(f"{self._shown} may not be read by you. Change who may read it: chmod +r.") from error
        except SourceError:
            raise
        except OSError as error:
            raise SourceError(f"{self._shown} cannot be read ({error.strerror}).") from error

    def _find_first(self) -> Picture:
        """The first picture of the part to read: with it, everything about the file is known.

        Raises:
            SourceError: there is none.
        """
        reader = self._reader
        if self._start >= self._end:
            raise SourceError(f"{self._shown}: the start ({self._start:g} s) is not before the end ({self._end:g} s).")
        if self._start:
            reader.seek(self._start)
        seen = False
        while (picture := reader.read()) is not None:
            seen = True
            if picture.seconds is None or picture.seconds >= self._start - SAME_MOMENT_SECONDS:
                return picture
        if seen or (reader.packets == 0 and self._start):
            length = f" ({reader.duration_seconds:.1f} s)" if reader.duration_seconds else ""
            raise SourceError(f"{self._shown}{length} ends before the start, {self._start:g} s.")
        if reader.packets == 0:
            raise SourceError(f"{self._shown} is damaged: it holds not one picture. Copy or record it again.")
        raise SourceError(
            f"{self._shown} is damaged: not one frame can be decoded (coded in {reader.codec}; tried {reader.tried}). "
            f"Copy or record it again; or convert it where it can be played, such as with {CONVERT}."
        )

    def _announced(self, first: Picture) -> SourceInfo:
        """What the header says of the part to read."""
        reader = self._reader
        self._frames_per_second = rate = reader.frames_per_second or DEFAULT_FRAMES_PER_SECOND
        self._length = length = reader.duration_seconds
        self._promised = reader.listed_frames
        if self._promised is None and length is not None:
            self._promised = math.floor((length - (first.seconds or 0) * (not self._start)) * rate + 0.5) or None
        elif self._promised and length and "avi" not in reader.container_format:
            # the rate on average, also where it varies
            begin = 0.0 if self._start else first.seconds or 0.0
            self._frames_per_second = rate = reader.frames_per_second or self._promised / max(length - begin, 1e-3)
        height, width = first.bgr.shape[:2]
        info = SourceInfo(width, height, rate, self._promised, length)
        if not self._part:
            return info
        end = min(self._end, length) if length is not None else self._end
        known = math.isfinite(end)
        count = round(max(0.0, end - self._start) * rate) if known and self._promised else None
        return dataclasses.replace(info, frame_count=count, duration_seconds=end if known else None)

    @property
    def _part(self) -> bool:
        """Whether only a part of it is to be read."""
        return self._start > 0 or math.isfinite(self._end)

    def __iter__(self) -> Iterator[Frame]:
        reason = ""
        self._become(SourceState.LIVE)
        try:
            yield from self._frames()
        except SourceError as fault:
            reason = str(fault)
            raise
        finally:
            self._become(SourceState.ENDED, reason)

    def _become(self, state: SourceState, reason: str = "") -> None:
        self.status = SourceStatus(state, reason, time.monotonic())

    def _frames(self) -> Iterator[Frame]:
        number = 0
        before = -math.inf
        picture, self._first = self._first, None
        while picture is not None and not self._reader.closed:
            seconds = picture.seconds
            if seconds is None or not seconds > before:  # raw H.264 has no times at all
                seconds = before + 1 / self._frames_per_second if number else 0.0
            if seconds >= self._end:
                return
            yield Frame(picture.bgr, self.name, number, 0, seconds, time.monotonic())
            number, before = number + 1, seconds
            picture = self._reader.read()
        if not self._reader.closed:
            self._check_complete(number)

    def _check_complete(self, delivered: int) -> None:
        """Raise if the file breaks off before the end that it promises.

        A file breaks off if it has fewer packets than its index lists, or if every stream ends before the duration in
        the header. Sound that outlasts the picture, frames that an edit list hides, and those that an AVI counts though
        they are empty are no fault.
        """
        reader = self._reader
        early = reader.broken
        if reader.listed_frames is None or (self._part and self._start):
            length = reader.all_duration_seconds
            early |= reader.end_seconds < length - max(0.5, 0.01 * length)
        elif "avi" in reader.container_format:
            # The header counts ticks, with a picture or without. FFmpeg gives a file that is smaller than its header
            # says a duration, in ticks too, that is shorter by as much.
            early |= reader.shortened
        else:
            early |= reader.packets < reader.listed_frames
        if early:
            of = f" of {self._promised}" if self._promised and not self._part else ""
            raise SourceError(
                f"{self._shown} is truncated: {delivered}{of} frames could be read, and all of those were used. Copy "
                "or record it again for the rest."
            )
        undecodable = reader.packets - reader.hidden - delivered
        if undecodable > 0 and not self._part:
            log.warning("%s: %d damaged frames could not be decoded and are left out", self.name, undecodable)

    def close(self) -> None:
        """Give the file back. Twice does no harm; from another thread it ends the iteration."""
        self._reader.close()


def cannot_open(shown: str, reason: str, path: Path | None = None) -> str:
    """The sentence for a recording that does not open.

    Args:
        shown: what it is called.
        reason: the middle of the sentence.
        path: None for an address.
    """
    if "no decoder" in reason:
        return f"{shown} {reason}. Convert it where it can be played, such as with {CONVERT}."
    if path is None:
        return f"{shown} {reason}. Check the address, the user name and the password."
    if reason == NO_PICTURE:
        return f"{shown} {reason}. Give a video file."
    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(4096)
    if b"ftyp" in head[:64]:
        return f"{shown} is truncated or damaged: its index (moov) is missing. Copy or record it again."
    if head and b"\0" not in head:
        return f"{shown} is not a video: it holds text. Give a video file."
    return f"{shown} {reason}. Give a video file that FFmpeg can read, or copy it again if it is damaged."
