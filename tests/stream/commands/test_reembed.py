"""`stance reembed`, through the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index import Examples, PostureIndex
from stream.cli import main
from tests.worlds import person


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a database of `nose25`: two rows with keypoints."""
    monkeypatch.chdir(tmp_path)
    people = np.stack([person(100, 100), person(50, 60, height=120)])
    examples = replace(Examples.unknown(2), keypoints=people, digests=("a" * 64, "b" * 64))
    index = PostureIndex("nose25", device="cpu")
    index.add(index.embedding.compute(people), ["standing", "tall"], examples)
    index.save("pose_index")
    return tmp_path


def test_there_and_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = PostureIndex.load("pose_index", device="cpu")
    assert main(["reembed"]) == 0
    assert capsys.readouterr().out == "pose_index: 2 rows moved from nose25 to gravity59\n"
    assert PostureIndex.load("pose_index", device="cpu").embedding.name == "gravity59"
    assert main(["reembed"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main(["reembed", "--embedding", "nose25", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["embedding"] == "nose25"
    after = PostureIndex.load("pose_index", device="cpu")
    np.testing.assert_array_equal(after.vectors, before.vectors)
    assert (after.labels, after.created) == (before.labels, before.created)


def test_what_cannot_be_moved_stays(capsys: pytest.CaptureFixture[str]) -> None:
    index = PostureIndex.load("pose_index", device="cpu")
    index.add(index.vectors[:1], ["unknown origin"])
    index.save("pose_index")
    content = Path("pose_index.faiss").read_bytes()
    assert main(["reembed"]) == 2
    assert "keypoints of 1 of 3 rows are unknown" in capsys.readouterr().err
    assert Path("pose_index.faiss").read_bytes() == content
    assert main(["reembed", "--index", "nowhere"]) == 2
    assert "There is no database nowhere" in capsys.readouterr().err
