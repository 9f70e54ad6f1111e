"""The building blocks of both YOLOv7-Pose networks.

Paper: Wang, Bochkovskiy, Liao, "YOLOv7: Trainable bag-of-freebies sets new state-of-the-art for real-time object
detectors", 2022 (ELAN in figure 2, SPPCSPC in the appendix).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

__all__ = ["ELAN", "SPPCSPC", "Conv", "ReOrg", "TinySPP", "make_activation", "scaled"]

BN_MOMENTUM = 0.03


def scaled(channels: int, width: float) -> int:
    """`channels` at a width multiple, rounded up to a multiple of 8."""
    return math.ceil(channels * width / 8) * 8


def make_activation(name: str) -> nn.Module:
    """`silu` or `leaky_relu_0.1` (the slope is the number in the name)."""
    if name == "silu":
        return nn.SiLU(inplace=True)
    kind, _, slope = name.rpartition("_")
    if kind == "leaky_relu":
        return nn.LeakyReLU(float(slope), inplace=True)
    raise ValueError(f"There is no activation {name!r}; known are silu and leaky_relu_0.1.")


class Conv(nn.Module):
    """Convolution without bias, batch normalisation, activation. Keeps the size divided by `stride`."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        activation: str,
        groups: int = 1,
        bn_eps: float = 1e-3,
    ):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(c_out, eps=bn_eps, momentum=BN_MOMENTUM)
        self.act = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))


class ReOrg(nn.Module):
    """Space to depth: `[B, 3, H, W]` to `[B, 12, H/2, W/2]`.

    The four pixels of a square come in the order (row, column) = (0, 0), (1, 0), (0, 1), (1, 1): not the order of
    `pixel_unshuffle`.
    """

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[..., 0::2, 0::2], x[..., 1::2, 0::2], x[..., 0::2, 1::2], x[..., 1::2, 1::2]], 1)


class ELAN(nn.Module):
    """Two 1×1 branches, one of them continued by a chain of 3×3 convolutions; some outputs are joined and fused.

    Args:
        taps: which outputs are joined, in the order of joining; 0 and 1 are the 1×1 branches, 2… the chain.
        split: channels of the two 1×1 branches.
        hidden: channels of every convolution in the chain.
    """

    def __init__(
        self,
        c_in: int,
        split: int,
        hidden: int,
        c_out: int,
        taps: Sequence[int],
        *,
        activation: str,
        bn_eps: float = 1e-3,
    ):
        super().__init__()
        conv = partial(Conv, activation=activation, bn_eps=bn_eps)
        self.taps = tuple(taps)
        self.bypass = conv(c_in, split)
        self.entry = conv(c_in, split)
        inputs = [split] + [hidden] * (max(taps) - 2)
        self.chain = nn.ModuleList(conv(c, hidden, 3) for c in inputs)
        joined = sum(split if tap < 2 else hidden for tap in taps)
        self.fuse = conv(joined, c_out)

    def forward(self, x: Tensor) -> Tensor:
        outputs = [self.bypass(x), self.entry(x)]
        for conv in self.chain:
            outputs.append(conv(outputs[-1]))
        return self.fuse(torch.cat([outputs[tap] for tap in self.taps], 1))


class PyramidPool(nn.Module):
    """Max over windows of 5, 9 and 13 pixels, stride 1.

    A window of 9 is two windows of 5 in a row and 13 is three, exactly, which costs less than the large windows.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        five = self.pool(x)
        nine = self.pool(five)
        return five, nine, self.pool(nine)


class SPPCSPC(nn.Module):
    """Spatial pyramid pooling in a cross-stage partial block."""

    def __init__(self, c_in: int, c_out: int, *, activation: str, bn_eps: float = 1e-3):
        super().__init__()
        conv = partial(Conv, activation=activation, bn_eps=bn_eps)
        c = c_out
        self.cv1 = conv(c_in, c)
        self.cv2 = conv(c_in, c)
        self.cv3 = conv(c, c, 3)
        self.cv4 = conv(c, c)
        self.cv5 = conv(4 * c, c)
        self.cv6 = conv(c, c, 3)
        self.cv7 = conv(2 * c, c_out)
        self.pool = PyramidPool()

    def forward(self, x: Tensor) -> Tensor:
        a = self.cv4(self.cv3(self.cv1(x)))
        b = self.cv6(self.cv5(torch.cat([a, *self.pool(a)], 1)))
        return self.cv7(torch.cat([b, self.cv2(x)], 1))


class TinySPP(nn.Module):
    """The tiny network's spatial pyramid pooling: pooled branch and bypass, joined and fused."""

    def __init__(self, c_in: int, c_out: int, *, activation: str, bn_eps: float = 1e-3):
        super().__init__()
        conv = partial(Conv, activation=activation, bn_eps=bn_eps)
        self.bypass = conv(c_in, c_out)
        self.entry = conv(c_in, c_out)
        self.merge = conv(4 * c_out, c_out)
        self.fuse = conv(2 * c_out, c_out)
        self.pool = PyramidPool()

    def forward(self, x: Tensor) -> Tensor:
        a = self.entry(x)
        five, nine, thirteen = self.pool(a)
        b = self.merge(torch.cat([thirteen, nine, five, a], 1))
        return self.fuse(torch.cat([b, self.bypass(x)], 1))
