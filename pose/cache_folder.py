"""`cache_folder`: where Stance keeps what can be had again, fetched weights and compiled networks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """Stance's folder in the user's cache folder, or `STANCE_CACHE_DIR`."""
    if given := os.environ.get("STANCE_CACHE_DIR"):
        return Path(given)
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "stance"
