"""Golden arrays that need nothing from outside the repository; `tests/golden/make_pose.py` says whose they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pose.networks.architecture import Architecture
from pose.networks.head import decode
from pose.weight_files.checkpoint import load_network
from tests.golden.make_pose import made_network
from tests.tolerance import assert_close


def test_w6_gives_the_reference_s_rows(golden: Path, tmp_path: Path) -> None:
    with np.load(golden / "pose_w6_nano.npz") as arrays:
        x, y = arrays["x"], arrays["y"]
        state = {name: torch.from_numpy(arrays[name]) for name in arrays.files if name.startswith("model.")}
    counters = {name.replace("running_var", "num_batches_tracked") for name in state if name.endswith("running_var")}
    state |= {name: torch.tensor(0) for name in counters}
    save_file(state, tmp_path / "w6.safetensors", Architecture("yolov7-w6-pose", width=0.03).to_metadata())
    network = load_network(tmp_path / "w6.safetensors")
    with torch.inference_mode():
        assert_close(decode(network(torch.from_numpy(x)), network.head.anchors, network.head.strides), y)


@pytest.mark.parametrize(("branch", "activation"), [("official", "silu"), ("short", "leaky_relu_0.1")])
def test_tiny_gives_the_same_rows_as_when_it_agreed_with_the_reference(
    golden: Path, branch: str, activation: str
) -> None:
    network = made_network(Architecture("yolov7-tiny-pose", branch, "leaky_relu_0.1", activation, width=0.125))
    with np.load(golden / "pose_tiny_made.npz") as arrays, torch.inference_mode():
        maps = network(torch.from_numpy(arrays["x"]))
        assert_close(decode(maps, network.head.anchors, network.head.strides), arrays[f"y_{branch}"])
