"""`PreparedSource`: turns, crops and thins what a source gives, before anybody sees it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.frame import Frame
from stream.settings.model import SourceSettings
from stream.sources.base import Source, SourceInfo
from stream.sources.wrapped import WrappedSource

__all__ = ["PreparedSource"]

TURNS: Final = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}

EARLY_SHARE: Final = 0.1
"""A frame may come this share of an interval early: cameras and clips keep no exact rhythm."""


class PreparedSource(WrappedSource):
    """Another source with `rotation`, `region` and `max_fps` applied. Not thread-safe; use one per thread.

    Frames keep their numbers, so a thinned recording still says which of its frames they are. Pictures that are
    independent have no rate, so `max_fps` leaves them alone.

    Args:
        source: what to read. This source closes it.
        settings: `rotation` clockwise in degrees, then `region` as shares of the turned picture, and `max_fps`.

    Attributes:
        capped: how many frames `max_fps` has left out so far.
    """

    def __init__(self, source: Source, settings: SourceSettings) -> None:
        self.capped = 0
        super().__init__(source)
        self._turn = TURNS.get(settings.rotation)
        self._sideways = settings.rotation in (90, 270)
        self._region = settings.region
        self._interval_seconds = 0.0 if settings.max_fps is None or source.still else 1 / settings.max_fps

    @property
    def source(self) -> Source:
        """What is read."""
        return self._source

    @property
    def info(self) -> SourceInfo:
        """What the prepared frames will be like; `frame_count` is an estimate where frames are left out."""
        info = self._source.info
        width, height = info.width, info.height
        if width is not None and height is not None:
            if self._sideways:
                width, height = height, width
            left, top, right, bottom = self._edges(width, height)
            width, height = right - left, bottom - top
        rate, count = info.frames_per_second, info.frame_count
        if self._interval_seconds and rate is not None and rate * self._interval_seconds > 1:
            thinned = 1 / self._interval_seconds
            count = None if count is None else math.ceil(count * thinned / rate)
            rate = thinned
        return replace(info, width=width, height=height, frames_per_second=rate, frame_count=count)

    def _edges(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The region in pixels of the turned picture, at least one each way."""
        if self._region is None:
            return 0, 0, width, height
        left, top = min(round(self._region[0] * width), width - 1), min(round(self._region[1] * height), height - 1)
        right, bottom = round(self._region[2] * width), round(self._region[3] * height)
        return left, top, max(right, left + 1), max(bottom, top + 1)

    def __iter__(self) -> Iterator[Frame]:
        due = -math.inf
        for frame in self._source:
            if self._interval_seconds:
                if frame.seconds < due - EARLY_SHARE * self._interval_seconds:
                    self.capped += 1
                    continue
                # in the rhythm of what was due, so that 30 fps capped to 20 gives 20 and not 15; a new one after a gap
                late = frame.seconds - due >= self._interval_seconds
                due = (frame.seconds if late else due) + self._interval_seconds
            yield replace(frame, bgr=self._prepare(frame.bgr))

    def _prepare(self, bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._turn is not None:
            bgr = np.asarray(cv2.rotate(bgr, self._turn), np.uint8)
        if self._region is None:
            return bgr
        left, top, right, bottom = self._edges(bgr.shape[1], bgr.shape[0])
        return np.ascontiguousarray(bgr[top:bottom, left:right])
