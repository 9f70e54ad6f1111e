"""CSP-PAN: the neck of PicoDet, which mixes the backbone's levels and adds one of stride 64.

Yu et al., "PP-PicoDet: A Better Real-Time Object Detector on Mobile Devices", 2021, arXiv 2111.00902, section 3.2. The
start weights' blocks are plain pairs of separable convolutions, without the split of the paper's CSP block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pose.networks.lcnet import Separable

__all__ = ["KERNEL", "CspPan"]

KERNEL: Final = 5  # of all depthwise convolutions of neck and head


class CspPan(nn.Module):
    """From maps of strides 8, 16 and 32 to maps of strides 8, 16, 32 and 64, all of `c` channels.

    Args:
        channels: of the maps that come in.
    """

    def __init__(self, channels: Sequence[int], c: int):
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(c_in, c, 1) for c_in in channels)
        self.mix_down_16, self.mix_down_8 = mixing(c), mixing(c)
        self.shrink_8, self.mix_up_16 = Separable(c, c, KERNEL, stride=2), mixing(c)
        self.shrink_16, self.mix_up_32 = Separable(c, c, KERNEL, stride=2), mixing(c)
        self.shrink_lateral_32 = Separable(c, c, KERNEL, stride=2)
        self.shrink_32 = Separable(c, c, KERNEL, stride=2)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        p8, p16, p32 = (F.hardswish(lateral(x)) for lateral, x in zip(self.laterals, levels, strict=True))
        # From low resolution to high.
        middle = self.mix_down_16(torch.cat([doubled(p32), p16], 1))  # [B, c, H / 16, W / 16]
        out8 = self.mix_down_8(torch.cat([doubled(middle), p8], 1))  # [B, c, H / 8, W / 8]
        # And back.
        out16 = self.mix_up_16(torch.cat([self.shrink_8(out8), middle], 1))  # [B, c, H / 16, W / 16]
        out32 = self.mix_up_32(torch.cat([self.shrink_16(out16), p32], 1))  # [B, c, H / 32, W / 32]
        out64 = self.shrink_lateral_32(p32) + self.shrink_32(out32)  # [B, c, H / 64, W / 64], rounded up
        return [out8, out16, out32, out64]


def mixing(c: int) -> nn.Sequential:
    """Two maps of `c` channels, one behind the other, become one of `c` channels."""
    return nn.Sequential(Separable(2 * c, 2 * c, KERNEL), Separable(2 * c, c, KERNEL))


def doubled(x: Tensor) -> Tensor:
    """Twice as high and wide, nearest neighbour."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
