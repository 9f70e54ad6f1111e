"""What happens over time: frames in, scenes out, and what is done with them.

    from stream import scenes
    for scene in scenes("clip.mp4"):
        print([person.posture for person in scene.people])

Importing this package is light; OpenCV, PyTorch and FAISS arrive with the parts that need them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from stream.errors import ConfigurationError, SinkError, SourceError, StreamError
from stream.frame import Frame
from stream.scene import Person, Scene

if TYPE_CHECKING:
    from stream.drawing.overlay import Overlay
    from stream.pipeline import scenes, write
    from stream.recogniser import Recogniser
    from stream.settings.loading import load_settings
    from stream.settings.model import Settings
    from stream.sources.opening import open_source

__all__ = [
    "ConfigurationError",
    "Frame",
    "Overlay",
    "Person",
    "Recogniser",
    "Scene",
    "Settings",
    "SinkError",
    "SourceError",
    "StreamError",
    "load_settings",
    "open_source",
    "scenes",
    "write",
]

_HOMES: Final = {
    "Overlay": "stream.drawing.overlay",
    "Recogniser": "stream.recogniser",
    "Settings": "stream.settings.model",
    "load_settings": "stream.settings.loading",
    "open_source": "stream.sources.opening",
    "scenes": "stream.pipeline",
    "write": "stream.pipeline",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
