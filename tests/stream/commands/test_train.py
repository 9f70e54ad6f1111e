"""`stance train` of the one-shot networks as a user meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream.cli import main
from tests.pose.training.conftest import draw_people

TINY = ["--network", "yolov7-tiny-pose"]
QUICK = [*TINY, "--init", "none", "--sizes", "0:64", "--batch", "4", "--workers", "0", "--val-size", "64"]


def test_from_labelled_pictures_to_weights_that_can_be_judged(tmp_path, capsys):
    draw_people(tmp_path / "made", 4)
    draw_people(tmp_path / "kept", 3, seed=5, prefix="kept")
    out = tmp_path / "out"
    data = [str(tmp_path / "made"), "--val", str(tmp_path / "kept"), "--out", str(out)]
    assert main(["train", *data, *QUICK, "--epochs", "2", "--evaluations", "2"]) == 0
    said = capsys.readouterr().out
    assert "4 pictures, 6 people" in said
    assert "8 samples" in said
    names = {path.name for path in out.iterdir()}
    assert {"last.safetensors", "best.safetensors", "state.pt", "history.csv", "results.png"} <= names
    curves = cv2.imread(str(out / "results.png"))
    assert curves.shape[0] > 300
    assert len(np.unique(curves.reshape(-1, 3), axis=0)) > 20
    shown = sorted(name for name in names if name.startswith("predictions_"))
    assert shown == ["predictions_00000004.jpg", "predictions_00000008.jpg"]

    assert main(["evaluate-pose", str(tmp_path / "kept"), "--weights", str(out / "last.safetensors"), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) >= {"ap", "ap50", "ap75", "ap_medium", "ap_large"}

    assert main(["train", *data, *QUICK, "--epochs", "3", "--resume"]) == 0
    assert "12 samples" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{made}", "--val", "{made}"], "the figures would mean nothing"),
        (["{made}", "--sizes", "192"], "--sizes '192' is not of the form"),
        (["{made}", "--sizes", "0.2:192"], "rising shares from 0"),
        (["{made}", "--set-weight", "coco"], "--set-weight 'coco' is not of the form"),
        (["{made}", "--resume"], "nothing to resume"),
        (["{made}", "--init", "nowhere.safetensors"], "nowhere.safetensors is missing"),
        (["{made}", "--batch", "0"], "batch is 0"),
        (["{made}/nothing"], "nothing"),
    ],
)
def test_faults_are_one_sentence(tmp_path, capsys, arguments, sentence):
    draw_people(tmp_path / "made", 2)
    filled = [argument.format(made=tmp_path / "made") for argument in arguments]
    fresh = [] if "--init" in arguments else ["--init", "none"]
    assert main(["train", *filled, *fresh, *TINY, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_ctrl_c_keeps_what_was_learnt(tmp_path):
    """A real process with real workers, interrupted as from a terminal: the whole group gets the signal."""
    draw_people(tmp_path / "made", 4)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "stream.cli", "train", str(tmp_path / "made"), "--out", str(out), "--init", "none",
         *TINY, "--sizes", "0:64", "--batch", "4", "--workers", "1", "--epochs", "100000"],
        cwd=Path(__file__).resolve().parents[3], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
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
    assert {"last.safetensors", "state.pt"} <= {path.name for path in out.iterdir()}
