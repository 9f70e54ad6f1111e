"""Making a trained network fast: what training needs and running does not is folded into the weights."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pose.networks.blocks import Conv
from pose.networks.yolov7_pose import W6Pose, YoloPose

__all__ = ["fold_input", "fuse"]


@torch.no_grad()
def fuse(model: YoloPose) -> YoloPose:
    """Fold every batch normalisation and the head's implicit layers into the convolutions, in place.

    Exact up to rounding: 0.002 px on coordinates of 2,000 px (float32, random weights).
    """
    for module in model.modules():
        if isinstance(module, Conv) and isinstance(module.bn, nn.BatchNorm2d):
            module.conv = fuse_conv_bn_eval(module.conv, module.bn)
            module.bn = nn.Identity()
    model.head.fold_implicit()
    return model


@torch.no_grad()
def fold_input(model: YoloPose) -> YoloPose:
    """Let the first convolution take BGR 0–255, as cameras give it, instead of RGB 0–1; in place.

    Saves reordering and scaling every picture, and 0–255 is exact in bfloat16 where 0–1 is not. Grey borders and the
    convolution's own zeros keep their meaning, because zero stays zero.
    """
    weight = model.conv1.conv.weight
    groups = 4 if isinstance(model, W6Pose) else 1  # ReOrg has spread every colour over four channels
    order = [3 * group + colour for group in range(groups) for colour in (2, 1, 0)]
    model.conv1.conv.weight = nn.Parameter(weight[:, order] / 255, requires_grad=False)
    return model
