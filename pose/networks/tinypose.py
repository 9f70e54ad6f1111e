"""TinyPose: the 17 keypoints of the person in a crop, as heat maps.

A Lite-HRNet without conditional channel weighting (Yu et al., "Lite-HRNet: A Lightweight High-Resolution Network",
2021, arXiv 2104.06403, there "naive Lite-HRNet"), 1.3 M parameters. Branches of 1/4, 1/8, 1/16 and 1/32 of the
resolution run side by side and exchange what they found. Batch normalisation is folded: every convolution has a bias.
Answers to PaddleDetection's PP-TinyPose by its list of operations; `tests/pose/networks/test_topdown_parity.py` holds
its heat maps to those of the start weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["TinyPose"]

KEYPOINTS: Final = 17
CHANNELS: Final = (40, 80, 160, 320)  # of the branches, from high resolution to low
MODULES: Final = (2, 4, 2)  # of the stages; stage s has s + 2 branches
UNITS: Final = 2  # shuffle units of a branch in each module
STEM_CHANNELS: Final = 32


class TinyPose(nn.Module):
    """From crops to heat maps: RGB, normalised, float `[B, 3, 256, 192]` to `[B, 17, 64, 48]`.

    Any size in multiples of 32 is taken; the weights are for 256 × 192.

    Args:
        channels: of each branch, from high resolution to low; even numbers.
        modules: how many exchange modules each stage has; one stage less than branches.
    """

    def __init__(self, channels: Sequence[int] = CHANNELS, modules: Sequence[int] = MODULES):
        super().__init__()
        if len(modules) != len(channels) - 1:
            raise ValueError(f"{len(channels)} branches need {len(channels) - 1} stages, not {len(modules)}")
        self.stem = Stem(STEM_CHANNELS)
        self.high_entrance = Separable(STEM_CHANNELS, channels[0])
        # The first new branch grows from the stem, each later one from the lowest branch so far.
        self.low_entrances = nn.ModuleList(
            Separable(c_in, c_out, stride=2) for c_in, c_out in pairwise([STEM_CHANNELS, *channels[1:]])
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(Exchange(channels[: stage + 2]) for _ in range(count)))
            for stage, count in enumerate(modules)
        )
        self.ascent = Ascent(channels)
        self.to_keypoints = nn.Conv2d(channels[0], KEYPOINTS, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)  # [B, 32, 64, 48]
        branches = [self.high_entrance(x)]  # [B, 40, 64, 48]
        lowest = x
        for entrance, stage in zip(self.low_entrances, self.stages, strict=True):
            branches = stage([*branches, entrance(lowest)])  # one more, half as high and wide
            lowest = branches[-1]
        x = self.ascent(branches)  # [B, 40, 64, 48]
        return self.to_keypoints(x)  # [B, 17, 64, 48]


class Stem(nn.Module):
    """A quarter of the resolution: a convolution, then a shuffle block whose two halves both shrink."""

    def __init__(self, c: int):
        super().__init__()
        self.convolution = nn.Conv2d(3, c, 3, stride=2, padding=1)
        self.short_path = Separable(c // 2, c // 2, stride=2)
        self.expand = nn.Conv2d(c // 2, c, 1)
        self.long_path = Separable(c, c // 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.convolution(x))  # [B, 32, 128, 96]
        first, second = x.chunk(2, dim=1)  # [B, 16, 128, 96] each
        first = self.short_path(first)  # [B, 16, 64, 48]
        second = self.long_path(F.relu(self.expand(second)))  # [B, 16, 64, 48]
        return interleaved(first, second)  # [B, 32, 64, 48]


class Separable(nn.Module):
    """A depthwise 3×3 and a pointwise convolution, then ReLU where `activated`; no activation between the two."""

    def __init__(self, c_in: int, c_out: int, stride: int = 1, activated: bool = True):
        super().__init__()
        self.depthwise = nn.Conv2d(c_in, c_in, 3, stride, padding=1, groups=c_in)
        self.pointwise = nn.Conv2d(c_in, c_out, 1)
        self.activated = activated

    def forward(self, x: Tensor) -> Tensor:
        x = self.pointwise(self.depthwise(x))
        return F.relu(x) if self.activated else x


class ShuffleUnit(nn.Module):
    """Half of the channels pass, the other half is convolved, then the channels are shuffled.

    Ma et al., "ShuffleNet V2", 2018, figure 3 (c).
    """

    def __init__(self, c: int):
        super().__init__()
        self.pointwise = nn.Conv2d(c // 2, c // 2, 1)
        self.separable = Separable(c // 2, c // 2)

    def forward(self, x: Tensor) -> Tensor:
        passing, x = x.chunk(2, dim=1)  # [B, c / 2, H, W] each
        return interleaved(passing, self.separable(F.relu(self.pointwise(x))))  # [B, c, H, W]


class Exchange(nn.Module):
    """Every branch on its own, then each gets the sum over all branches, brought to its resolution and channels.

    `paths[to][from]` leads from one branch to another. The first term of each sum counts twice, and what the highest
    branch became before its ReLU, not what it was, goes down to the others. The paper has neither; the start weights
    were trained so.
    """

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        count = len(channels)
        self.branches = nn.ModuleList(nn.Sequential(*(ShuffleUnit(c) for _ in range(UNITS))) for c in channels)
        self.paths = nn.ModuleList(
            nn.ModuleList(path(channels, start, end) for start in range(count)) for end in range(count)
        )

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        sources = [units(x) for units, x in zip(self.branches, branches, strict=True)]
        sums: list[Tensor] = []
        for paths in self.paths:
            assert isinstance(paths, nn.ModuleList)
            first, *others = (way(x) for way, x in zip(paths, sources, strict=True))
            total = 2 * first
            for x in others:
                total = total + x
            if not sums:
                sources[0] = total
            sums.append(total)
        return [F.relu(x) for x in sums]


def path(channels: Sequence[int], start: int, end: int) -> nn.Module:
    """What leads from branch `start` to branch `end`: nothing, halving steps down, or one nearest up-sampling."""
    if start == end:
        return nn.Identity()
    if start > end:
        return nn.Sequential(
            nn.Conv2d(channels[start], channels[end], 1), nn.Upsample(scale_factor=2.0 ** (start - end), mode="nearest")
        )
    steps = [Separable(channels[start], channels[start], stride=2) for _ in range(end - start - 1)]
    return nn.Sequential(*steps, Separable(channels[start], channels[end], stride=2, activated=False))


class Ascent(nn.Module):
    """From the lowest branch up: convolve, enlarge, add to the branch above."""

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        self.steps = nn.ModuleList(Separable(c, channels[max(i - 1, 0)]) for i, c in enumerate(channels))

    def forward(self, branches: Sequence[Tensor]) -> Tensor:
        *upper, (lowest_step, lowest) = zip(self.steps, branches, strict=True)
        x = lowest_step(lowest)  # [B, 160, 8, 6]
        for step, branch in reversed(upper):
            x = step(branch + F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True))
        return x  # [B, 40, 64, 48]


def interleaved(first: Tensor, second: Tensor) -> Tensor:
    """Channel shuffle of two groups: two `[B, c, H, W]` become `[B, 2c, H, W]`, channels taken in turn.

    In the form that runtimes know as a shuffle: with `torch.stack` the network takes OpenVINO 1.6 times as long
    (interleaved calls, one thread of a Zen 5, fp32). Training keeps channels last in memory; stacked so that they stay
    last, a step is 1.4 times as fast as with the copies of the other form.
    """
    if first.is_contiguous(memory_format=torch.channels_last) and not first.is_contiguous():
        pairs = torch.stack((first.permute(0, 2, 3, 1), second.permute(0, 2, 3, 1)), dim=-1)  # [B, H, W, c, 2]
        return pairs.flatten(3).permute(0, 3, 1, 2)  # [B, 2c, H, W]
    x = torch.cat((first, second), dim=1)  # [B, 2c, H, W]
    return x.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)  # [B, 2c, H, W]
