"""A page without cameras: two made sources, made people, a real server and real WebSocket clients."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from index.classification import Classification
from index.posture_index import PostureIndex
from pose.reason import Reason
from stream.drawing.overlay import Overlay
from stream.frame import Frame
from stream.scene import Person, Scene
from stream.settings.model import OverlaySettings, Settings
from stream.web.board import Board
from stream.web.server import WebServer
from stream.web.watched import Watched
from tests.worlds import person, poses

HEIGHT, WIDTH = 360, 640
SIT = Classification(
    "sitting", 0.8, 2.5, "sitting", None, (3, 8), ("sitting", "standing"), (2.25, 2.75),
    (("sitting", 0.8), ("standing", 0.2)),
)  # fmt: skip
FAR = Classification(None, 0.6, 99.0, "standing", Reason.TOO_FAR, (8,), ("standing",), (99.0,), (("standing", 1.0),))


def scene_of(frame: Frame, brightness: int = 90) -> Scene:
    """Somebody who sits, number 7, left in the picture, and somebody unknown, number 8, on the right."""
    frame = replace(frame, bgr=np.full((HEIGHT, WIDTH, 3), brightness, np.uint8), captured_seconds=time.monotonic())
    people = (
        Person(0, 7, SIT, "sitting", 0.9, frame.seconds - 65),
        Person(1, 8, FAR, None, 0.0, None),
    )
    return Scene(frame, poses(person(160, 60, 240), person(480, 60, 240)), people)


class Page:
    """A page that is served.

    Attributes:
        sources: `door`, a camera, and `clip`, a recording; their `status` may be changed.
        board: write to it what is to be shown.
        server: the real one.
    """

    def __init__(self, worlds: object, settings: Settings, address: str = "127.0.0.1") -> None:
        self.sources = {
            "door": worlds.FakeSource(live=True, name="door"),
            "clip": worlds.FakeSource(live=False, name="clip"),
        }
        self.board = Board(list(self.sources.values()), lambda name: {"replaced": 3, "stale": 1, "capped": 0})
        overlay = Overlay(settings.overlay, classes=["sitting", "standing"])
        watched = Watched(self.board, PostureIndex.load(), {}, settings, overlay)
        self.server = WebServer(watched, 0, address)
        self.numbers = dict.fromkeys(self.sources, -1)

    def write(self, camera: str = "door", brightness: int = 90) -> Scene:
        """Show one more scene of a camera."""
        self.numbers[camera] += 1
        scene = scene_of(self.sources[camera].frame(self.numbers[camera]), brightness)
        self.board.write(scene, None)
        return scene

    def address(self, path: str = "", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.server.port}/{path}"


@contextmanager
def page_of(worlds: object, *, picture: bool = True, address: str = "127.0.0.1") -> Iterator[Page]:
    page = Page(worlds, Settings(overlay=OverlaySettings(picture=picture)), address)
    with page.server:
        yield page


def taken_apart(data: bytes) -> tuple[dict, bytes]:
    """The record and the JPEG of a message."""
    length = int.from_bytes(data[:4])
    return json.loads(data[4 : 4 + length]), data[4 + length :]
