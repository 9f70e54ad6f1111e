"""A network that knows nothing yet, begun well."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import nn

from pose.networks.architecture import Architecture
from pose.networks.head import ANCHORS_PER_CELL, BOX_COLUMNS, COLUMNS, KeypointHead
from pose.networks.yolov7_pose import YoloPose, build_network

__all__ = ["fresh_network"]

OBJECTS: Final = 8.0  # in a picture of 640 px: how many cells of a level hold somebody, to begin with


def fresh_network(architecture: Architecture) -> YoloPose:
    """Random weights, and biases with which almost every cell is empty.

    Without them the first thousand steps go into learning just that. (Lin et al., "Focal loss", 2017, section 4.1.)
    """
    model = build_network(architecture)
    _expect_few_people(model.head)
    return model


@torch.no_grad()
def _expect_few_people(head: KeypointHead) -> None:
    for level, stride in enumerate(head.strides):
        box, branch = head.box[level], head.keypoint[level]
        assert isinstance(box, nn.Conv2d)
        assert isinstance(branch, nn.Sequential)
        keypoint = branch[-1]
        assert isinstance(keypoint, nn.Conv2d)
        assert box.bias is not None
        assert keypoint.bias is not None
        # The biases in the order in which the head joins its branches: an anchor's objectness may lie in either.
        joined = torch.cat([box.bias, keypoint.bias])
        joined[4::COLUMNS] = math.log(OBJECTS / (640 / stride) ** 2)
        box.bias.copy_(joined[: BOX_COLUMNS * ANCHORS_PER_CELL])
        keypoint.bias.copy_(joined[BOX_COLUMNS * ANCHORS_PER_CELL :])
