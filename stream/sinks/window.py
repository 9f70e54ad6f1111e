"""`WindowSink`: the annotated picture in a window."""

from __future__ import annotations

import ctypes
import math
import os
import sys
import threading
from collections.abc import Sequence
from typing import Final

import cv2

from pose.closing import Closing
from stream.errors import SinkError
from stream.scene import Scene
from stream.sinks.base import Drawing

__all__ = ["WindowSink", "tiled"]

TITLE_BAR: Final = 30  # pixels a desktop puts above each window
SCREEN: Final = (1600, 900)  # pixels, what fits on most
QUIT_KEYS: Final = frozenset((27, ord("q"), ord("Q")))


class WindowSink(Closing):
    """Shows each drawn picture in a window; q, Esc or closing the window asks the run to stop by setting `stop`.

    All calls must come from one thread, on macOS the main one, so it is written to directly and never behind a
    `BackgroundSink`. While no scenes come (a camera that is away), call `idle` some times a second, so that the window
    redraws itself and takes keys. Not thread-safe; use one per thread.

    Args:
        title: of the window.
        stop: set when the user wants to end.
        max_width: pixels; larger pictures open in a window of this size, which the user may resize.
        max_height: pixels.
        position: of its upper left corner on the screen, x and y in pixels; None leaves that to the desktop.

    Raises:
        SinkError: there is no display, or this OpenCV was built without windows.
    """

    def __init__(
        self,
        title: str,
        stop: threading.Event,
        *,
        max_width: int = SCREEN[0],
        max_height: int = SCREEN[1],
        position: tuple[int, int] | None = None,
    ) -> None:
        if not _display_answers():
            raise SinkError(
                "There is no display to show a window on. Write a file instead, or run it on a desktop (over SSH: "
                "ssh -X)."
            )
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # one line per font OpenCV's Qt came without
        self._title = title
        self._stop = stop
        self._limit = (max_width, max_height)
        self._position = position
        self._open = False

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Show the drawn picture. Once the user closed the window nothing more is shown.

        Raises:
            SinkError: the window cannot be made.
        """
        if self._stop.is_set():
            return
        bgr = drawing.bgr
        try:
            if not self._open:
                height, width = bgr.shape[:2]
                scale = min(1.0, self._limit[0] / width, self._limit[1] / height)
                cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
                cv2.resizeWindow(self._title, max(1, round(width * scale)), max(1, round(height * scale)))
                if self._position is not None:
                    cv2.moveWindow(self._title, *self._position)
                self._open = True
            cv2.imshow(self._title, bgr)
        except cv2.error as error:
            raise SinkError(
                "This OpenCV cannot show windows. Write a file instead, or install opencv-python in place of "
                "opencv-python-headless."
            ) from error
        self.idle()

    def idle(self) -> None:
        """Let the window redraw itself, and look for the keys and the closing of the window."""
        if not self._open or self._stop.is_set():
            return
        key = cv2.waitKey(1)
        try:
            closed = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:  # Qt, once its last window is closed
            closed = True
        if closed or (key >= 0 and key & 0xFF in QUIT_KEYS):
            self._stop.set()

    def close(self) -> None:
        """Close the window. Twice does no harm."""
        if not self._open:
            return
        self._open = False
        try:
            cv2.destroyWindow(self._title)
            cv2.waitKey(1)
        except cv2.error:  # the user closed it already
            return


def tiled(titles: Sequence[str], stop: threading.Event) -> list[WindowSink]:
    """Windows beside and below one another, as large as fit; one alone as `WindowSink` makes it.

    Raises:
        SinkError: see `WindowSink`.
    """
    columns = math.ceil(math.sqrt(len(titles)))
    rows = math.ceil(len(titles) / max(columns, 1))
    if columns <= 1:
        return [WindowSink(title, stop) for title in titles]
    width, height = SCREEN[0] // columns, SCREEN[1] // rows
    places = [(number % columns * width, number // columns * height) for number in range(len(titles))]
    return [
        WindowSink(title, stop, max_width=width, max_height=height - TITLE_BAR, position=place)
        for title, place in zip(titles, places, strict=True)
    ]


def _display_answers() -> bool:
    """Whether a window can be opened. Asked first, because without a display Qt aborts the process."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return True
    if not os.environ.get("DISPLAY"):  # OpenCV's Qt speaks X11 only; Wayland desktops offer that too
        return False
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        return True
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(None)
    if not display:
        return False
    x11.XCloseDisplay(display)
    return True
