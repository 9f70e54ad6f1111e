"""`Watched`: what the page is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from index.posture_index import PostureIndex
from stream.drawing.overlay import Overlay
from stream.settings.model import Settings
from stream.web.board import Board

__all__ = ["Watched"]


@dataclass(frozen=True, slots=True)
class Watched:
    """What the page is about.

    Attributes:
        board: kept up to date by the frame loop.
        index: names the postures.
        indexes: by the name of the source, databases that name the postures there instead.
        settings: what is drawn, and what the databases are asked with.
        overlay: knows the colours of postures.
    """

    board: Board
    index: PostureIndex
    indexes: Mapping[str, PostureIndex]
    settings: Settings
    overlay: Overlay
