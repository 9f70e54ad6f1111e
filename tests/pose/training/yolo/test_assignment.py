"""Assignment: who answers for whom, against a plain reading of the rules."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pose.keypoints import KEYPOINT_COUNT
from pose.training.yolo.assignment import Candidates, anchor_candidates, best_candidates
from pose.training.yolo.targets import Targets


def targets_of(boxes: list[list[float]]) -> Targets:
    people = len(boxes)
    return Targets(
        torch.zeros(people, dtype=torch.int64),
        torch.tensor(boxes),
        torch.zeros(people, KEYPOINT_COUNT, 3),
        torch.ones(1, dtype=torch.bool),
    )


def test_the_cell_of_the_centre_and_its_two_nearest_neighbours_answer():
    anchors = torch.tensor([[20.0, 20.0], [200.0, 200.0], [4.0, 90.0]])
    found = anchor_candidates(targets_of([[34.0, 46.0, 20.0, 20.0]]), anchors, 8, 16, 16)  # centre 4.25, 5.75 in cells
    assert found.anchor.tolist() == [0, 0, 0]  # the second is ten times as large, the third five times as narrow
    assert sorted(map(tuple, found.cell.tolist())) == [(3, 5), (4, 5), (4, 6)]


def test_nobody_answers_outside_the_map():
    found = anchor_candidates(targets_of([[1.0, 127.0, 20.0, 20.0]]), torch.tensor([[20.0, 20.0]] * 3), 8, 16, 16)
    assert set(map(tuple, found.cell.tolist())) == {(0, 15)}


@pytest.mark.parametrize("seed", range(5))
def test_best_candidates_against_a_plain_reading(seed):
    rng = np.random.default_rng(seed)
    people, levels = 4, 2
    parts, overlaps, costs = [], [], []
    for _ in range(levels):
        seen = {(int(p), int(a), int(x), int(y)) for p, a, x, y in rng.integers(0, [people, 2, 3, 3], (30, 4))}
        rows = torch.tensor(sorted(seen))
        parts.append(Candidates(rows[:, 0], rows[:, 1], rows[:, 2:]))
        overlaps.append(torch.tensor(rng.random(len(rows))).float())
        costs.append(torch.tensor(rng.random(len(rows))).float())
    kept = best_candidates(parts, overlaps, costs, people)

    table = [
        (level, int(part.person[i]), int(part.anchor[i]), *part.cell[i].tolist(), float(overlap[i]), float(cost[i]))
        for level, (part, overlap, cost) in enumerate(zip(parts, overlaps, costs, strict=True))
        for i in range(len(part))
    ]
    chosen = []
    for person in range(people):
        mine = sorted((row for row in table if row[1] == person), key=lambda row: row[-1])
        wanted = max(1, int(sum(sorted((row[-2] for row in mine), reverse=True)[:10])))
        chosen += mine[:wanted]
    expected = set()
    for row in chosen:
        rivals = [other for other in chosen if (other[0], *other[2:5]) == (row[0], *row[2:5])]
        if row[-1] == min(other[-1] for other in rivals):
            expected.add(row[:5])
    actual = {
        (level, int(p), int(a), int(x), int(y))
        for level, part in enumerate(kept)
        for p, a, (x, y) in zip(part.person, part.anchor, part.cell.tolist(), strict=True)
    }
    assert actual == expected


def test_no_candidates_are_no_trouble():
    empty = Candidates(
        torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 2, dtype=torch.int64)
    )
    assert [len(part) for part in best_candidates([empty, empty], [torch.zeros(0)] * 2, [torch.zeros(0)] * 2, 3)] == [
        0,
        0,
    ]


def test_targets_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="expected"):
        Targets(
            torch.zeros(2, dtype=torch.int64), torch.zeros(1, 4), torch.zeros(2, 17, 3), torch.ones(1, dtype=torch.bool)
        )
