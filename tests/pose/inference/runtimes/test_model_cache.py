"""Where compiled networks are kept, and how many."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pose.inference.runtimes import model_cache
from pose.inference.runtimes.model_cache import KEPT_FILES, ModelCache


def test_what_was_written_is_read(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path / "deep" / "folder")
    path = cache.path("net", "key")
    assert cache.read(path) is None
    cache.write(path, b"first")
    cache.write(path, b"second")
    assert cache.read(path) == b"second"
    assert [file.name for file in cache.folder.iterdir()] == [path.name]


def test_one_wrong_bit_is_seen(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    path = cache.path("net", "key")
    cache.write(path, bytes(100))
    whole = path.read_bytes()
    for place in (0, 40, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert cache.read(path) is None
    for damaged in (whole[:-1], whole + b"\0", b""):
        path.write_bytes(damaged)
        assert cache.read(path) is None


def test_every_part_of_the_key_counts(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    keys = [("net", "a", "b"), ("net", "ab"), ("net", "b", "a"), ("net", "a", "b", ""), ("other", "a", "b")]
    assert len({cache.path(name, *key) for name, *key in keys}) == len(keys)


def test_the_oldest_files_go(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    for number in range(KEPT_FILES + 3):
        path = cache.path(f"net{number}", "key")
        cache.write(path, b"x")
        os.utime(path, (number, number))
    cache.write(cache.path("last", "key"), b"x")
    left = {file.name.partition("-")[0] for file in tmp_path.iterdir()}
    assert left == {"last", *(f"net{number}" for number in range(4, KEPT_FILES + 3))}


def test_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STANCE_CACHE_DIR", str(tmp_path / "own"))
    assert ModelCache().folder == tmp_path / "own" / "compiled"


def test_large_files_go_sooner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_cache, "KEPT_BYTES", 1000)
    cache = ModelCache(tmp_path)
    for number in range(4):
        path = cache.path(f"net{number}", "key")
        cache.write(path, bytes(400))
        os.utime(path, (number, number))
    assert {file.name.partition("-")[0] for file in tmp_path.iterdir()} == {"net2", "net3"}
    cache.write(cache.path("huge", "key"), bytes(5000))  # the newest stays, however large
    assert [file.name.partition("-")[0] for file in tmp_path.iterdir()] == ["huge"]
