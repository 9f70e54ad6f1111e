"""A save that is killed at any instant leaves either the old database or the new one.

`killed_saves.py` kills real processes, at every filesystem step of a save and at random instants. Here their remains
are judged: first as a tool would see them that knows only the pair, then loaded by us, then by that tool again.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from index import PostureIndex
from index.search.backend import load_faiss

SCRIPT = Path(__file__).with_name("killed_saves.py")
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL") or not hasattr(os, "fork"), reason="needs POSIX")


def run(*arguments: object) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows(first: int, count: int) -> np.ndarray:
    return np.array([np.random.default_rng(i).random(25) for i in range(first, first + count)], np.float32)


def plain(prefix: Path) -> tuple[np.ndarray, list[str]]:
    """The pair, as an earlier tool reads it."""
    index = load_faiss().read_index(f"{prefix}.faiss")
    with open(f"{prefix}_labels.pkl", "rb") as file:
        labels = pickle.load(file)
    return index.reconstruct_n(0, index.ntotal), labels


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A database of twelve rows, row i made of i alone."""
    index = PostureIndex("nose25", device="cpu")
    index.add(rows(0, 12), ["old"] * 12)
    index.save(tmp_path / "base" / "pose_index")
    return tmp_path / "base"


@pytest.mark.parametrize("new_rows", [8, -5])
def test_killed_at_every_step(base: Path, tmp_path: Path, new_rows: int) -> None:
    cases = tmp_path / "cases"
    cases.mkdir()
    killed = run("steps", base, cases, new_rows)["killed"]
    assert killed >= 20  # four files and a record, each made, written and flushed, then five renames and a removal
    old = rows(0, 12), ["old"] * 12
    added = rows(0, 20), ["old"] * 12 + ["new"] * 8
    new = added if new_rows > 0 else (rows(1000, 5), ["new"] * 5)
    seen = []
    for step in range(1, killed + 2):
        prefix = cases / f"{step:03d}" / "pose_index"
        vectors, labels = plain(prefix)
        assert len(labels) >= len(vectors)
        index = PostureIndex.load(prefix, device="cpu")
        is_new = index.rows == len(new[1])
        vectors, labels = new if is_new else old
        np.testing.assert_array_equal(index.vectors, vectors)
        assert list(index.labels) == labels
        assert len(index.examples) == len(labels)
        np.testing.assert_array_equal(plain(prefix)[0], vectors)
        assert plain(prefix)[1] == labels
        seen.append(is_new)
        index.add(rows(500, 1), ["later"])  # the remains do not stand in the way of the next save
        index.save(prefix)
        assert PostureIndex.load(prefix, device="cpu").rows == len(labels) + 1
        names = {file.name for file in prefix.parent.iterdir()}
        assert names == {
            "pose_index.faiss",
            "pose_index_labels.pkl",
            "pose_index.json",
            "pose_index_examples.npz",
        }
    assert seen == sorted(seen)  # once a step lies behind the moment of the save, so do all later ones
    assert not seen[0]
    assert seen[-1]


def test_killed_at_random_instants_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    acknowledged = run("random", tmp_path, 25, 7)
    assert len(acknowledged) == 25
    for name, count in acknowledged.items():
        prefix = tmp_path / name / "pose_index"
        index = PostureIndex.load(prefix, device="cpu")
        assert index.rows in (count, count + 3)
        np.testing.assert_array_equal(index.vectors, rows(0, index.rows))
        vectors, labels = plain(prefix)
        assert len(vectors) == len(labels) == index.rows


def test_nothing_is_lost_that_was_taught_before_a_save_began(tmp_path: Path) -> None:
    """While another thread goes on teaching."""
    acknowledged = run("taught", tmp_path, 10, 3)
    assert len(acknowledged) == 10
    for name, count in acknowledged.items():
        prefix = tmp_path / name / "pose_index"
        index = PostureIndex.load(prefix, device="cpu")
        assert index.rows >= count
        np.testing.assert_array_equal(index.vectors, rows(0, index.rows))
        vectors, labels = plain(prefix)
        assert len(vectors) == len(labels) == index.rows
