"""`stance evaluate` through argparse: with given keypoints, with the real network on real pictures, and its faults."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from index import PostureIndex
from index.errors import EvaluationError, FolderError, FolderMissing, KeypointsError, NothingAdded
from stream.commands import build as build_command
from stream.commands import evaluate as evaluate_command
from stream.commands import lazy_estimator
from stream.drawing.charts import CELL
from stream.errors import SinkError
from stream.settings.model import Settings
from tests.worlds import person


def stance(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="stance")
    commands = parser.add_subparsers(required=True)
    for module in (build_command, evaluate_command):
        module.register(commands)
    args = parser.parse_args(arguments)
    code = args.run(args, Settings())
    assert isinstance(code, int)
    return code


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_estimator, "make_estimator", lambda settings: pytest.fail("loaded the network"))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None) -> Path:
    """A database `db` of sixteen people in each of two postures, held-out folders `test`, keypoints in `k.npz`.

    Standing people have their arms down, waving people have them up; one held-out waving person stands, one has no
    keypoints, one picture is broken.
    """
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    paths: list[str] = []
    keypoints: list[np.ndarray] = []
    for part, count in (("train", 16), ("test", 4)):
        for label in ("standing", "waving"):
            for number in range(count):
                one = person(100, 60, 120)
                if label == "waving" and (part, number) != ("test", 1):
                    one[7:11, 1] -= [60, 60, 110, 110]
                one[:, :2] += random.normal(0, 1.5, (17, 2))
                name = f"{part}/{label}/camera{number % 2}_{number}.png"
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(name, random.integers(0, 255, (8, 8, 3)).astype(np.uint8))
                if (part, label, number) != ("test", "waving", 2):
                    paths.append(name)
                    keypoints.append(one)
    Path("test/standing/broken.jpg").write_bytes(b"\xff\xd8\xff")
    np.savez("k.npz", path=np.array(paths), keypoint=np.stack(keypoints))
    with contextlib.redirect_stdout(io.StringIO()):
        assert stance("build", "train", "--index", "db", "--keypoints", "k.npz") == 0
    return tmp_path


def evaluate_json(capfd: Any, *arguments: str) -> dict[str, Any]:
    assert stance("evaluate", *arguments, "--json") == 0
    answer = json.loads(capfd.readouterr().out)
    assert isinstance(answer, dict)
    return answer


def test_held_out_folders(world: Path, capfd: pytest.CaptureFixture[str]) -> None:
    facts = evaluate_json(capfd, "test", "--index", "db", "--keypoints", "k.npz")
    assert facts["people"] == 7
    assert facts["accuracy"] == pytest.approx(6 / 7, abs=1e-4)
    assert facts["confusion"]["counts"] == [[4, 0, 0], [1, 2, 0], [0, 0, 0]]
    assert facts["confusion"]["truth"] == ["standing", "waving", "other"]
    assert facts["macro_f1"] is None  # nobody has 15 people
    assert facts["ignored"] == {
        "cannot be read": ["test/standing/broken.jpg"],
        "not in the file of keypoints": ["test/waving/camera0_2.png"],
    }
    assert facts["index"] == "db"
    assert any(step.startswith("Few pictures to learn from: standing 16, waving 16.") for step in facts["next"])


def test_in_words_and_pictures(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--keypoints", "k.npz", "--confusion", "c.png", "--reliability", "r.png")
    assert stance("evaluate", "test", "--index", "db", *options) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["db,", "32", "rows;", "held-out", "pictures:", "7", "people"] in lines
    assert [
        "accuracy",
        "0.857",
        "unknown",
        "counts",
        "as",
        "wrong",
        "(as",
        "right",
        "for",
        "people",
        "of",
        "other/)",
    ] in lines
    assert ["1", "standing", "4", "·", "·"] in lines
    assert ["2", "waving", "1", "2", "·"] in lines
    assert ["next:"] in lines
    for name in ("c.png", "r.png"):
        chart = cv2.imread(name)
        assert chart is not None
        assert len(np.unique(chart.reshape(-1, 3), axis=0)) > 20


def test_without_folders_every_row_is_left_out(world: Path, capfd: pytest.CaptureFixture[str]) -> None:
    facts = evaluate_json(capfd, "--index", "db")
    assert (facts["method"], facts["people"], facts["accuracy"], facts["macro_f1"]) == ("leave-one-out", 32, 1, 1)
    facts = evaluate_json(capfd, "--index", "db", "--folds", "5", "--group", "camera")
    assert (facts["method"], facts["people"], facts["accuracy"]) == ("2 folds by camera", 32, 1)


def test_people_of_no_class_are_right_to_stay_unknown(world: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("strange/other").mkdir(parents=True)
    Path("strange/other/a.png").write_bytes(Path("test/standing/camera0_0.png").read_bytes())
    outsider = person(100, 60, 120)
    outsider[:, :2] = np.random.default_rng(1).random((17, 2)) * 200
    np.savez("s.npz", path=np.array(["strange/other/a.png"]), keypoint=outsider[None])
    facts = evaluate_json(capfd, "strange", "--index", "db", "--keypoints", "s.npz")
    assert facts["accuracy"] == 1
    assert facts["confusion"]["counts"][-1] == [0, 0, 1]


def test_the_matrix_is_green_where_right_and_red_where_wrong(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stance("evaluate", "test", "--index", "db", "--keypoints", "k.npz", "--confusion", "c.png")
    chart = cv2.imread("c.png")
    assert chart is not None
    _, green, red = np.moveaxis(chart.astype(int), 2, 0)
    cell = CELL * CELL
    assert 1.6 * cell < (green > red + 30).sum() < 2 * cell  # both postures have people who are named rightly
    assert 0.7 * cell < (red > green + 30).sum() < cell  # and one of them somebody who is not


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (["nowhere"], FolderMissing, "There is no folder nowhere"),
        (["void"], FolderError, "is empty"),
        (["strange"], EvaluationError, r"does not know 'flying'; it knows standing, waving.*stance add"),
        (["test", "--folds", "5"], EvaluationError, "--folds splits the database itself"),
        (["--group", "person"], EvaluationError, "Add --folds 5"),
        (["--folds", "1"], EvaluationError, "there are at least 2"),
        (["--folds", "5", "--group", "person"], EvaluationError, "No picture's path says which person"),
        (["--keypoints", "k.npz"], EvaluationError, "Name a folder"),
        (["test", "--keypoints", "none.npz"], KeypointsError, r"none\.npz is missing"),
        (["dark", "--keypoints", "k.npz"], NothingAdded, "no person found 1"),
        (["test", "--confusion", "c.doc"], SinkError, r"Let it end in \.jpg or \.png"),
        (["test", "--confusion", "no/c.png"], SinkError, "does not exist"),
    ],
)
def test_faults_come_before_the_network(world: Path, arguments: list[str], error: type, said: str) -> None:
    Path("void").mkdir()
    for name in ("strange/flying", "dark/standing"):
        Path(name).mkdir(parents=True)
        cv2.imwrite(f"{name}/1.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(error, match=said):
        stance("evaluate", *arguments, "--index", "db")


def test_a_database_of_one_class(world: Path) -> None:
    index = PostureIndex("nose25", device="cpu")
    index.add(np.random.default_rng(0).random((20, 25)).astype(np.float32), ["standing"] * 20)
    index.save("one")
    with pytest.raises(EvaluationError, match="knows only 'standing': there is nothing to tell apart"):
        stance("evaluate", "--index", "one")


def test_the_real_network_on_real_pictures(shared: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pictures = shared / "data" / "postures" / "test"
    for part, chosen in (("train", slice(0, 12)), ("test", slice(12, 18))):
        for label in ("bending", "standing"):
            (tmp_path / part / label).mkdir(parents=True)
            for picture in sorted((pictures / label).iterdir())[chosen]:
                (tmp_path / part / label / picture.name).write_bytes(picture.read_bytes())
    prefix = str(tmp_path / "db")
    assert stance("build", str(tmp_path / "train"), "--index", prefix) == 0
    capfd.readouterr()
    facts = evaluate_json(capfd, str(tmp_path / "test"), "--index", prefix)
    assert facts["people"] == 12
    assert facts["accuracy"] >= 0.5
    assert sum(map(sum, facts["confusion"]["counts"])) == 12
