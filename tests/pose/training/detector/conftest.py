"""Small worlds of boxes: cells, people, and the raw answer of a network that is sure of chosen cells."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from pose.networks.picodet import BINS, Candidates, Level, candidates

SIDE = 64  # levels of 8, 4, 2 and 1 cells a side: 64 + 16 + 4 + 1 cells
CELLS = 85
SHARP = 12.0  # logits of a distribution that is all in one bin


def answer(
    sure: Mapping[int, tuple[float, tuple[float, float, float, float]]] | None = None, pictures: int = 1
) -> Candidates:
    """What a network says that is sure of some cells: by cell, its score's logit and its box in pixels.

    Distances are whole strides, so that each lies in one bin. The others see nobody, in boxes of two strides.
    """
    levels = [
        Level(
            torch.full((pictures, 1, n, n), -4.0),
            torch.full((pictures, 1, n, n), -4.0),
            torch.zeros(pictures, 32, n, n),
        )
        for n in (8, 4, 2, 1)
    ]
    found = candidates(levels)
    distributions = torch.zeros(pictures, CELLS, 4, BINS)
    distributions[..., 1] = SHARP
    classes, quality = found.classes.clone(), found.quality.clone()
    for cell, (logit, box) in (sure or {}).items():
        classes[:, cell] = quality[:, cell] = logit
        centre, stride = found.centres[cell], float(found.strides[cell])
        sides = torch.tensor(box)
        distances = torch.cat([centre - sides[:2], sides[2:] - centre]) / stride
        distributions[:, cell] = 0
        for side, distance in enumerate(distances.tolist()):
            assert distance == int(distance), "a box of the made world must lie on bins"
            distributions[:, cell, side, int(distance)] = SHARP * 2
    return Candidates(classes, quality, distributions, found.centres, found.strides)
