"""Where weights and compiled networks are kept: one folder of the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from pose.cache_folder import cache_folder
from pose.inference.runtimes.model_cache import ModelCache
from pose.weight_files import location


def test_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STANCE_CACHE_DIR", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("STANCE_CACHE_DIR")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "stance"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "stance"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "stance"


def test_everything_is_kept_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STANCE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(location, "_checkout_folder", lambda: None)
    assert ModelCache().folder == tmp_path / "compiled"
    assert location.weights_folder() == tmp_path / "weights"
