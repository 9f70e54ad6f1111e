"""YOLOv7-W6-Pose and YOLOv7-tiny-Pose, layer for layer.

Backbone and neck: Wang, Bochkovskiy, Liao, "YOLOv7", 2022. Keypoint head: Maji, Nagori, Mathew, Poddar, "YOLO-Pose:
Enhancing YOLO for Multi Person Pose Estimation Using Object Keypoint Similarity Loss", 2022. The layers answer to the
published configurations; `tests/pose/networks/test_parity.py` holds every layer's output to the reference's.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import torch
from torch import Tensor, nn

from pose.networks.architecture import KEYPOINT_BRANCHES, Architecture
from pose.networks.blocks import ELAN, SPPCSPC, Conv, ReOrg, TinySPP, scaled
from pose.networks.head import KeypointHead

__all__ = ["TinyPose", "W6Pose", "YoloPose", "build_network"]

W6_ANCHORS: Final = (
    ((19, 27), (44, 40), (38, 94)),
    ((96, 68), (86, 152), (180, 137)),
    ((140, 301), (303, 264), (238, 542)),
    ((436, 615), (739, 380), (925, 792)),
)
TINY_ANCHORS: Final = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)


class YoloPose(nn.Module):
    """A network from pictures to raw maps: RGB 0–1 `[B, 3, H, W]` to one `[B, 3, H/s, W/s, 57]` per stride s.

    H and W are multiples of the largest stride.
    """

    architecture: Architecture
    conv1: Conv
    head: KeypointHead


class W6Pose(YoloPose):
    """The reference network: 80.2 M parameters, strides 8 to 64, trained at 960 pixels."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        activation, bn_eps = architecture.activation, architecture.bn_eps
        conv = partial(Conv, activation=activation, bn_eps=bn_eps)
        c = partial(scaled, width=architecture.width)

        def backbone_elan(split: int, c_out: int) -> ELAN:
            return ELAN(c_out, c(split), c(split), c_out, (5, 3, 1, 0), activation=activation, bn_eps=bn_eps)

        def neck_elan(c_in: int, c_out: int) -> ELAN:
            taps = (5, 4, 3, 2, 1, 0)
            return ELAN(c_in, c(c_out), c(c_out // 2), c(c_out), taps, activation=activation, bn_eps=bn_eps)

        self.reorg = ReOrg()
        self.conv1 = conv(12, c(64), 3)
        self.down2, self.elan2 = conv(c(64), c(128), 3, 2), backbone_elan(64, c(128))
        self.down3, self.elan3 = conv(c(128), c(256), 3, 2), backbone_elan(128, c(256))
        self.down4, self.elan4 = conv(c(256), c(512), 3, 2), backbone_elan(256, c(512))
        self.down5, self.elan5 = conv(c(512), c(768), 3, 2), backbone_elan(384, c(768))
        self.down6, self.elan6 = conv(c(768), c(1024), 3, 2), backbone_elan(512, c(1024))
        self.spp = SPPCSPC(c(1024), c(512), activation=activation, bn_eps=bn_eps)

        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.reduce6, self.lateral5, self.top5 = conv(c(512), c(384)), conv(c(768), c(384)), neck_elan(2 * c(384), 384)
        self.reduce5, self.lateral4, self.top4 = conv(c(384), c(256)), conv(c(512), c(256)), neck_elan(2 * c(256), 256)
        self.reduce4, self.lateral3, self.top3 = conv(c(256), c(128)), conv(c(256), c(128)), neck_elan(2 * c(128), 128)

        self.up4, self.bottom4 = conv(c(128), c(256), 3, 2), neck_elan(2 * c(256), 256)
        self.up5, self.bottom5 = conv(c(256), c(384), 3, 2), neck_elan(2 * c(384), 384)
        self.up6, self.bottom6 = conv(c(384), c(512), 3, 2), neck_elan(2 * c(512), 512)

        self.out3 = conv(c(128), c(256), 3)
        self.out4 = conv(c(256), c(512), 3)
        self.out5 = conv(c(384), c(768), 3)
        self.out6 = conv(c(512), c(1024), 3)
        self.head = KeypointHead(
            [c(256), c(512), c(768), c(1024)],
            architecture.strides,
            W6_ANCHORS,
            depthwise=KEYPOINT_BRANCHES[architecture.keypoint_branch],
            activation=architecture.keypoint_activation,
            bn_eps=bn_eps,
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.conv1(self.reorg(x))  # 64, H/2
        x = self.elan2(self.down2(x))  # 128, H/4
        p3 = self.elan3(self.down3(x))  # 256, H/8
        p4 = self.elan4(self.down4(p3))  # 512, H/16
        p5 = self.elan5(self.down5(p4))  # 768, H/32
        p6 = self.elan6(self.down6(p5))  # 1024, H/64
        p6 = self.spp(p6)  # 512, H/64

        n5 = self.top5(torch.cat([self.lateral5(p5), self.up(self.reduce6(p6))], 1))  # 384, H/32
        n4 = self.top4(torch.cat([self.lateral4(p4), self.up(self.reduce5(n5))], 1))  # 256, H/16
        n3 = self.top3(torch.cat([self.lateral3(p3), self.up(self.reduce4(n4))], 1))  # 128, H/8

        m4 = self.bottom4(torch.cat([self.up4(n3), n4], 1))  # 256, H/16
        m5 = self.bottom5(torch.cat([self.up5(m4), n5], 1))  # 384, H/32
        m6 = self.bottom6(torch.cat([self.up6(m5), p6], 1))  # 512, H/64

        return self.head([self.out3(n3), self.out4(m4), self.out5(m5), self.out6(m6)])  # 256, 512, 768, 1024


class TinyPose(YoloPose):
    """The small sibling: 7.9 M parameters with the official keypoint branch, 6.9 M with the short one."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        activation, bn_eps = architecture.activation, architecture.bn_eps
        conv = partial(Conv, activation=activation, bn_eps=bn_eps)
        c = partial(scaled, width=architecture.width)

        def elan(c_in: int, hidden: int, c_out: int) -> ELAN:
            return ELAN(c_in, c(hidden), c(hidden), c(c_out), (3, 2, 1, 0), activation=activation, bn_eps=bn_eps)

        self.conv1 = conv(3, c(32), 3, 2)
        self.conv2 = conv(c(32), c(64), 3, 2)
        self.halve = nn.MaxPool2d(2, 2)
        self.elan2 = elan(c(64), 32, 64)
        self.elan3 = elan(c(64), 64, 128)
        self.elan4 = elan(c(128), 128, 256)
        self.elan5 = elan(c(256), 256, 512)
        self.spp = TinySPP(c(512), c(256), activation=activation, bn_eps=bn_eps)

        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.reduce5, self.lateral4, self.top4 = conv(c(256), c(128)), conv(c(256), c(128)), elan(2 * c(128), 64, 128)
        self.reduce4, self.lateral3, self.top3 = conv(c(128), c(64)), conv(c(128), c(64)), elan(2 * c(64), 32, 64)

        self.up4, self.bottom4 = conv(c(64), c(128), 3, 2), elan(2 * c(128), 64, 128)
        self.up5, self.bottom5 = conv(c(128), c(256), 3, 2), elan(2 * c(256), 128, 256)

        self.out3 = conv(c(64), c(128), 3)
        self.out4 = conv(c(128), c(256), 3)
        self.out5 = conv(c(256), c(512), 3)
        self.head = KeypointHead(
            [c(128), c(256), c(512)],
            architecture.strides,
            TINY_ANCHORS,
            depthwise=KEYPOINT_BRANCHES[architecture.keypoint_branch],
            activation=architecture.keypoint_activation,
            bn_eps=bn_eps,
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.elan2(self.conv2(self.conv1(x)))  # 64, H/4
        p3 = self.elan3(self.halve(x))  # 128, H/8
        p4 = self.elan4(self.halve(p3))  # 256, H/16
        p5 = self.elan5(self.halve(p4))  # 512, H/32
        p5 = self.spp(p5)  # 256, H/32

        n4 = self.top4(torch.cat([self.lateral4(p4), self.up(self.reduce5(p5))], 1))  # 128, H/16
        n3 = self.top3(torch.cat([self.lateral3(p3), self.up(self.reduce4(n4))], 1))  # 64, H/8

        m4 = self.bottom4(torch.cat([self.up4(n3), n4], 1))  # 128, H/16
        m5 = self.bottom5(torch.cat([self.up5(m4), p5], 1))  # 256, H/32

        return self.head([self.out3(n3), self.out4(m4), self.out5(m5)])  # 128, 256, 512


def build_network(architecture: Architecture) -> YoloPose:
    """A network of this architecture with fresh weights, in training mode."""
    return W6Pose(architecture) if architecture.network == "yolov7-w6-pose" else TinyPose(architecture)
