"""What postures are called: a database of examples, the search in it, and the vote among the nearest.

Importing this package is light: FAISS arrives with the first `PostureIndex`, OpenCV with the first picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from index.building.report import BuildReport
from index.classification import Classification
from index.posture_index import PostureIndex
from index.rows import Added
from index.search.matches import Matches
from index.storage.examples import Examples
from index.storage.store import choose_prefix, database_exists, starter_prefix

if TYPE_CHECKING:
    from index.building.build import add_folder, build_index

__all__ = [
    "Added",
    "BuildReport",
    "Classification",
    "Examples",
    "Matches",
    "PostureIndex",
    "add_folder",
    "build_index",
    "choose_prefix",
    "database_exists",
    "starter_prefix",
]


def __getattr__(name: str) -> Any:
    if name in ("add_folder", "build_index"):
        from index.building import build

        return getattr(build, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
