"""LCNet: the backbone of PicoDet, and the block that backbone, neck and head are made of.

Cui et al., "PP-LCNet: A Lightweight CPU Convolutional Neural Network", 2021, arXiv 2109.15099. Batch normalisation is
folded: every convolution has a bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["CHANNELS", "LCNet", "Separable"]

CHANNELS: Final = (16, 24, 48, 96, 192, 384)  # of the stem and after each stage


class Stage(NamedTuple):
    """Blocks of the same output channels, the first with a stride."""

    kernels: tuple[int, ...]
    stride: int
    squeezes: bool = False


STAGES: Final = (
    Stage((3,), 1),  # stride 2
    Stage((3, 3), 2),  # stride 4
    Stage((3, 3), 2),  # stride 8
    Stage((3, 5, 5, 5, 5, 5), 2),  # stride 16
    Stage((5, 5), 2, squeezes=True),  # stride 32
)


class LCNet(nn.Module):
    """From pictures to maps of strides 8, 16 and 32: RGB, normalised, `[B, 3, H, W]`, H and W multiples of 32.

    Args:
        channels: of the stem and of each of the five stages.
    """

    def __init__(self, channels: Sequence[int] = CHANNELS):
        super().__init__()
        self.stem = nn.Conv2d(3, channels[0], 3, stride=2, padding=1)
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(
                    Separable(c_out if i else c_in, c_out, kernel, 1 if i else stage.stride, stage.squeezes)
                    for i, kernel in enumerate(stage.kernels)
                )
            )
            for stage, (c_in, c_out) in zip(STAGES, pairwise(channels), strict=True)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = F.hardswish(self.stem(x))  # [B, 16, H / 2, W / 2]
        x = self.stages[0](x)  # [B, 24, H / 2, W / 2]
        x = self.stages[1](x)  # [B, 48, H / 4, W / 4]
        eighth = self.stages[2](x)  # [B, 96, H / 8, W / 8]
        sixteenth = self.stages[3](eighth)  # [B, 192, H / 16, W / 16]
        thirty_second = self.stages[4](sixteenth)  # [B, 384, H / 32, W / 32]
        return eighth, sixteenth, thirty_second


class Separable(nn.Module):
    """A depthwise and a pointwise convolution, h-swish after each, between them a channel gate where it `squeezes`."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, squeezes: bool = False):
        super().__init__()
        self.depthwise = nn.Conv2d(c_in, c_in, kernel, stride, padding=kernel // 2, groups=c_in)
        self.squeeze = SqueezeExcite(c_in) if squeezes else nn.Identity()
        self.pointwise = nn.Conv2d(c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(F.hardswish(self.depthwise(x)))  # [B, c_in, H / stride, W / stride]
        return F.hardswish(self.pointwise(x))  # [B, c_out, H / stride, W / stride]


class SqueezeExcite(nn.Module):
    """Weighs channels by what the whole map holds. Hu et al., "Squeeze-and-Excitation Networks", 2017."""

    def __init__(self, c: int):
        super().__init__()
        self.reduce = nn.Conv2d(c, c // 4, 1)
        self.expand = nn.Conv2d(c // 4, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        weights = F.relu(self.reduce(x.mean((2, 3), keepdim=True)))  # [B, c / 4, 1, 1]
        return x * F.hardsigmoid(self.expand(weights))  # [B, c, H, W]
