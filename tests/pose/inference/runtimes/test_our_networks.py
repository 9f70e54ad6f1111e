"""TinyPose, PicoDet and YOLOv7-Pose give on OpenVINO what they give on PyTorch. Weights from a seed.

In float32 only the order of the sums differs: 2e-5 of the largest value, 5e-3 px for boxes. In bf16 a number has 8 bits
of mantissa, in every layer; the bounds are what random weights give, with room.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pose.inference.runtimes import BYTES_BGR, IMAGENET_RGB, NetworkSpec, open_runtime
from pose.inference.runtimes.openvino_library import shared_core
from pose.networks.architecture import Architecture
from pose.networks.deploy import fold_input, fuse
from pose.networks.picodet import PicoDet, PicoDetBoxes
from pose.networks.tinypose import TinyPose
from tests.golden.make_pose import made_network
from tests.pose.inference.runtimes.toy import pictures

pytest.importorskip("openvino")


def tinypose() -> nn.Module:
    torch.manual_seed(0)
    return TinyPose().eval()


def picodet() -> nn.Module:
    torch.manual_seed(0)
    return PicoDetBoxes(PicoDet()).eval()


def yolo() -> nn.Module:
    return fold_input(fuse(made_network(Architecture("yolov7-tiny-pose", width=0.125))))


SPECS = {
    "tinypose": NetworkSpec("tinypose", tinypose, None, (256, 192), IMAGENET_RGB),
    "picodet-s": NetworkSpec("picodet-s", picodet, None, (192, 192), IMAGENET_RGB),
    "yolo": NetworkSpec("yolo", yolo, None, (None, None), BYTES_BGR),
}


def images(name: str) -> np.ndarray:
    height, width = SPECS[name].size
    return pictures(3, height or 96, width or 128)


@pytest.fixture(scope="module")
def expected() -> dict[str, tuple[np.ndarray, ...]]:
    answers = {}
    for name, spec in SPECS.items():
        with open_runtime(spec, "torch", device="cpu", precision="fp32", threads=1) as running:
            answers[name] = running(images(name))
    return answers


@pytest.mark.parametrize("name", SPECS)
def test_fp32(name: str, expected: dict[str, tuple[np.ndarray, ...]]) -> None:
    with open_runtime(SPECS[name], "openvino", precision="fp32", threads=2) as running:
        actual = running(images(name))
    assert len(actual) == len(expected[name])
    for one, other in zip(actual, expected[name], strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=2e-5 * np.abs(other).max(), rtol=0)


@pytest.mark.parametrize("name", SPECS)
def test_bf16(name: str, expected: dict[str, tuple[np.ndarray, ...]]) -> None:
    if "BF16" not in shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bf16")
    with open_runtime(SPECS[name], "openvino", precision="bf16", threads=2) as running:
        actual = running(images(name))
    for one, other in zip(actual, expected[name], strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=0.05 * np.abs(other).max(), rtol=0)
        assert np.abs(one - other).mean() < 0.005 * np.abs(other).max()
