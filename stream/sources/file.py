"""`FileSource`: every frame of a video file, with its own time."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.building.pictures import printable
from pose.closing import Closing
from stream.errors import SourceError
from stream.frame import Frame
from stream.settings.model import SourceSettings
from stream.sources.address import display_name, is_address
from stream.sources.base import SourceInfo
from stream.sources.capture import Capture, why_not
from stream.sources.status import SourceState, SourceStatus

__all__ = ["FileSource"]

log = logging.getLogger(__name__)

DEFAULT_FRAMES_PER_SECOND: Final = 25.0
"""For raw streams that carry no times: FFmpeg's own assumption."""

DAMAGED_IN_A_ROW: Final = 1000
"""So many pictures in a row that cannot be decoded are the end in any case; asking so often takes up to 0.3 s."""


class FileSource(Closing):
    """A recording: every frame, in order, as fast as it is asked for. Not thread-safe; use one per thread.

    `Frame.media_seconds` is the frame's presentation time as the file holds it, also where the rate varies (equal to
    ffprobe's on all test clips; frame number over frame rate is wrong by up to 1.35 s on a real one). Rotation written
    by phones is applied.

    Args:
        file: a path, or the HTTP address of a recording.
        settings: time-outs for an address, hardware decoding; None for the defaults.
        name: what it is called; None for the path, or the address without its password.

    Raises:
        SourceError: from the constructor, if it is no video; from the iteration, after every readable frame was given,
            if the file is truncated.
    """

    live: Final = False
    still: Final = False

    def __init__(self, file: str | Path, settings: SourceSettings | None = None, *, name: str | None = None) -> None:
        settings = settings or SourceSettings()
        self._shown = display_name(file) if is_address(str(file)) else printable(file)
        self.name = name or self._shown
        self.status = SourceStatus(SourceState.CONNECTING, "", time.monotonic())
        self._timeout_seconds = settings.open_timeout_seconds
        self.path = None if is_address(str(file)) else Path(file)
        # absolute, because FFmpeg would read "a:b.mp4" as an address
        self._address = str(file) if self.path is None else str(self.path.absolute())
        parameters: list[int] = []
        if self.path is None:
            parameters += [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(settings.open_timeout_seconds * 1000)]
            parameters += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(settings.read_timeout_seconds * 1000)]
        else:
            self._check(self.path)
        if settings.hardware_decoding == "auto":
            parameters += [cv2.CAP_PROP_HW_ACCELERATION, cv2.VIDEO_ACCELERATION_ANY]
        try:
            self._capture = Capture(self._address, cv2.CAP_FFMPEG, parameters)
        except SourceError:
            # not chained: FFmpeg's own error holds the address with its password
            raise SourceError(self._cannot_open()) from None
        if settings.hardware_decoding == "auto":
            hardware = self._capture.get(cv2.CAP_PROP_HW_ACCELERATION) > 0
            log.info("%s: decoded on the %s", self.name, "graphics card" if hardware else "CPU")
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._frames_per_second = rate if math.isfinite(rate) and rate > 0 else DEFAULT_FRAMES_PER_SECOND
        width, height = self._capture.size
        known = math.isfinite(count) and 0 < count < 2**53
        self.info = SourceInfo(
            width=width,
            height=height,
            frames_per_second=self._frames_per_second,
            frame_count=round(count) if known else None,
            # OpenCV's rate is the average one, so this is the container's duration, also at a varying rate
            duration_seconds=count / self._frames_per_second if known else None,
        )

    def _check(self, path: Path) -> None:
        """Refuse what would end in a crash or a puzzle."""
        try:
            if path.stat().st_size == 0:
                raise SourceError(f"{self._shown} is empty. Copy or record it again.")
            str(path).encode()
        except FileNotFoundError as error:
            raise SourceError(f"{self._shown}: there is no such file or folder. Check the path.") from error
        except UnicodeEncodeError as error:  # OpenCV 5.0 ends the process with a segmentation fault
            raise SourceError(f"{printable(path)}: the file's name is not UTF-8. Rename the file.") from error

    def _cannot_open(self) -> str:
        reason = why_not(self._address, self._timeout_seconds)
        if self.path is None:
            return f"{self._shown} {reason}. Check the address, the user name and the password."
        with self.path.open("rb") as file:
            head = file.read(4096)
        if "moving picture" in reason:
            return f"{self._shown} {reason}. Give a video file."
        if b"ftyp" in head[:64]:
            return f"{self._shown} is truncated or damaged: its index (moov) is missing. Copy or record it again."
        if b"\0" not in head:
            return f"{self._shown} is not a video: it holds text. Give a video file."
        return f"{self._shown} {reason}. Give a video file that FFmpeg can read, or copy it again if it is damaged."

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
        while (bgr := self._read(number)) is not None:
            seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if not seconds > before:  # raw H.264 has no times at all, AVI none for its last B-frames
                seconds = before + 1 / self._frames_per_second if number else 0.0
            yield Frame(bgr, self.name, number, 0, seconds, time.monotonic())
            number, before = number + 1, seconds
        if self._capture.closed:
            return
        self._check_complete(number)

    def _read(self, delivered: int) -> NDArray[np.uint8] | None:
        """The next picture that can be decoded; None at the end.

        OpenCV says the same of a damaged picture as of the end: after a damaged one comes the next. So as many refusals
        in a row as pictures are missing are the end.
        """
        missing = (self.info.frame_count or 0) - delivered if self.path is not None else 0
        for _ in range(1 + min(max(missing, 0), DAMAGED_IN_A_ROW)):
            bgr = self._capture.read()
            if bgr is not None or self._capture.closed:
                return bgr
        return None

    def _check_complete(self, delivered: int) -> None:
        """Raise if frames that the file promises are not in it; a container's count alone is too often an estimate."""
        promised = self.info.frame_count
        if delivered == 0:
            raise SourceError(f"{self._shown} is damaged: not one frame can be decoded. Copy or record it again.")
        if promised is None or delivered >= promised:
            return
        missing, undecodable = _missing_frames(self._address, self._timeout_seconds, promised, delivered)
        if missing:
            raise SourceError(
                f"{self._shown} is truncated: {delivered} of {promised} frames could be read, and all of those were "
                "used. Copy or record it again for the rest."
            )
        if undecodable:
            log.warning("%s: %d damaged frames could not be decoded and are left out", self.name, undecodable)

    def close(self) -> None:
        """Give the file back. Twice does no harm; from another thread it ends the iteration."""
        self._capture.close()


def _missing_frames(address: str, timeout_seconds: float, promised: int, delivered: int) -> tuple[bool, int]:
    """Whether the file breaks off early, and how many frames are in it but cannot be decoded.

    Reads all packets again without decoding them, which tells apart what OpenCV's counts cannot: a file that breaks off
    (fewer packets than its index lists, or every stream ends before the duration written in the header), sound that
    outlasts the picture, frames that an edit list hides, and those that an AVI counts though they are empty.
    """
    import av

    packets = hidden = 0
    end_seconds = 0.0
    try:
        with av.open(address, timeout=(timeout_seconds, timeout_seconds)) as container:
            video = container.streams.video[0]
            start_seconds = (container.start_time or 0) / av.time_base
            duration_seconds = (container.duration or 0) / av.time_base
            try:
                for packet in container.demux():
                    if not packet.size or packet.time_base is None:
                        continue
                    if packet.stream is video:
                        packets += 1
                        hidden += packet.is_discard
                    stamp = packet.pts if packet.pts is not None else packet.dts
                    if stamp is not None:
                        end = float((stamp + (packet.duration or 0)) * packet.time_base)
                        end_seconds = max(end_seconds, end - start_seconds)
            except av.error.FFmpegError:
                return True, 0
            if video.frames and container.format.name == "avi":
                # The header counts ticks, with a picture or without. FFmpeg gives a file that is smaller than its
                # header says a duration, in ticks too, that is shorter by as much.
                early = (video.duration or 0) < video.frames
            elif video.frames:  # written in the index, exact
                early = packets < video.frames
            else:
                early = end_seconds < duration_seconds - max(0.5, 0.01 * duration_seconds)
            return early, max(0, packets - hidden - delivered)
    except av.error.FFmpegError:
        return delivered < 0.98 * promised, 0
