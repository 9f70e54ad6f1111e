"""Which cells and anchors of the network answer for which person.

Anchor assignment is YOLOv5's (Jocher, 2020), which YOLO-Pose and YOLOv7-Pose train with: an anchor answers for a person
whose sides it resembles, in the cell of the person's centre and in the two neighbouring cells nearest to it. Optimal
transport assignment, in the simplified form of YOLOX (Ge et al., "OTA", 2021; "YOLOX", 2021) that YOLOv7's detector
uses, then keeps for every person only those candidates that fit it best as the network stands, and no candidate for two
people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from pose.training.yolo.targets import Targets

__all__ = ["Candidates", "anchor_candidates", "best_candidates"]

MAX_RATIO: Final = 4.0
"""An anchor resembles a person when neither side is more than this many times the other's."""
MAX_PER_PERSON: Final = 10
"""At most this many candidates of one person are kept by `best_candidates`."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """P candidates of one level of the head, each an anchor in a cell that may answer for a person.

    Attributes:
        person: int64 `[P]`: row of the `Targets`.
        anchor: int64 `[P]`: 0–2.
        cell: int64 `[P, 2]`: x, y.
    """

    person: Tensor
    anchor: Tensor
    cell: Tensor

    def select(self, keep: Tensor) -> Candidates:
        """The candidates of a mask or of indices."""
        return Candidates(self.person[keep], self.anchor[keep], self.cell[keep])

    def __len__(self) -> int:
        return len(self.person)


def anchor_candidates(targets: Targets, anchors: Tensor, stride: int, height: int, width: int) -> Candidates:
    """The candidates of one level.

    Args:
        anchors: float32 `[3, 2]`: width and height in pixels.
        height, width: of the level's map, in cells.
    """
    ratio = targets.boxes[None, :, 2:] / anchors[:, None]  # [3, T, 2]
    anchor, person = (torch.maximum(ratio, 1 / ratio).amax(2) < MAX_RATIO).nonzero(as_tuple=True)
    centre = targets.boxes[person, :2] / stride  # [M, 2], in cells
    size = centre.new_tensor([width, height])
    before = (centre % 1 < 0.5) & (centre > 1)  # the neighbour on the left, above
    after = ((size - centre) % 1 < 0.5) & (size - centre > 1)  # on the right, below
    parts = [(anchor, person, centre.long())]
    for axis in (0, 1):
        for nearer, step in ((before, -1), (after, 1)):
            chosen = nearer[:, axis]
            half = torch.zeros(2, device=centre.device)
            half[axis] = step / 2
            parts.append((anchor[chosen], person[chosen], (centre[chosen] + half).long()))
    anchor, person, cell = (torch.cat(columns) for columns in zip(*parts, strict=True))
    last = torch.tensor([width - 1, height - 1], device=cell.device)
    return Candidates(person, anchor, torch.minimum(cell.clamp(min=0), last))


def best_candidates(
    candidates: Sequence[Candidates], overlaps: Sequence[Tensor], costs: Sequence[Tensor], people: int
) -> list[Candidates]:
    """Of all levels' candidates, those that fit each person best.

    A person keeps as many as the sum of its ten best overlaps says, at least one; a candidate wanted by two people goes
    to the one it costs less.

    Args:
        candidates: of every level.
        overlaps: float32 `[P]` per level: how well the prediction meets the person, 0–1.
        costs: float32 `[P]` per level: what choosing it costs.
        people: T.

    Returns:
        Candidates per level.
    """
    person = torch.cat([part.person for part in candidates])
    if not len(person):
        return list(candidates)
    device = person.device
    overlap, cost = torch.cat(list(overlaps)).float(), torch.cat(list(costs)).float()
    wanted = _ranked_sum(person, overlap, people).long().clamp(min=1)  # [T]
    keep = _rank(person, cost, people) < wanted[person]

    # The same anchor in the same cell of the same picture may be kept for two people; the cheaper one has it.
    level = torch.cat([torch.full_like(part.person, number) for number, part in enumerate(candidates)])
    place = torch.cat([torch.cat([part.anchor[:, None], part.cell], 1) for part in candidates])
    key = torch.cat([level[:, None], place], 1)[keep]
    rows = keep.nonzero(as_tuple=True)[0]
    _, slot = torch.unique(key, dim=0, return_inverse=True)
    least = torch.full((int(slot.max()) + 1,), float("inf"), device=device).scatter_reduce(
        0, slot, cost[rows], "amin", include_self=True
    )
    rows = rows[cost[rows] <= least[slot]]
    chosen = torch.zeros_like(keep)
    chosen[rows] = True
    return [
        part.select(mask)
        for part, mask in zip(candidates, chosen.split([len(part) for part in candidates]), strict=True)
    ]


def _rank(person: Tensor, value: Tensor, people: int) -> Tensor:
    """Place of every candidate among those of its person, the smallest value first: int64 `[P]`, from 0."""
    order = torch.argsort(value, stable=True)
    order = order[torch.argsort(person[order], stable=True)]
    first = torch.zeros(people + 1, dtype=torch.int64, device=person.device)
    first[1:] = torch.bincount(person, minlength=people).cumsum(0)
    rank = torch.empty_like(person)
    rank[order] = torch.arange(len(person), device=person.device) - first[person[order]]
    return rank


def _ranked_sum(person: Tensor, overlap: Tensor, people: int) -> Tensor:
    """Sum of the ten largest overlaps of every person: float32 `[T]`."""
    among = _rank(person, -overlap, people) < MAX_PER_PERSON
    return torch.zeros(people, device=overlap.device).index_add(0, person[among], overlap[among])
