"""Which cells answer for which person: those that are sure of it and whose box already fits.

Feng et al., "TOOD: Task-aligned One-stage Object Detection", 2021, arXiv 2108.07755, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

__all__ = ["Assignment", "assign", "overlaps", "shared_and_union"]

CELLS_PER_PERSON: Final = 13
SCORE_POWER: Final = 1.0
OVERLAP_POWER: Final = 6.0
EPSILON: Final = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """What each of C cells is asked for.

    Attributes:
        person: int64 `[B, C]`: row of the person the cell answers for, -1 for nobody.
        score: float32 `[B, C]`: how sure the cell should be, 0–1; 0 for nobody.
        ignored: bool `[B, C]`: cells that nothing is asked of.
    """

    person: Tensor
    score: Tensor
    ignored: Tensor


@torch.no_grad()
def assign(
    scores: Tensor, boxes: Tensor, centres: Tensor, strides: Tensor, people: Tensor, ignored: Tensor
) -> Assignment:
    """Ask the cells that fit best.

    A cell may answer for a person in whose box its centre lies; for a box without a centre, the nearest of the finest
    level may. Of these the `CELLS_PER_PERSON` with the highest score × overlap⁶ do; one that two people want answers
    for the one it overlaps more. The best should be as sure as the best overlap, the others less in proportion.

    Args:
        scores: `[B, C]`, 0–1, as the network gives them.
        boxes: `[B, C, 4]`, likewise, x1, y1, x2, y2 in pixels.
        centres: of the cells in pixels, `[C, 2]`.
        strides: of the cells in pixels, `[C, 1]`.
        people: boxes `[B, N, 4]` in pixels; rows without an area are nobody.
        ignored: boxes `[B, M, 4]`; cells with their centre in one, who answer for nobody, are asked for nothing.
    """
    kept_from = _inside(centres, ignored).any(1)  # [B, C]
    if not people.shape[1]:
        nobody = torch.full_like(scores, -1, dtype=torch.int64)
        return Assignment(nobody, torch.zeros_like(scores), kept_from)
    real = (people[..., 2:] > people[..., :2]).all(-1)  # [B, N]
    may = _inside(centres, people)  # [B, N, C]
    middles = (people[..., :2] + people[..., 2:]) / 2
    away = torch.cdist(middles, centres.expand(len(people), -1, -1))  # [B, N, C]
    nearest = away.masked_fill(strides[:, 0] > strides.min(), torch.inf).argmin(-1)
    without = real & ~may.any(-1)
    may |= torch.nn.functional.one_hot(nearest, may.shape[-1]).bool() & without[..., None]

    overlap = overlaps(people[:, :, None], boxes[:, None])  # [B, N, C]
    alignment = scores[:, None] ** SCORE_POWER * overlap**OVERLAP_POWER * may  # [B, N, C]
    count = min(CELLS_PER_PERSON, alignment.shape[-1])
    best = alignment.topk(count, dim=-1).indices
    chosen = torch.zeros_like(may).scatter_(-1, best, True) & may & (real[..., None])
    overlap = overlap * chosen
    person = torch.where(chosen.any(1), (overlap + chosen).argmax(1), -1)  # [B, C]
    chosen &= person[:, None] == torch.arange(people.shape[1], device=person.device)[:, None]
    alignment, overlap = alignment * chosen, overlap * chosen
    wanted = alignment / (alignment.amax(-1, keepdim=True) + EPSILON**2) * overlap.amax(-1, keepdim=True)  # [B, N, C]
    return Assignment(person, wanted.amax(1), kept_from & (person < 0))


def overlaps(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes `[..., 4]`, x1, y1, x2, y2, 0 where neither has an area."""
    shared, union = shared_and_union(a, b)
    return shared / union.clamp(min=EPSILON)


def shared_and_union(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Areas of the intersection and of the union of boxes `[..., 4]`, x1, y1, x2, y2."""
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    areas = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1) + (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1)
    return shared, areas - shared


def _inside(centres: Tensor, boxes: Tensor) -> Tensor:
    """Which centres `[C, 2]` lie in which boxes `[B, N, 4]`: bool `[B, N, C]`."""
    low, high = boxes[:, :, None, :2], boxes[:, :, None, 2:]
    return ((centres > low) & (centres < high)).all(-1)
