"""`Sink`, where scenes go, and `Drawing`, the annotated picture that sinks share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from stream.scene import Scene

__all__ = ["Drawing", "Sink"]


class Drawing:
    """The annotated picture of a scene, drawn when the first sink asks for it, and only once.

    Args:
        scene: what to draw.
        draw: gives uint8 `[H, W, 3]` BGR, a new picture.
    """

    __slots__ = ("_bgr", "_draw", "_lock", "scene")

    def __init__(self, scene: Scene, draw: Callable[[Scene], NDArray[np.uint8]]) -> None:
        self.scene = scene
        self._draw = draw
        self._lock = threading.Lock()
        self._bgr: NDArray[np.uint8] | None = None

    @property
    def bgr(self) -> NDArray[np.uint8]:
        """uint8 `[H, W, 3]`, read-only. Any thread may ask; the others wait while one draws."""
        with self._lock:
            if self._bgr is None:
                view = self._draw(self.scene).view()
                view.flags.writeable = False
                self._bgr = view
            return self._bgr


@runtime_checkable
class Sink(Protocol):
    """Something that scenes are written to: write in order, then close. Not thread-safe; use one per thread."""

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Take one scene. A sink that shows a picture takes `drawing.bgr`; if none does, nothing is drawn.

        Raises:
            SinkError: it cannot be written.
        """

    def close(self) -> None:
        """Finish the output. Twice does no harm.

        Raises:
            SinkError: the end could not be written.
        """
