"""The person detector without its weights: shapes, the grid, boxes and scores from made logits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pose.networks.picodet import BINS, STRIDES, Level, PicoDet, candidates, decode


def small(seed: int = 0) -> PicoDet:
    torch.manual_seed(seed)
    return PicoDet(channels=(4, 4, 4, 8, 8, 12), neck_channels=8).eval()


def blank(size: int) -> list[Level]:
    """Levels for a square input: nobody anywhere, all distances spread evenly."""
    sides = [-(-size // stride) for stride in STRIDES]
    return [
        Level(torch.full((1, 1, n, n), -9.0), torch.zeros(1, 1, n, n), torch.zeros(1, 4 * BINS, n, n)) for n in sides
    ]


def test_the_published_size() -> None:
    assert sum(parameter.numel() for parameter in PicoDet().parameters()) == 1_146_056


@pytest.mark.parametrize(("size", "count"), [(192, 24**2 + 12**2 + 6**2 + 3**2), (320, 2125), (416, 3598)])
def test_candidates_of_each_input_size(size: int, count: int) -> None:
    with torch.inference_mode():
        levels = small()(torch.zeros(2, 3, size, size))
        boxes, scores = decode(levels)
    assert [level.classes.shape[-1] for level in levels] == [-(-size // stride) for stride in STRIDES]
    assert boxes.shape == (2, count, 4)
    assert scores.shape == (2, count)


def test_a_wide_input_counts_cells_row_by_row() -> None:
    with torch.inference_mode():
        found = candidates(small()(torch.zeros(1, 3, 64, 128)))
    assert found.centres[[0, 1, 15, 16]].tolist() == [[4, 4], [12, 4], [124, 4], [4, 12]]
    assert found.centres[-2:].tolist() == [[32, 32], [96, 32]]
    assert found.strides.flatten().unique_consecutive().tolist() == list(STRIDES)


def test_every_weight_takes_part() -> None:
    network = small()
    boxes, scores = decode(network(torch.rand(1, 3, 64, 64)))
    (boxes.sum() + scores.sum()).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_a_box_from_made_distributions() -> None:
    levels = blank(64)
    level = levels[1]  # stride 16, 4 × 4 cells
    for side, strides in enumerate((1, 2, 0, 7)):  # left, top, right, bottom
        level.distributions[0, side * BINS + strides, 2, 1] = 100.0
    level.distributions[0, 0 * BINS + 2, 2, 1] = 100.0  # left: as likely one stride as two
    level.classes[0, 0, 2, 1], level.quality[0, 0, 2, 1] = 1.0, -0.5
    boxes, scores = decode(levels)
    best = int(scores.argmax())
    assert best == 64 + 2 * 4 + 1
    x, y = 1.5 * 16, 2.5 * 16
    np.testing.assert_allclose(boxes[0, best], [x - 24, y - 32, x, y + 7 * 16], atol=1e-4)
    expected = (torch.tensor(1.0).sigmoid() * torch.tensor(-0.5).sigmoid()).sqrt()
    torch.testing.assert_close(scores[0, best], expected)


def test_an_even_distribution_is_half_of_the_reach() -> None:
    boxes, _ = decode(blank(64))
    np.testing.assert_allclose(boxes[0, 0], [4 - 28, 4 - 28, 4 + 28, 4 + 28], atol=1e-4)  # 3.5 strides of 8
