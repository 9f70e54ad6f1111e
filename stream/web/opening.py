"""The page of a run: what is asked of it, and how it begins."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream.run.standard_streams import say
from stream.settings.model import Settings

if TYPE_CHECKING:
    from index.posture_index import PostureIndex
    from stream.drawing.overlay import Overlay
    from stream.sources.base import Source
    from stream.web.board import Board

__all__ = ["PageOptions", "open_page"]


@dataclass(frozen=True, slots=True)
class PageOptions:
    """What is asked of the page.

    Attributes:
        port: where it is served.
        address: on which address of this machine.
        serving: the page is what the run is for: recordings play at their own pace, and the page stays when they have
            ended.
        browser: open it where there is a desktop.
    """

    port: int
    address: str = "127.0.0.1"
    serving: bool = False
    browser: bool = False


def open_page(
    options: PageOptions,
    sources: Sequence[Source],
    settings: Settings,
    index: PostureIndex,
    indexes: Mapping[str, PostureIndex],
    overlay: Overlay,
    drops: Callable[[str], Mapping[str, int]],
    stack: ExitStack,
) -> Board:
    """Serve the page until `stack` closes it, and say where it is.

    Args:
        indexes: by the name of the source, databases of its own.
        overlay: knows the colours of postures.
        drops: see `Board`.

    Returns:
        The sink that scenes are to be written to.

    Raises:
        SinkError: see `WebServer`.
    """
    from stream.web.board import Board
    from stream.web.server import WebServer
    from stream.web.watched import Watched

    board = Board(sources, drops)
    server = stack.enter_context(
        WebServer(Watched(board, index, indexes, settings, overlay), options.port, options.address)
    )
    say(f"The page: {server.link}")
    if server.open_to_others:
        say("Whoever has this link sees the cameras, and it is not encrypted: use it in a network you trust.")
    if options.browser and _has_desktop():
        threading.Thread(target=webbrowser.open, args=(server.link,), name="open browser", daemon=True).start()
    return board


def _has_desktop() -> bool:
    """Whether a browser would open a window, and not take over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
