"""`stance evaluate-pose` as a user meets it, on pictures made here. Weights are from a seed: nobody is found well."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pose.estimator import PoseEstimator
from pose.network_descriptions import describe_network
from pose.networks.architecture import Architecture
from pose.networks.picodet import PicoDet
from pose.networks.tinypose import TinyPose
from pose.weight_files.checkpoint import save_network
from pose.weight_files.digest import sha256
from pose.weight_files.topdown_file import save_topdown
from stream.assembly import make_estimator
from stream.cli import main
from stream.commands import evaluate_pose as evaluate_pose_command
from stream.settings.model import Settings
from tests.golden.make_pose import made_network

FAST = ["--set", "pose.device=cpu", "--set", "pose.precision=fp32", "--set", "pose.runtime=torch"]
FAST += ["--set", "pose.max_people=2"]  # weights from a seed find as many as there may be, and every crop is work


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with weights from a seed."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    save_topdown(PicoDet(), folder / "picodet-s.safetensors", (320, 320), "a seed")
    save_topdown(TinyPose(), folder / "tinypose.safetensors", (192, 256), "a seed")
    save_topdown(TinyPose(), folder / "tinypose-small.safetensors", (128, 192), "a seed")
    tiny = made_network(Architecture("yolov7-tiny-pose", "short", "leaky_relu_0.1", width=0.125))
    save_network(tiny, folder / "yolov7-tiny-pose.safetensors")
    return folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three grey pictures, the first with one labelled person, in `set/`."""
    monkeypatch.setattr("pose.weight_files.location.weights_folders", lambda: [weights])
    monkeypatch.chdir(tmp_path)
    for name in ("images", "labels"):
        (tmp_path / "set" / name).mkdir(parents=True)
    for name in "abc":
        assert cv2.imwrite(f"set/images/{name}.png", np.full((48, 64, 3), 90, np.uint8))
    points = " ".join(f"{0.3 + n / 50:.2f} 0.5 2" for n in range(17))
    (tmp_path / "set" / "labels" / "a.txt").write_text(f"0 0.5 0.5 0.4 0.8 {points}\n")
    return tmp_path


def test_one_size_as_json(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate-pose", "set", "--size", "100", "--json", *FAST]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts.pop("seconds") >= 0
    assert facts == {
        "sizes": [128],  # the next multiple of the stride
        "ap": 0, "ap50": 0, "ap75": 0, "ap_medium": None, "ap_large": None, "ar": 0,
        "people": 1,
        "pictures": 3,
        "area_is_estimated": True,
        "network": "picodet-tinypose",
        "weights": {part: sha256(weights / f"{part}.safetensors") for part in ("picodet-s", "tinypose")},
        "device": "cpu",
        "precision": "fp32",
    }  # fmt: skip


def test_several_sizes_are_a_line_each(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--size", "64", "96", "--limit", "2", "--json"]
    arguments += ["--weights", str(weights / "yolov7-tiny-pose.safetensors")]
    assert main(["evaluate-pose", "set", *arguments, *FAST]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["sizes"], line["pictures"]) for line in lines] == [([64], 2), ([96], 2)]
    assert {line["network"] for line in lines} == {"yolov7-tiny-pose"}


def test_table(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate-pose", "set", "--size", "64", "96", *FAST]) == 0
    detector, keypoints = (sha256(weights / f"{part}.safetensors")[:12] for part in ("picodet-s", "tinypose"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "set: 3 pictures, 1 people to judge by"
    assert lines[1] == f"picodet-tinypose, weights picodet-s {detector}, tinypose {keypoints}, cpu fp32"
    assert lines[2] == "no areas given: a person's is taken as 0.53·w·h of the box"
    assert lines[4].split() == ["size", "AP", "AP50", "AP75", "AP", "medium", "AP", "large", "AR", "seconds"]
    assert [line.split()[:-1] for line in lines[5:]] == [
        [size, "0.000", "0.000", "0.000", "-", "-", "0.000"] for size in ("64", "128")
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


@pytest.mark.parametrize("network", ["picodet-tinypose", "yolov7-tiny-pose"])
def test_judged_are_also_people_that_a_run_would_leave_out(monkeypatch: pytest.MonkeyPatch, network: str) -> None:
    made = []

    def watched(settings: Settings, *, judging: bool) -> PoseEstimator:
        made.append(make_estimator(settings, judging=judging))
        return made[-1]

    monkeypatch.setattr(evaluate_pose_command, "make_estimator", watched)
    arguments = ["evaluate-pose", "set", "--size", "64", "--set", f"pose.network={network}", *FAST]
    assert main(arguments) == 0
    assert main([*arguments, "--set", "pose.person_threshold=0.9"]) == 0  # who asks for it gets it
    assert [estimator.person_threshold for estimator in made] == [describe_network(network).judged_threshold, 0.9]


def test_looks_at_the_same_picture_are_one_judgement(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = ["--weights", str(weights / "yolov7-tiny-pose.safetensors")]
    assert main(["evaluate-pose", "set", "--size", "64+96", "--limit", "2", *tiny, *FAST]) == 0
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
