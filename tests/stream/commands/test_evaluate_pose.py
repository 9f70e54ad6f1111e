"""`stance evaluate-pose` as a user meets it, with the shipped weights on pictures made here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose.estimator import PoseEstimator
from pose.evaluation.average_precision import JUDGED_THRESHOLD
from pose.weight_files.digest import sha256
from stream.assembly import make_estimator
from stream.cli import main
from stream.commands import evaluate_pose as evaluate_pose_command
from stream.settings.model import Settings

SHIPPED = Path(__file__).resolve().parents[3] / "weights" / "yolov7-tiny-pose.safetensors"
FAST = ["--set", "pose.device=cpu", "--set", "pose.precision=fp32"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three grey pictures, the first with one labelled person, in `set/`."""
    monkeypatch.chdir(tmp_path)
    for name in ("images", "labels"):
        (tmp_path / "set" / name).mkdir(parents=True)
    for name in "abc":
        assert cv2.imwrite(f"set/images/{name}.png", np.full((48, 64, 3), 90, np.uint8))
    points = " ".join(f"{0.3 + n / 50:.2f} 0.5 2" for n in range(17))
    (tmp_path / "set" / "labels" / "a.txt").write_text(f"0 0.5 0.5 0.4 0.8 {points}\n")
    return tmp_path


def test_one_size_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate-pose", "set", "--size", "100", "--json", *FAST]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts.pop("seconds") >= 0
    assert facts == {
        "sizes": [128],  # the next multiple of the stride
        "ap": 0, "ap50": 0, "ap75": 0, "ap_medium": None, "ap_large": None, "ar": 0,
        "people": 1,
        "pictures": 3,
        "area_is_estimated": True,
        "network": "yolov7-tiny-pose",
        "weights": str(SHIPPED),
        "weights_digest": sha256(SHIPPED),
        "device": "cpu",
        "precision": "fp32",
    }  # fmt: skip


def test_several_sizes_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--size", "64", "96", "--limit", "2", "--json", "--weights", str(SHIPPED)]
    assert main(["evaluate-pose", "set", *arguments, *FAST]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["sizes"], line["pictures"]) for line in lines] == [([64], 2), ([96], 2)]


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate-pose", "set", "--size", "64", "96", *FAST]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "set: 3 pictures, 1 people to judge by"
    assert lines[1] == f"yolov7-tiny-pose, weights {sha256(SHIPPED)[:12]}, cpu fp32"
    assert lines[2] == "no areas given: a person's is taken as 0.53·w·h of the box"
    assert lines[4].split() == ["size", "AP", "AP50", "AP75", "AP", "medium", "AP", "large", "AR", "seconds"]
    assert [line.split()[:-1] for line in lines[5:]] == [
        [size, "0.000", "0.000", "0.000", "-", "-", "0.000"] for size in ("64", "96")
    ]
    assert len({len(line) for line in lines[4:]}) == 1  # the columns stand under each other


def test_coco_file_with_areas(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    person = {"image_id": 1, "category_id": 1, "bbox": [9, 9, 30, 30], "area": 2000, "keypoints": [20, 20, 2] * 17}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 48, "width": 64}],
        "annotations": [person],
        "categories": [{"id": 1, "name": "person"}],
    }
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "people.json").write_text(json.dumps(content))
    arguments = ["elsewhere/people.json", "--images", "set/images", "--size", "64"]
    assert main(["evaluate-pose", *arguments, *FAST]) == 0
    told = capsys.readouterr().out
    assert "no areas given" not in told
    assert told.splitlines()[-1].split()[4:6] == ["0.000", "-"]  # somebody of medium size
    assert main(["evaluate-pose", *arguments, "--json", *FAST]) == 0
    assert json.loads(capsys.readouterr().out)["area_is_estimated"] is False


def test_judged_are_also_people_that_a_run_would_leave_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def watched(settings: Settings) -> PoseEstimator:
        made.append(make_estimator(settings))
        return made[-1]

    monkeypatch.setattr(evaluate_pose_command, "make_estimator", watched)
    assert main(["evaluate-pose", "set", "--size", "64", "--set", "pose.person_threshold=0.9", *FAST]) == 0
    assert [estimator.person_threshold for estimator in made] == [JUDGED_THRESHOLD]


def test_looks_at_the_same_picture_are_one_judgement(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate-pose", "set", "--size", "64+96", "--limit", "2", *FAST]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[0] == "96+64"


def test_the_size_of_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate-pose", "set", "--json", "--set", "pose.image_size=64", *FAST]) == 0
    assert json.loads(capsys.readouterr().out)["sizes"] == [64]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing"], "stance: There is no nothing. Expected is a folder with images/ and labels/"),
        (["."], "stance: . has neither labels/ nor a JSON file."),
        (["set", "--weights", "no.safetensors"], "stance: no.safetensors"),
        (["set", "--images", "x"], "stance: set has its pictures in images/"),
    ],
)
def test_faults(capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str) -> None:
    assert main(["evaluate-pose", *arguments, *FAST]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(sentence)
    assert err.count("\n") == 1


def test_a_missing_evaluator(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    assert main(["evaluate-pose", "set", "--size", "64", *FAST]) == 2
    assert "Run pip install '.[train]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--size", "0"], ["--size", "9999"], ["--size", "large"], ["--size", "64+"], ["--limit", "0"]]
)
def test_numbers_out_of_range(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate-pose", "set", *arguments])
    assert ended.value.code == 2
    assert "is not a whole number from" in capsys.readouterr().err
