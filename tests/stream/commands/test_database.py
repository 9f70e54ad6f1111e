"""`stance build`, `add`, `info` and `query`, run through argparse with a stand-in for the network."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from index import PostureIndex, starter_prefix
from index.errors import DatabaseExists, DatabaseMissing, FolderError, NothingAdded, UnsafeLabels
from pose.errors import PictureError
from pose.poses import Poses
from stream.assembly import database_prefix
from stream.commands import database as database_commands
from stream.commands import lazy_estimator
from stream.commands import query as query_command
from stream.errors import SinkError
from stream.settings.model import IndexSettings, Settings


class Colours:
    """Finds two people in a picture, the second one prominent, bent by the picture's blue; nobody in a black one."""

    parts: tuple[tuple[str, str], ...] = (("colours", "ab" * 32),)
    batch_size = 4
    concurrency = 2

    def __call__(self, frames: Sequence[np.ndarray], /) -> list[Poses]:
        return [self.look(frame) for frame in frames]

    def look(self, frame: np.ndarray) -> Poses:
        if not frame.any():
            return Poses.empty()
        keypoints = np.random.default_rng(0).random((2, 17, 3)).astype(np.float32) * 50
        keypoints[:, 9:, 0] += frame[0, 0, 0]
        keypoints[0, :, 2] = 0.1
        keypoints[1, :, 2] = 0.9
        return Poses(keypoints, np.float32([[1, 1, 9, 9], [0, 0, 40, 40]]), np.float32([0.5, 0.9]))


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> Colours:
    stand_in = Colours()
    monkeypatch.setattr(lazy_estimator, "make_estimator", lambda settings: stand_in)
    return stand_in


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that commands run in: `images_data` with three standing, three sitting and a broken picture."""
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        paint(f"images_data/standing/{number}.png", 10 + number)
        paint(f"images_data/sitting/{number}.png", 200 + number)
    Path("images_data/sitting/broken.jpg").write_bytes(b"\xff\xd8\xff damaged")
    return tmp_path


def paint(name: str, blue: int) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(".png", np.full((48, 64, 3), (blue, 0, 0), np.uint8))
    assert done
    Path(name).write_bytes(data.tobytes())
    return name


def stance(*arguments: str, settings: Settings | None = None) -> int:
    parser = argparse.ArgumentParser(prog="stance")
    commands = parser.add_subparsers(required=True)
    for module in (database_commands, query_command):
        module.register(commands)
    args = parser.parse_args(arguments)
    code = args.run(args, settings or Settings())
    assert isinstance(code, int)
    return code


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
    paint("more/lying/a.png", 120)
    assert stance("add", "more", "--json", "--index", "my/postures") == 0
    assert json.loads(capfd.readouterr().out)["rows"] == 7
    assert stance("query", "more/lying/a.png", "--json", "--index", "my/postures") == 0
    answer = json.loads(capfd.readouterr().out)
    person, other = answer["pictures"][0]["people"]
    assert person["box"] == [0, 0, 40, 40]
    assert person["neighbours"][0] == {
        "label": "lying", "distance": 0.0, "row": 6, "picture": "more/lying/a.png", "person": 0,
    }  # fmt: skip
    assert (other["label"], other["reason"], other["distance"]) == (None, "too few keypoints", None)
    assert stance("info", "--json", "--index", "my/postures") == 0
    facts = json.loads(capfd.readouterr().out)
    assert facts["rows"] == facts["rows_of_known_origin"] == 7
    assert facts["labels"] == {"sitting": 3, "standing": 3, "lying": 1}
    assert facts["embedding"]["name"] == "gravity59"
    assert facts["networks"] == [{"name": "colours", "weights_sha256": "ab" * 32}]
    assert sorted(facts["files"]) == ["postures.faiss", "postures.json", "postures_examples.npz", "postures_labels.pkl"]


def test_query_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    stance("build", "images_data")
    capsys.readouterr()
    paint("black.png", 0)
    assert stance("query", paint("q.png", 11), "black.png") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "q.png"
    assert lines[1].startswith("  person 1  standing, ")
    assert "% of the vote, distance 0." in lines[1]
    assert lines[2].split() == ["0.000", "standing", "row", "4", "images_data/standing/1.png"]
    assert lines[7] == "  person 2  unknown: too few keypoints  [box 1,1 to 9,9]"
    assert lines[8:] == ["black.png", "  no person found"]


def test_query_explains(capsys: pytest.CaptureFixture[str]) -> None:
    stance("build", "images_data")
    capsys.readouterr()
    assert stance("query", paint("q.png", 11), "--explain", "--out", "why.png") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("    why: ")
    assert "% of the vote, at least 40% is asked for; the median distance to its 5 neighbours is 0." in lines[2]
    assert lines[3].startswith("    probabilities: standing ")
    assert "    why: 0 of 17 keypoints score 0.5 or more, pose.min_keypoints asks for 5" in lines
    why = cv2.imread("why.png")
    assert why is not None
    assert stance("query", "q.png", "--json") == 0
    person, other = json.loads(capsys.readouterr().out)["pictures"][0]["people"]
    assert person["why"] == lines[2].removeprefix("    why: ")
    assert sum(person["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert other["probabilities"] == {}
    with pytest.raises(SinkError, match="is the source itself"):
        stance("query", "q.png", "--out", "q.png")


def test_query_names_what_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    stance("build", "images_data")
    capsys.readouterr()
    with pytest.raises(PictureError, match=r"nope\.jpg cannot be read: No such file"):
        stance("query", "nope.jpg")
    with pytest.raises(PictureError, match=r"broken\.jpg cannot be read as a picture"):
        stance("query", "images_data/sitting/broken.jpg")
    assert stance("query", "nope.jpg", paint("q.png", 11), "--json") == 2
    out, err = capsys.readouterr()
    answers = json.loads(out)["pictures"]
    assert answers[0]["error"].startswith("nope.jpg cannot be read")
    assert len(answers[1]["people"]) == 2
    assert "nope.jpg cannot be read" in err


def test_info_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    stance("build", "images_data")
    capsys.readouterr()
    assert stance("info") == 0
    out = capsys.readouterr().out
    for said in ("rows       6, of which 6", "gravity59, 59 numbers", "colours, weights abababababab", "images_data"):
        assert said in out
    assert "sitting      3" in out


def test_faults_are_told(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing, match=r"no database pose_index to add to.*stance build"):
        stance("add", "images_data")
    with pytest.raises(DatabaseMissing, match="stance build"):
        stance("info", "--index", "nothing")
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
    (tmp_path / "pose_index_labels.pkl").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(UnsafeLabels, match=r"os\.system"):
        stance("info")
    assert not (tmp_path / "ran").exists()


def test_faults_of_folders_come_before_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_estimator, "make_estimator", lambda settings: pytest.fail("loaded the network"))
    with pytest.raises(FolderError):
        stance("build", "images_data/standing")
    with pytest.raises(DatabaseMissing):
        stance("query", "x.jpg", "--index", "nothing")


def test_another_network_is_said(network: Colours, caplog: pytest.LogCaptureFixture) -> None:
    stance("build", "images_data")
    stance("query", paint("q.png", 11))
    assert not caplog.records
    network.parts = (("colours", "cd" * 32),)
    stance("query", "q.png")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "built with colours (abababababab)" in caplog.text


def test_which_database(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "index"):
        assert database_prefix(Settings()) == starter_prefix()
    assert "starter database" in caplog.text
    assert database_prefix(Settings(), "mine") == Path("mine")
    configured = Settings(index=IndexSettings(path="configured"))
    assert database_prefix(configured) == Path("configured")
    assert stance("build", "images_data", settings=configured) == 0
    assert Path("configured.faiss").exists()
    stance("build", "images_data")
    assert database_prefix(Settings()) == Path("pose_index")


def test_people_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert stance("build", "images_data", "--people", "all", "--json") == 0
    assert json.loads(capsys.readouterr().out)["added"] == 6  # the second person shows too few keypoints
    with pytest.raises(SystemExit):
        stance("build", "images_data", "--people", "some")
