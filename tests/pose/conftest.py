"""Where the material lies that is not part of the repository, and networks that several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from pose.networks.architecture import Architecture
from pose.networks.picodet import PicoDet
from pose.networks.tinypose import TinyPose
from pose.networks.yolov7_pose import YoloPose
from pose.weight_files.checkpoint import save_network
from pose.weight_files.known_weights import SHIPPED
from pose.weight_files.topdown_file import save_topdown
from tests.golden.make_pose import made_network

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def parity(shared: Path) -> Path:
    """Checkpoints in the official formats, and what the reference made of them."""
    return shared / "parity"


@pytest.fixture(scope="session")
def golden() -> Path:
    """Golden arrays, and `make_pose.py` that made them."""
    return ROOT / "tests" / "golden"


@pytest.fixture(scope="session")
def made_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with weights from a seed: the parts of the top-down network, and a small tiny YOLO."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_topdown(PicoDet(), folder / "picodet-s.safetensors", (320, 320), "a seed")
        save_topdown(TinyPose(), folder / "tinypose.safetensors", (192, 256), "a seed")
        save_topdown(TinyPose(), folder / "tinypose-small.safetensors", (128, 192), "a seed")
    tiny = made_network(Architecture("yolov7-tiny-pose", "short", "leaky_relu_0.1", width=0.125))
    save_network(tiny, folder / "yolov7-tiny-pose.safetensors")
    return folder


@pytest.fixture(scope="session")
def shipped_weights() -> Path:
    """The folder with the weights that ship."""
    folder = ROOT / "weights"
    if missing := [part for part in SHIPPED if not (folder / f"{part}.safetensors").is_file()]:
        pytest.skip(f"needs the weights that ship, and {' and '.join(missing)} are not in weights/")
    return folder


@pytest.fixture
def only_made_weights(made_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights are looked for in `made_weights` and nowhere else."""
    monkeypatch.setattr("pose.weight_files.location.weights_folders", lambda: [made_weights])
    monkeypatch.setattr("pose.weight_files.location.weights_folder", lambda: made_weights)
    return made_weights


@pytest.fixture
def small_w6() -> YoloPose:
    """A w6 network of the smallest width, weights from a seed."""
    return made_network(Architecture("yolov7-w6-pose", width=0.03))


@pytest.fixture
def small_tiny() -> YoloPose:
    """A tiny network of the smallest width with the official keypoint branch, weights from a seed."""
    return made_network(Architecture("yolov7-tiny-pose", "official", "leaky_relu_0.1", width=0.125))


@pytest.fixture
def cuda() -> torch.device:
    """A GPU; without one the test is skipped, and fails where one is promised (`STANCE_EXPECT_GPU=1`)."""
    if not torch.cuda.is_available():
        if os.environ.get("STANCE_EXPECT_GPU") == "1":
            pytest.fail("STANCE_EXPECT_GPU promises a CUDA GPU, and PyTorch finds none")
        pytest.skip("needs a CUDA GPU, and PyTorch finds none")
    torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda:0")
