"""What training minimises.

Box, objectness, keypoints and their visibility as YOLO-Pose defines them (Maji et al., 2022, section 3.4), on the head
of `pose.networks.head`. Five things differ from the implementation that the published weights were trained with:

- A level whose people have no labelled keypoint contributes 0 instead of NaN.
- A keypoint of unknown visibility takes part in nothing.
- The class column is trained: towards the object keypoint similarity that the keypoints of this very prediction reach.
  There is one class, so the column has nothing to say about it, and left alone it is a constant; as the factor it is in
  a person's score (objectness × class) it now orders people by how good their keypoints are, which is what average
  precision asks.
- Gains are what they say: none is multiplied by the number of levels or classes or by the size of the picture.
- Far-off keypoints keep pulling: `1 − exp(−e)` alone has no slope where e is large, so a part of log(1 + e) is added.

`LossSettings.published()` switches the last three back; tests hold that to the reference's numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from pose.keypoints import KEYPOINT_COUNT, SIGMAS
from pose.networks.head import BOX_COLUMNS, KeypointHead
from pose.training.yolo.assignment import Candidates, anchor_candidates, best_candidates
from pose.training.yolo.targets import Targets

__all__ = ["LOSS_PARTS", "LossSettings", "PoseLoss", "complete_iou"]

BALANCE: Final = {3: (4.0, 1.0, 0.4), 4: (4.0, 1.0, 0.25, 0.06)}
"""Weight of every level in the objectness loss, finest first: fine levels have more cells, mostly empty."""
LOSS_PARTS: Final = ("box", "objectness", "quality", "keypoint", "visibility")
EPSILON: Final = 1e-7
FOUND: Final = 0.25  # objectness from which a prediction counts as somebody, where labels are incomplete
APART: Final = 0.3  # and the overlap with labelled people below which it is somebody else


@dataclass(frozen=True, slots=True)
class LossSettings:
    """Weights of the parts, and how people are assigned.

    Attributes:
        box, objectness, quality, keypoint, visibility: weight of each part.
        far: weight of log(1 + e) within the keypoint part.
        assigner: "anchor", or "transport" for the best of the anchors' candidates.
    """

    box: float = 0.05
    objectness: float = 0.7
    quality: float = 0.05
    keypoint: float = 0.3
    visibility: float = 0.03
    far: float = 0.05
    assigner: Literal["anchor", "transport"] = "anchor"

    @classmethod
    def published(cls, levels: int, image_size: int = 640) -> LossSettings:
        """The effective weights of the published recipe, for a head of so many levels, trained at this size."""
        scale = 3 / levels
        visibility = 0.3 / 80 * scale
        objectness = 0.7 * scale * (image_size / 640) ** 2
        return cls(0.05 * scale, objectness, 0.0, 0.1, visibility, far=0.0)


class PoseLoss:
    """The loss of a network's raw maps against the people of a batch.

    Args:
        head: of the network that is trained; its anchors and strides are read.
        settings: None for the defaults.
    """

    def __init__(self, head: KeypointHead, settings: LossSettings | None = None):
        self.settings = settings or LossSettings()
        self._head = head
        self._variances = 4 * torch.tensor(SIGMAS) ** 2  # [17]

    def __call__(self, maps: Sequence[Tensor], targets: Targets) -> tuple[Tensor, Tensor]:
        """The loss and its parts.

        Args:
            maps: `[B, 3, H, W, 57]` per level, as the network gives them.
            targets: on the device of the maps.

        Returns:
            The weighted sum, a scalar; float32 `[5]`: the parts before weighting, in the order of `LOSS_PARTS`, summed
            over levels, without gradient.
        """
        settings = self.settings
        levels = [
            _Level(z, targets, anchors, stride, self._variances.to(z.device))
            for z, anchors, stride in zip(maps, self._head.anchors, self._head.strides, strict=True)
        ]
        if settings.assigner == "transport" and len(targets):
            kept = best_candidates(
                [level.candidates for level in levels],
                [level.overlap.detach().clamp(min=0) for level in levels],
                [level.cost() for level in levels],
                len(targets),
            )
            for level, candidates in zip(levels, kept, strict=True):
                level.predict(candidates)
        parts = torch.stack(
            [
                torch.stack(level.losses(settings, balance))
                for level, balance in zip(levels, BALANCE[len(levels)], strict=True)
            ]
        ).sum(0)
        weights = parts.new_tensor([getattr(settings, part) for part in LOSS_PARTS])
        return (parts * weights).sum(), parts.detach()


class _Level:
    """One level of the head: its candidates, what the network predicts there, and the losses."""

    def __init__(self, z: Tensor, targets: Targets, anchors: Tensor, stride: int, variances: Tensor):
        self.z, self.targets, self.anchors, self.stride, self.variances = z, targets, anchors.float(), stride, variances
        self.predict(anchor_candidates(targets, self.anchors, stride, z.shape[2], z.shape[3]))

    def predict(self, candidates: Candidates) -> None:
        """Read the maps at the candidates. All lengths in cells."""
        self.candidates = candidates
        person, anchor, cell = candidates.person, candidates.anchor, candidates.cell
        self.picture = self.targets.picture[person]
        row = self.z[self.picture, anchor, cell[:, 1], cell[:, 0]].float()  # [P, 57]
        self.objectness, self.quality = row[:, 4], row[:, 5]
        squashed = row[:, :4].sigmoid()
        centre = squashed[:, :2] * 2 - 0.5 + cell
        size = (squashed[:, 2:] * 2) ** 2 * self.anchors[anchor] / self.stride
        self.boxes = torch.cat([centre, size], 1)
        self.wanted_boxes = self.targets.boxes[person] / self.stride
        self.overlap = complete_iou(self.boxes, self.wanted_boxes)

        points = row[:, BOX_COLUMNS:].unflatten(1, (KEYPOINT_COUNT, 3))
        wanted = self.targets.keypoints[person]  # [P, 17, 3]
        self.visible = points[..., 2]
        self.labelled = (wanted[..., 2] > 0).float()
        self.known = (wanted[..., 2] >= 0).float()
        distance = (points[..., :2] * 2 - 0.5 + cell[:, None]) - wanted[..., :2] / self.stride
        area = self.wanted_boxes[:, 2:].prod(1)
        self.error = distance.square().sum(-1) / (area[:, None] * self.variances + 1e-9)  # [P, 17]

    def similarity(self) -> Tensor:
        """Object keypoint similarity of every candidate over its labelled keypoints: `[P]`, 0 without any."""
        return ((-self.error).exp() * self.labelled).sum(1) / self.labelled.sum(1).clamp(min=1)

    def cost(self) -> Tensor:
        """What choosing a candidate costs: unlikely, badly overlapping and badly placed ones cost more. `[P]`."""
        overlap = self.overlap.detach().clamp(min=1e-3)
        similarity = self.similarity().detach().clamp(min=1e-3)
        unlikely = F.softplus(-self.objectness.detach())  # −log σ
        placed = torch.where(self.labelled.sum(1) > 0, -similarity.log(), -overlap.log())
        return unlikely - 3 * overlap.log() + placed

    def losses(self, settings: LossSettings, balance: float) -> tuple[Tensor, ...]:
        """The five parts of this level, unweighted."""
        nothing = self.z.new_zeros((), dtype=torch.float32)
        objectness = balance * self._objectness()
        if not len(self.candidates):
            return nothing, objectness, nothing, nothing, nothing
        box = (1 - self.overlap).mean()
        placed = 1 - (-self.error).exp() + settings.far * self.error.log1p()
        keypoint = _mean(placed, self.labelled)
        visibility = _mean(
            F.binary_cross_entropy_with_logits(self.visible, self.labelled, reduction="none"), self.known
        )
        judged = (self.labelled.sum(1) > 0).float()
        quality = _mean(
            F.binary_cross_entropy_with_logits(self.quality, self.similarity().detach(), reduction="none"), judged
        )
        return box, objectness, quality, keypoint, visibility

    def _objectness(self) -> Tensor:
        """Towards the overlap at the candidates, 0 elsewhere. The mean over the cells that count."""
        z = self.z[..., 4].float()  # [B, 3, H, W]
        wanted = torch.zeros(z.shape, device=z.device)
        where = (self.picture, self.candidates.anchor, self.candidates.cell[:, 1], self.candidates.cell[:, 0])
        flat = torch.zeros_like(self.picture)
        for place, size in zip(where, z.shape, strict=True):
            flat = flat * size + place
        # Where one cell answers for two people, the better prediction counts.
        value = self.overlap.detach().clamp(min=0)
        wanted.view(-1).scatter_reduce_(0, flat, value, "amax", include_self=True)
        loss = F.binary_cross_entropy_with_logits(z, wanted, reduction="none")
        if bool(self.targets.complete.all()):
            return loss.mean()
        counts = torch.ones(z.shape, device=z.device)
        for picture in (~self.targets.complete).nonzero().flatten().tolist():
            counts[picture] = 1 - self._somebody_else(picture).float()
        counts.view(-1)[flat] = 1
        return (loss * counts).sum() / counts.sum().clamp(min=1)

    @torch.no_grad()
    def _somebody_else(self, picture: int) -> Tensor:
        """Predictions of people that nobody labelled, in a picture that is not labelled completely: `[3, H, W]`."""
        z = self.z[picture].float()
        found = z[..., 4].sigmoid() > FOUND
        anchor, y, x = found.nonzero(as_tuple=True)
        if not len(anchor):
            return found
        row = z[anchor, y, x, :4].sigmoid()
        centre = row[:, :2] * 2 - 0.5 + torch.stack([x, y], 1)
        boxes = torch.cat([centre, (row[:, 2:] * 2) ** 2 * self.anchors[anchor] / self.stride], 1)
        mine = self.targets.boxes[self.targets.picture == picture] / self.stride
        if len(mine):
            overlap = _iou(boxes[:, None], mine[None])[0].amax(1)
            found[anchor, y, x] = overlap < APART
        return found


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean; 0, with a gradient of 0, where no weight is."""
    return (values * weights).sum() / weights.sum().clamp(min=1)


def _iou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union of boxes (centre x, y, width, height) and the diagonal² of the box around both."""
    low_a, high_a = a[..., :2] - a[..., 2:] / 2, a[..., :2] + a[..., 2:] / 2
    low_b, high_b = b[..., :2] - b[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2
    intersection = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(min=0).prod(-1)
    union = a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - intersection + EPSILON
    around = (torch.maximum(high_a, high_b) - torch.minimum(low_a, low_b)).square().sum(-1) + EPSILON
    return intersection / union, around


def complete_iou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU of boxes `[P, 4]` (centre x, y, width, height): overlap less distance and difference in aspect.

    Zheng et al., "Distance-IoU loss", 2020.
    """
    iou, around = _iou(a, b)
    distance = (a[:, :2] - b[:, :2]).square().sum(1) / around
    slant = torch.atan(b[:, 2] / b[:, 3]) - torch.atan(a[:, 2] / a[:, 3])
    aspect = 4 / math.pi**2 * slant.square()
    with torch.no_grad():
        weight = aspect / (aspect - iou + 1 + EPSILON)
    return iou - distance - weight * aspect
