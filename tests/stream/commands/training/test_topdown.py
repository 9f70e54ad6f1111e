"""`stance train` of the detector and the keypoint network as a user meets it."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pose.training.kept_files import BEST, HISTORY, LAST, STATE
from pose.weight_files.header import network_of
from pose.weight_files.topdown_file import load_topdown
from stream.cli import main
from tests.pose.training.conftest import draw_people

KEYPOINT_NETWORKS = ("tinypose", "tinypose-small")
QUICK = {
    "tinypose": ["--batch", "2"],
    "tinypose-small": ["--batch", "2"],
    "picodet-s": ["--batch", "2", "--sides", "64:1", "--val-size", "64"],
}
FIGURES = {
    "tinypose": {"oks_upright", "oks_turned"},
    "tinypose-small": {"oks_upright", "oks_turned"},
    "picodet-s": {"ap_upright", "ap_turned"},
}


@pytest.mark.parametrize("network", QUICK)
def test_from_labelled_pictures_to_weights_that_can_be_used(tmp_path, capsys, random_weights, network):
    draw_people(tmp_path / "made", 3)
    draw_people(tmp_path / "kept", 2, seed=5, prefix="kept")
    out = tmp_path / "out"
    command = [
        "train", str(tmp_path / "made"), "--network", network, "--init", str(random_weights[network]),
        "--out", str(out), "--val", str(tmp_path / "kept"), "--evaluations", "1", *QUICK[network],
    ]  # fmt: skip
    assert main([*command, "--epochs", "1"]) == 0
    said = capsys.readouterr().out
    assert "3 pictures, 4 people" in said
    assert "4 samples" in said
    assert {BEST, LAST, STATE, HISTORY, "results.png"} <= {path.name for path in out.iterdir()}
    assert (out / "crops").is_dir() == (network in KEYPOINT_NETWORKS)
    rows = list(csv.DictReader((out / HISTORY).open()))
    assert len(rows) == 2  # before the first step and after the last
    assert FIGURES[network] <= rows[0].keys()

    assert network_of(out / BEST) == network
    loaded = load_topdown(out / LAST, network)
    assert loaded.input_size == load_topdown(random_weights[network]).input_size
    assert loaded.origin == "random, trained on with stance train"
    assert loaded.metadata["trained_samples"] == "4"

    assert main([*command, "--epochs", "2", "--resume"]) == 0
    samples = 8 if network in KEYPOINT_NETWORKS else 6  # an epoch is four people, or three pictures
    assert f"{samples} samples" in capsys.readouterr().out
    assert load_topdown(out / LAST).metadata["trained_samples"] == str(samples)


def test_a_training_of_one_network_is_not_resumed_as_another(tmp_path, capsys, random_weights):
    draw_people(tmp_path / "made", 2)
    common = ["train", str(tmp_path / "made"), "--out", str(tmp_path / "out"), "--epochs", "1", "--evaluations", "1"]
    assert main([*common, "--network", "tinypose", "--init", str(random_weights["tinypose"]), *QUICK["tinypose"]]) == 0
    assert "nothing to judge by" in capsys.readouterr().out
    for network in ("picodet-s", "tinypose-small"):
        other = [*common, "--network", network, "--init", str(random_weights[network]), *QUICK[network]]
        assert main([*other, "--resume"]) == 2
        assert "trains another network" in capsys.readouterr().err


def test_the_network_for_small_crops_may_begin_as_the_one_for_large_ones(tmp_path, random_weights):
    """Which then is its teacher, too; so no other weights are looked for."""
    draw_people(tmp_path / "made", 2)
    out = tmp_path / "out"
    begin = ["train", str(tmp_path / "made"), "--network", "tinypose-small", "--init", str(random_weights["tinypose"])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stream.commands.training.topdown.find_weights", None)
        assert main([*begin, "--out", str(out), "--epochs", "1", "--evaluations", "1", "--batch", "2"]) == 0
    loaded = load_topdown(out / BEST, "tinypose-small")
    assert loaded.input_size == (128, 192)
    assert loaded.origin == "random, trained on with stance train"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--network", "tinypose", "--sizes", "0:64"], "--sizes is nothing that tinypose has; it is for yolov7"),
        (["--network", "tinypose", "--sides", "64:1"], "--sides is nothing that tinypose has; it is for picodet-s"),
        (["--network", "picodet-s", "--resident"], "--resident is nothing that picodet-s has"),
        (["--network", "yolov7-tiny-pose", "--teacher", "1"], "it is for picodet-s, tinypose and tinypose-small"),
        (["--network", "tinypose", "--init", "none"], "cannot be trained from nothing"),
        (["--network", "tinypose", "--init", "nowhere.safetensors"], "nowhere.safetensors is missing"),
        (["--network", "tinypose", "--init", "{picodet-s}"], "holds weights of picodet-s, not of tinypose"),
        (["--network", "tinypose", "--init", "{tinypose-small}"], "holds weights of tinypose-small, not of tinypose"),
        (["--network", "tinypose-small", "--init", "{picodet-s}"], "holds weights of picodet-s, not of tinypose-small"),
        (["--network", "picodet-s", "--sides", "64"], "--sides '64' is not of the form"),
        (["--network", "picodet-s", "--sides", "64:0"], "one of them above 0"),
        (["--network", "picodet-s", "--sides", "96:1"], "multiples of 64"),
        (["--network", "picodet-s", "--val", "{kept}", "--val-size", "100"], "The side to judge at is 100"),
        (["--network", "picodet-s", "--ignored-boxes", "nowhere"], "--ignored-boxes nowhere: there is no such"),
        (["--network", "tinypose", "--teacher", "-1"], "--teacher is -1"),
        (["--network", "tinypose", "--set-weight", "coco=2"], "There is no set 'coco'; the sets are made"),
        (["--network", "tinypose", "--set-weight", "coco"], "--set-weight 'coco' is not of the form"),
        (["--network", "tinypose", "--val", "{made}"], "the figures would mean nothing"),
        (["--network", "tinypose", "--val", "{kept}", "--val-limit", "0"], "--val-limit is 0"),
        (["--network", "tinypose", "--resume"], "nothing to resume"),
        (["--network", "tinypose", "--batch", "0"], "batch is 0"),
    ],
)
def test_faults_are_one_sentence(tmp_path, capsys, random_weights, arguments, sentence):
    draw_people(tmp_path / "made", 1)
    draw_people(tmp_path / "kept", 1, prefix="kept")
    places = {"made": tmp_path / "made", "kept": tmp_path / "kept", **random_weights}
    filled = [argument.format(**places) for argument in arguments]
    begin = [] if "--init" in arguments or "yolo" in arguments[1] else ["--init", str(random_weights[arguments[1]])]
    assert main(["train", str(tmp_path / "made"), *filled, *begin, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_ctrl_c_keeps_what_was_learnt(tmp_path, random_weights):
    """A real process, interrupted as from a terminal."""
    draw_people(tmp_path / "made", 2)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "stream.cli", "train", str(tmp_path / "made"), "--out", str(out), "--network",
         "picodet-s", "--init", str(random_weights["picodet-s"]), "--sides", "64:1", "--batch", "1", "--epochs",
         "100000"],
        cwd=Path(__file__).resolve().parents[4], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    log = ""
    while "samples/s" not in log and time.monotonic() < deadline:
        log += process.stderr.read(40)
    os.killpg(process.pid, signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with --resume" in said
    assert "Traceback" not in log + errors
    assert {LAST, STATE} <= {path.name for path in out.iterdir()}
    assert int(load_topdown(out / LAST, "picodet-s").metadata["trained_samples"]) > 0
