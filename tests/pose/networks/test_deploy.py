"""What makes a network fast must not change what it says."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from pose.networks.deploy import fold_input, fuse
from pose.networks.head import decode
from pose.networks.yolov7_pose import YoloPose
from tests.tolerance import assert_close

SIZE = 128


@pytest.fixture(params=["small_w6", "small_tiny"])
def network(request: pytest.FixtureRequest) -> YoloPose:
    return request.getfixturevalue(request.param)


@pytest.fixture
def rgb() -> torch.Tensor:
    """uint8 values as float32 `[2, 3, H, W]`, 0–255."""
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, SIZE, SIZE)).astype(np.float32))


def rows(network: YoloPose, x: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return decode(network(x), network.head.anchors.float(), network.head.strides)


def test_fused(network: YoloPose, rgb: torch.Tensor) -> None:
    expected = rows(network, rgb / 255)
    fused = fuse(copy.deepcopy(network))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    assert_close(rows(fused, rgb / 255), expected)
    assert_close(rows(fuse(fused), rgb / 255), expected)  # twice is once


def test_implicit_layers_alone(network: YoloPose, rgb: torch.Tensor) -> None:
    expected = rows(network, rgb / 255)
    network.head.fold_implicit()
    assert network.head.folded
    assert_close(rows(network, rgb / 255), expected)


def test_bgr_bytes_in(network: YoloPose, rgb: torch.Tensor) -> None:
    expected = rows(network, rgb / 255)
    assert_close(rows(fold_input(network), rgb.flip(1)), expected)


def test_all_of_it_in_channels_last(network: YoloPose, rgb: torch.Tensor) -> None:
    expected = rows(network, rgb / 255)
    fast = fold_input(fuse(network)).to(memory_format=torch.channels_last)
    assert_close(rows(fast, rgb.flip(1).contiguous(memory_format=torch.channels_last)), expected)


def test_bfloat16_stays_near(network: YoloPose, rgb: torch.Tensor) -> None:
    """8 bits of mantissa on numbers of a few cells: half the rows within a pixel or two, none gone wild.

    A single value has no useful bound: random networks amplify noise (facts, section 3: obj up to 0.11 off), so the
    median is judged, and that nothing is lost.
    """
    expected = rows(network, rgb / 255)
    anchors, strides = network.head.anchors.clone(), network.head.strides
    fast = fold_input(fuse(network)).to(torch.bfloat16, memory_format=torch.channels_last)
    with torch.inference_mode():
        actual = decode(fast(rgb.flip(1).to(torch.bfloat16)), anchors, strides)
    assert actual.dtype == torch.float32
    assert actual.isfinite().all()
    error = (actual - expected).abs()
    assert error[..., :4].median() < 0.5  # px
    assert error[..., 6:].reshape(-1, 17, 3)[..., :2].median() < 0.5  # px
    assert error[..., 4:6].median() < 5e-3
    assert error[..., 4:6].max() < 0.2
