"""What the training of a detector minimises.

Score, the root of class × quality, as it is used: varifocal loss (Zhang et al., "VarifocalNet", arXiv 2008.13367,
section 3.2), towards the scores of the task-aligned assignment, because the score of the start weights is this product.
A trial of 75 steps with the loss on the class alone lost 0.02 of average precision; that is too short to say that a
network cannot be trained so. Quality: binary cross-entropy towards the overlap of the cell's box with its person's.
Box: one less the generalised IoU (Rezatofighi et al., arXiv 1902.09630), and distribution focal loss on the distances
(Li et al., "Generalized Focal Loss", arXiv 2006.04388, section 3.2). A teacher's answer, where there is one, holds
scores and distances wherever somebody may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from pose.networks.picodet import BINS, Candidates, Level
from pose.training.detector.task_alignment import Assignment, assign, overlaps, shared_and_union

__all__ = [
    "DetectorLoss",
    "DetectorLossSettings",
    "distribution_focal_loss",
    "generalised_iou",
    "log_scores",
    "turned_levels",
    "varifocal_loss",
]

NEGATIVE_WEIGHT: Final = 0.75  # α of the varifocal loss
FOCUS: Final = 2.0  # γ
SURE: Final = 0.1  # score from which a teacher's distances are followed
DISTANCES_OF_TEACHER: Final = 0.25
EPSILON: Final = 1e-7


@dataclass(frozen=True, slots=True)
class DetectorLossSettings:
    """Weight of each part.

    Of score, box and distances in PicoDet's proportion (arXiv 2111.00902, section 3.3). The teacher's outweighs them:
    with equal weights small upright people were lost first, a quarter of them in 200 steps.
    """

    score: float = 0.5
    quality: float = 0.05
    box: float = 1.0
    distances: float = 0.125
    teacher: float = 2.0


class DetectorLoss:
    """The loss of a network's candidates against the people of a batch. Parts: score, quality, box, distances, teacher.

    Each is a sum over cells, over the sum of the batch's assigned scores.
    """

    PARTS: Final = ("score", "quality", "box", "distances", "teacher")

    def __init__(self, settings: DetectorLossSettings | None = None):
        self.settings = settings or DetectorLossSettings()

    def __call__(
        self,
        found: Candidates,
        people: Tensor,
        ignored: Tensor,
        teacher: Candidates | None = None,
        taught: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The weighted sum, a scalar, and float32 `[5]`: the parts before weighting, without gradient.

        Args:
            found: float32 candidates of the network in training.
            people: boxes `[B, N, 4]` in pixels; rows without an area are nobody.
            ignored: boxes `[B, M, 4]`: cells there that answer for nobody are not asked by labels.
            teacher: candidates of another network on the same pictures.
            taught: bool `[B]`: pictures in which the teacher is to be followed.
        """
        boxes = found.boxes()
        assigned = assign(found.scores().detach(), boxes.detach(), found.centres, found.strides, people, ignored)
        total = assigned.score.sum().clamp(min=1.0)
        likely, unlikely = log_scores(found)
        parts = [varifocal_loss(likely, unlikely, assigned.score)[~assigned.ignored].sum() / total]
        parts += self._of_people(found, boxes, people, assigned, total)
        if teacher is None or taught is None:
            parts.append(boxes.new_zeros(()))
        else:
            parts.append(self._of_teacher(found, likely, unlikely, teacher, taught) / total)
        weights = [getattr(self.settings, name) for name in self.PARTS]
        loss = torch.stack([weight * part for weight, part in zip(weights, parts, strict=True)]).sum()
        return loss, torch.stack([part.detach() for part in parts])

    @staticmethod
    def _of_people(
        found: Candidates, boxes: Tensor, people: Tensor, assigned: Assignment, total: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Quality, box and distances at the P cells that answer for somebody."""
        picture, cell = (assigned.person >= 0).nonzero(as_tuple=True)
        weights = assigned.score[picture, cell]  # [P]
        wanted = people[picture, assigned.person[picture, cell]] if len(cell) else boxes.new_zeros((0, 4))
        mine = boxes[picture, cell]  # [P, 4]
        fit = overlaps(mine.detach(), wanted)
        quality = F.binary_cross_entropy_with_logits(found.quality[picture, cell], fit, reduction="none")
        centres, strides = found.centres[cell], found.strides[cell]
        distances = torch.cat([centres - wanted[:, :2], wanted[:, 2:] - centres], 1) / strides  # [P, 4]
        spread = distribution_focal_loss(found.distributions[picture, cell], distances).mean(-1)
        return (
            (quality * weights).sum() / total,
            ((1 - generalised_iou(mine, wanted)) * weights).sum() / total,
            (spread * weights).sum() / total,
        )

    @staticmethod
    def _of_teacher(found: Candidates, likely: Tensor, unlikely: Tensor, teacher: Candidates, taught: Tensor) -> Tensor:
        """Divergence from the teacher's scores and distributions, each in proportion to the scores; a scalar."""
        wanted = teacher.scores()[taught]  # [T, C]
        likely, unlikely = likely[taught], unlikely[taught]
        known = -(torch.special.entr(wanted) + torch.special.entr(1 - wanted))
        apart = cross_entropy(likely, unlikely, wanted) + known
        scores = (torch.maximum(likely.detach().exp(), wanted) * apart).sum()
        picture, cell = (wanted > SURE).nonzero(as_tuple=True)
        theirs = teacher.distributions[taught][picture, cell].softmax(-1)  # [Q, 4, BINS]
        ours = found.distributions[taught][picture, cell].log_softmax(-1)
        spread = (theirs * (theirs.clamp(min=EPSILON).log() - ours)).sum(-1).mean(-1)
        return scores + DISTANCES_OF_TEACHER * (spread * wanted[picture, cell]).sum()


def log_scores(found: Candidates) -> tuple[Tensor, Tensor]:
    """Logarithms of the scores and of one less the scores, `[B, C]`."""
    likely = (F.logsigmoid(found.classes) + F.logsigmoid(found.quality)) / 2
    return likely, (1 - likely.exp()).clamp(min=1e-6).log()


def cross_entropy(likely: Tensor, unlikely: Tensor, wanted: Tensor) -> Tensor:
    """Of the wanted scores and what `log_scores` gives."""
    return -(wanted * likely + (1 - wanted) * unlikely)


def varifocal_loss(likely: Tensor, unlikely: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy weighted by the wanted score where one is wanted, and by the score's own square elsewhere."""
    weight = torch.where(wanted > 0, wanted, NEGATIVE_WEIGHT * likely.detach().exp() ** FOCUS)
    return weight * cross_entropy(likely, unlikely, wanted)


def distribution_focal_loss(distributions: Tensor, distances: Tensor) -> Tensor:
    """Cross-entropy towards the two bins next to each distance, in proportion to their nearness, `[P, 4]`.

    Args:
        distributions: logits `[P, 4, BINS]`.
        distances: in strides, `[P, 4]`; those outside the bins count as the first or the last.
    """
    distances = distances.clamp(0, BINS - 1 - 1e-3)
    below = distances.long()
    share = distances - below
    logs = distributions.log_softmax(-1)
    lower = logs.gather(-1, below[..., None])[..., 0]
    upper = logs.gather(-1, below[..., None] + 1)[..., 0]
    return -((1 - share) * lower + share * upper)


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU less the share of the box around both that neither fills, −1 to 1: `[P]`, of boxes `[P, 4]` x1 y1 x2 y2."""
    shared, union = shared_and_union(a, b)
    around = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    return shared / union.clamp(min=EPSILON) - (around - union) / around.clamp(min=EPSILON)


def turned_levels(levels: Sequence[Level], turns: Tensor) -> list[Level]:
    """What a network says of squares, after each was turned clockwise by its number of quarter turns, `[B]`.

    A cell moves with its picture, and its distances to the left, top, right and bottom change names.
    """
    turned = [Level(*(torch.empty_like(part) for part in level)) for level in levels]
    for turn in range(4):
        rows = (turns % 4 == turn).nonzero()[:, 0]
        for level, into in zip(levels, turned, strict=True):
            for part, target in zip(level[:2], into[:2], strict=True):
                target[rows] = part[rows].rot90(-turn, (2, 3))
            named = level.distributions[rows].unflatten(1, (4, BINS)).roll(turn, 1).flatten(1, 2)
            into.distributions[rows] = named.rot90(-turn, (2, 3))
    return turned
