"""Where the material lies that is not part of the repository, and networks that several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from pose.networks.architecture import Architecture
from pose.networks.yolov7_pose import YoloPose
from tests.golden.make_pose import made_network

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
SHIPPED = ROOT / "weights" / "yolov7-tiny-pose.safetensors"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of pictures, clips and parity arrays."""
    if not SHARED.is_dir():
        pytest.skip("needs the material in ../shared, which is not part of the repository")
    return SHARED


@pytest.fixture(scope="session")
def parity(shared: Path) -> Path:
    """Checkpoints in the official formats, and what the reference made of them."""
    return shared / "parity"


@pytest.fixture(scope="session")
def golden() -> Path:
    """Golden arrays, and `make_pose.py` that made them."""
    return ROOT / "tests" / "golden"


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
