"""Stance as a library: watch video, and say what posture every person is in.

    from stance import scenes
    for scene in scenes("clip.mp4"):
        print([person.posture for person in scene.people])

All that a script needs is here; where it is defined says `stance.scenes.__module__`. Importing this module is light:
OpenCV, PyTorch and FAISS arrive with the first name that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from index.building.build import add_folder, build_index
    from index.classification import Classification
    from index.posture_index import PostureIndex
    from index.search.matches import Matches
    from index.storage.examples import Examples
    from pose.errors import StanceError
    from pose.estimator import PoseEstimator
    from pose.keypoints import Keypoint
    from pose.poses import Poses
    from pose.reason import Reason
    from stream.drawing.overlay import Overlay
    from stream.frame import Frame
    from stream.pipeline import scenes, write
    from stream.recogniser import Recogniser
    from stream.scene import Person, Scene
    from stream.settings.loading import load_settings
    from stream.settings.model import Settings
    from stream.sources.arrays import ArraySource
    from stream.sources.opening import open_source

__all__ = [
    "ArraySource",
    "Classification",
    "Examples",
    "Frame",
    "Keypoint",
    "Matches",
    "Overlay",
    "Person",
    "PoseEstimator",
    "Poses",
    "PostureIndex",
    "Reason",
    "Recogniser",
    "Scene",
    "Settings",
    "StanceError",
    "add_folder",
    "build_index",
    "load_settings",
    "open_source",
    "scenes",
    "write",
]

_HOMES: Final = {
    "ArraySource": "stream.sources.arrays",
    "Classification": "index.classification",
    "Examples": "index.storage.examples",
    "Frame": "stream",
    "Keypoint": "pose.keypoints",
    "Matches": "index.search.matches",
    "Overlay": "stream",
    "Person": "stream",
    "PoseEstimator": "pose.estimator",
    "Poses": "pose.poses",
    "PostureIndex": "index.posture_index",
    "Reason": "pose.reason",
    "Recogniser": "stream",
    "Scene": "stream",
    "Settings": "stream",
    "StanceError": "pose.errors",
    "add_folder": "index.building.build",
    "build_index": "index.building.build",
    "load_settings": "stream",
    "open_source": "stream",
    "scenes": "stream",
    "write": "stream",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        found = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
