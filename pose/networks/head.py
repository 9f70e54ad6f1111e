"""The keypoint head both networks share, and the decoding of what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from pose.keypoints import KEYPOINT_COUNT
from pose.networks.blocks import Conv

__all__ = ["ANCHORS_PER_CELL", "COLUMNS", "KeypointHead", "decode", "decode_above"]

ANCHORS_PER_CELL: Final = 3
BOX_COLUMNS: Final = 6  # x, y, w, h, objectness, class
COLUMNS: Final = BOX_COLUMNS + 3 * KEYPOINT_COUNT  # 57


class KeypointHead(nn.Module):
    """Per level, a map of 3 anchors × 57 numbers for every cell.

    The 18 box channels and the 153 keypoint channels are joined first and split into anchors afterwards, so anchors 1
    and 2 take their box, objectness and class from the keypoint branch. It looks like a slip, but all published weights
    are trained that way.

    Attributes:
        anchors: float32 `[levels, 3, 2]`: width and height in pixels of the network's input. They belong to the
            weights: training may have fitted them to its data.
        strides: pixels per cell of every level.
    """

    anchors: Tensor

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        anchors: Sequence[Sequence[tuple[float, float]]],
        *,
        depthwise: int,
        activation: str,
        bn_eps: float = 1e-3,
    ):
        super().__init__()
        self.strides = tuple(strides)
        self.register_buffer("anchors", torch.tensor(anchors, dtype=torch.float32))
        self.box = nn.ModuleList(nn.Conv2d(c, BOX_COLUMNS * ANCHORS_PER_CELL, 1) for c in channels)
        self.add = nn.ParameterList(torch.empty(1, c, 1, 1).normal_(0, 0.02) for c in channels)
        self.multiply = nn.ParameterList(
            torch.empty(1, BOX_COLUMNS * ANCHORS_PER_CELL, 1, 1).normal_(1, 0.02) for _ in channels
        )
        self.keypoint = nn.ModuleList()
        for c in channels:
            branch: list[nn.Module] = []
            for step in range(2 * depthwise - 1):  # depthwise 3×3, pointwise, depthwise 3×3, … depthwise 3×3
                kernel, groups = (3, c) if step % 2 == 0 else (1, 1)
                branch.append(Conv(c, c, kernel, groups=groups, activation=activation, bn_eps=bn_eps))
            branch.append(nn.Conv2d(c, 3 * KEYPOINT_COUNT * ANCHORS_PER_CELL, 1))
            self.keypoint.append(nn.Sequential(*branch))
        self.folded = False  # whether `add` and `multiply` are already inside `box`

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Raw maps, one per level: `[B, 3, H, W, 57]`, H and W in cells of that level."""
        maps = []
        for level, x in enumerate(features):
            box = self.box[level](x) if self.folded else self.multiply[level] * self.box[level](x + self.add[level])
            joined = torch.cat([box, self.keypoint[level](x)], 1)  # [B, 171, H, W]
            batch, _, height, width = joined.shape
            # Channels last in memory, the permuted view is contiguous and nothing is copied.
            cells = joined.permute(0, 2, 3, 1).unflatten(3, (ANCHORS_PER_CELL, COLUMNS))  # [B, H, W, 3, 57]
            maps.append(cells.permute(0, 3, 1, 2, 4).view(batch, ANCHORS_PER_CELL, height, width, COLUMNS))
        return maps

    def fold_implicit(self) -> None:
        """Put `add` and `multiply` into the box convolution; exact up to rounding."""
        if self.folded:
            return
        for conv, add, multiply in zip(self.box, self.add, self.multiply, strict=True):
            assert isinstance(conv, nn.Conv2d)
            assert conv.bias is not None
            bias = conv.bias + (conv.weight * add).sum((1, 2, 3))
            conv.bias.data = bias * multiply.flatten()
            conv.weight.data = conv.weight * multiply.reshape(-1, 1, 1, 1)
        self.folded = True


def _decode_rows(z: Tensor, cell: Tensor, anchor: Tensor, stride: Tensor) -> Tensor:
    """Decode rows in float32: `z` `[R, 57]`, `cell` `[R, 2]` (x, y), `anchor` `[R, 2]` px, `stride` `[R, 1]` px.

    Keypoints are linear in the cell; only their scores are squashed. (Facts: the formulas of the head as published.)
    """
    z = z.float()
    box = z[:, :BOX_COLUMNS].sigmoid()
    centre = (box[:, 0:2] * 2 - 0.5 + cell) * stride
    size = (box[:, 2:4] * 2) ** 2 * anchor
    points = z[:, BOX_COLUMNS:].unflatten(1, (KEYPOINT_COUNT, 3))
    xy = (points[..., :2] * 2 - 0.5 + cell[:, None]) * stride[:, None]
    scored = torch.cat([xy, points[..., 2:].sigmoid()], -1)
    return torch.cat([centre, size, box[:, 4:6], scored.flatten(1)], 1)


def decode(maps: Sequence[Tensor], anchors: Tensor, strides: Sequence[int]) -> Tensor:
    """Every row of every level: float32 `[B, Σ 3·H·W, 57]`.

    Columns: centre x, centre y, width, height (pixels of the network's input), objectness, class, then x, y and score
    of 17 keypoints. Rows are ordered by level, anchor, y, x.
    """
    batch = maps[0].shape[0]
    parts = []
    for level, z in enumerate(maps):
        _, na, height, width, _ = z.shape
        where = torch.ones(batch, na, height, width, dtype=torch.bool, device=z.device)
        parts.append(_decode_where(z, where, anchors[level], strides[level])[1].view(batch, -1, COLUMNS))
    return torch.cat(parts, 1)


def decode_above(
    maps: Sequence[Tensor], anchors: Tensor, strides: Sequence[int], threshold: float
) -> tuple[Tensor, Tensor]:
    """Only the rows with objectness and objectness × class above `threshold`.

    A street scene leaves some dozens of the thousands of rows, so the other 57-column rows are never touched.

    Returns:
        int64 `[R]`: the picture in the batch every row belongs to; float32 `[R, 57]`, columns as in `decode`, rows of a
        picture in the order of `decode`.
    """
    pictures, rows = [], []
    for level, z in enumerate(maps):
        certainty = z[..., 4:6].float().sigmoid()
        objectness = certainty[..., 0]
        where = (objectness > threshold) & (objectness * certainty[..., 1] > threshold)
        picture, row = _decode_where(z, where, anchors[level], strides[level])
        pictures.append(picture)
        rows.append(row)
    return torch.cat(pictures), torch.cat(rows)


def _decode_where(z: Tensor, where: Tensor, anchors: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    picture, anchor, y, x = where.nonzero(as_tuple=True)
    cell = torch.stack((x, y), 1).float()
    strides = torch.full((len(x), 1), float(stride), device=z.device)
    return picture, _decode_rows(z[picture, anchor, y, x], cell, anchors[anchor].float(), strides)
