"""`stance build`, run through argparse with a stand-in for the network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from index import PostureIndex
from index.errors import DatabaseExists, FolderError, NothingAdded
from stream.commands import lazy_estimator
from tests.stream.commands.colours import paint, stance

pytestmark = pytest.mark.usefixtures("network", "picture_folder")


def test_build_ends_with_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert stance("build", "images_data") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["class", "pictures", "people", "skipped", "and", "why"]
    assert lines[1].split() == ["sitting", "4", "3", "1", "cannot", "be", "read"]
    assert lines[2].split() == ["standing", "3", "3", "0"]
    assert lines[3].split() == ["all", "7", "6", "1"]
    assert lines[4] == "skipped: images_data/sitting/broken.jpg: cannot be read"
    assert lines[5].startswith("pose_index: 6 rows, 2 classes")
    assert PostureIndex.load("pose_index", device="cpu").counts == {"sitting": 3, "standing": 3}


def test_json_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    assert stance("build", "images_data", "--json", "--index", "my/postures") == 0
    built = json.loads(capfd.readouterr().out)
    assert built["index"] == "my/postures"
    assert (built["rows"], built["added"]) == (6, 6)
    assert built["classes"][0] == {
        "label": "sitting",
        "pictures": 4,
        "people": 3,
        "skipped": {"cannot be read": ["images_data/sitting/broken.jpg"]},
    }


def test_faults_are_told(tmp_path: Path) -> None:
    (tmp_path / "void").mkdir()
    with pytest.raises(FolderError, match="is empty"):
        stance("build", "void")
    with pytest.raises(FolderError, match="no class folders"):
        stance("build", "images_data/standing")
    paint("dark/standing/a.png", 0)
    with pytest.raises(NothingAdded, match="no person found 1"):
        stance("build", "dark")
    assert not list(tmp_path.glob("pose_index*"))
    stance("build", "images_data")
    with pytest.raises(DatabaseExists, match=r"stance add images_data.*--replace"):
        stance("build", "images_data")
    assert stance("build", "images_data", "--replace") == 0


def test_faults_of_folders_come_before_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_estimator, "make_estimator", lambda settings: pytest.fail("loaded the network"))
    with pytest.raises(FolderError):
        stance("build", "images_data/standing")


def test_people_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert stance("build", "images_data", "--people", "all", "--json") == 0
    assert json.loads(capsys.readouterr().out)["added"] == 6  # the second person shows too few keypoints
    with pytest.raises(SystemExit):
        stance("build", "images_data", "--people", "some")
