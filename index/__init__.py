"""What postures are called: a database of examples, the search in it, and the vote among the nearest.

Importing this package is light: FAISS arrives with the first `PostureIndex`, OpenCV with the first picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from index.examples import Examples
from index.posture_index import Added, Outcome, PostureIndex
from index.report import BuildReport
from index.store import choose_prefix, database_exists, starter_prefix
from index.verdict import Matches, Unknown, Verdict

if TYPE_CHECKING:
    from index.build import add_folder, build_index

__all__ = [
    "Added",
    "BuildReport",
    "Examples",
    "Matches",
    "Outcome",
    "PostureIndex",
    "Unknown",
    "Verdict",
    "add_folder",
    "build_index",
    "choose_prefix",
    "database_exists",
    "starter_prefix",
]


def __getattr__(name: str) -> Any:
    if name in ("add_folder", "build_index"):
        from index import build

        return getattr(build, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
