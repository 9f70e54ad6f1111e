"""PicoDet-S: where the people in a picture are.

Yu et al., "PP-PicoDet: A Better Real-Time Object Detector on Mobile Devices", 2021, arXiv 2111.00902. Backbone LCNet,
neck CSP-PAN, here one class and, other than in the paper, a head of its own for each level and a quality branch beside
the class. 1.15 M parameters, batch normalisation folded. Answers to PaddleDetection's pedestrian detector by its list
of operations; `tests/pose/networks/test_topdown_parity.py` holds boxes and scores to those of the start weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pose.networks.csp_pan import KERNEL, CspPan
from pose.networks.lcnet import CHANNELS, LCNet, Separable

__all__ = ["BINS", "STRIDES", "Candidates", "Level", "PicoDet", "PicoDetBoxes", "candidates", "decode"]

STRIDES: Final = (8, 16, 32, 64)
BINS: Final = 8  # of each distance, in strides: 0 to 7
NECK_CHANNELS: Final = 96


class Level(NamedTuple):
    """What the head of one level gives for each of its h × w cells.

    Attributes:
        classes: logits that a person is centred here, `[B, 1, h, w]`.
        quality: logits of the box's overlap with the person, `[B, 1, h, w]`.
        distributions: logits of the distances to left, top, right, bottom, `[B, 4 * BINS, h, w]`.
    """

    classes: Tensor
    quality: Tensor
    distributions: Tensor


class Candidates(NamedTuple):
    """The cells of all levels in one row, C of them: level by level, row by row.

    Attributes:
        classes, quality: logits `[B, C]`.
        distributions: logits `[B, C, 4, BINS]`.
        centres: of the cells, x and y in pixels of the input, `[C, 2]`.
        strides: pixels per bin, `[C, 1]`.
    """

    classes: Tensor
    quality: Tensor
    distributions: Tensor
    centres: Tensor
    strides: Tensor

    def distances(self) -> Tensor:
        """Expected distances from the centre to left, top, right, bottom in pixels, `[B, C, 4]`."""
        bins = torch.arange(BINS, dtype=self.distributions.dtype, device=self.distributions.device)
        return self.distributions.softmax(-1) @ bins * self.strides

    def boxes(self) -> Tensor:
        """x1, y1, x2, y2 in pixels of the input, `[B, C, 4]`."""
        before, after = self.distances().chunk(2, dim=-1)  # [B, C, 2] each
        return torch.cat([self.centres - before, self.centres + after], -1)

    def scores(self) -> Tensor:
        """How sure it is that the box holds a person and fits, 0–1, `[B, C]`."""
        return (self.classes.sigmoid() * self.quality.sigmoid()).sqrt()


class PicoDet(nn.Module):
    """From pictures to raw levels: RGB, normalised, float `[B, 3, H, W]`, H and W multiples of 32, to four `Level`.

    Args:
        channels: of the backbone's stem and stages.
        neck_channels: of neck and head.
    """

    def __init__(self, channels: Sequence[int] = CHANNELS, neck_channels: int = NECK_CHANNELS):
        super().__init__()
        self.backbone = LCNet(channels)
        self.neck = CspPan(channels[-3:], neck_channels)
        self.heads = nn.ModuleList(Head(neck_channels) for _ in STRIDES)

    def forward(self, x: Tensor) -> list[Level]:
        levels = self.neck(self.backbone(x))  # [B, 96, H / s, W / s] for each stride s
        return [head(level) for head, level in zip(self.heads, levels, strict=True)]


class Head(nn.Module):
    """The head of one level."""

    def __init__(self, c: int):
        super().__init__()
        self.tower = nn.Sequential(Separable(c, c, KERNEL), Separable(c, c, KERNEL))
        self.gate = nn.Conv2d(c, c, 1)
        self.mix = nn.Conv2d(c, c, 1)
        self.to_class = nn.Conv2d(c, 1, 1)
        self.to_distributions = nn.Conv2d(c, 4 * BINS, 1)
        self.gather_quality = nn.Conv2d(c, 1, KERNEL, padding=KERNEL // 2)
        self.to_quality = nn.Conv2d(1, 1, 1)

    def forward(self, x: Tensor) -> Level:
        x = self.tower(x)  # [B, 96, h, w]
        quality = self.to_quality(F.hardswish(self.gather_quality(x)))  # [B, 1, h, w], before the gate
        x = x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()  # [B, 96, h, w]
        x = F.hardswish(self.mix(x))  # [B, 96, h, w]
        return Level(self.to_class(x), quality, self.to_distributions(x))


class PicoDetBoxes(nn.Module):
    """A PicoDet with its decoding, for runtimes: `[B, 3, H, W]` to boxes `[B, C, 4]` and scores `[B, C]`."""

    def __init__(self, network: PicoDet):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return decode(self.network(x))


def decode(levels: Sequence[Level]) -> tuple[Tensor, Tensor]:
    """Boxes `[B, C, 4]` in pixels of the input and scores `[B, C]` of all cells; what overlaps is still in."""
    found = candidates(levels)
    return found.boxes(), found.scores()


def candidates(levels: Sequence[Level]) -> Candidates:
    """The levels' cells in one row."""
    return Candidates(
        torch.cat([level.classes.flatten(1) for level in levels], 1),
        torch.cat([level.quality.flatten(1) for level in levels], 1),
        torch.cat([level.distributions.flatten(2).transpose(1, 2) for level in levels], 1).unflatten(2, (4, BINS)),
        torch.cat([centres(level.classes, stride) for level, stride in zip(levels, STRIDES, strict=True)]),
        torch.cat(
            [
                torch.full_like(level.classes[0].reshape(-1, 1), stride)
                for level, stride in zip(levels, STRIDES, strict=True)
            ]
        ),
    )


def centres(cells: Tensor, stride: int) -> Tensor:
    """Centres of the cells of a map `[..., h, w]`, x and y in pixels, `[h * w, 2]`."""
    height, width = cells.shape[-2:]
    y = (torch.arange(height, dtype=cells.dtype, device=cells.device) + 0.5) * stride
    x = (torch.arange(width, dtype=cells.dtype, device=cells.device) + 0.5) * stride
    return torch.stack([x.repeat(height), y.repeat_interleave(width)], 1)
