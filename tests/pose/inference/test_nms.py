"""Suppression against a plain reading, and against the reference's rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pose.inference.nms import MAX_PEOPLE, non_maximum_suppression
from tests.tolerance import assert_close


def plain(boxes: np.ndarray, scores: np.ndarray, iou_threshold: float, max_people: int = MAX_PEOPLE) -> list[int]:
    """Greedy suppression, one pair at a time, in the arithmetic of the boxes."""
    kept: list[int] = []
    for row in sorted(range(len(boxes)), key=lambda row: -scores[row]):
        x1, y1, x2, y2 = boxes[row]
        for other in kept:
            a1, b1, a2, b2 = boxes[other]
            width = max(min(x2, a2) - max(x1, a1), np.float32(0))
            height = max(min(y2, b2) - max(y1, b1), np.float32(0))
            union = (a2 - a1) * (b2 - b1) + (x2 - x1) * (y2 - y1) - width * height
            if union > 0 and float(width * height / union) > iou_threshold:
                break
        else:
            kept.append(row)
    return kept[:max_people]


def random_boxes(count: int, seed: int, ties: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    corner, size = random.uniform(0, 200, (count, 2)), random.uniform(5, 120, (count, 2))
    scores = random.uniform(0, 1, count) if ties is None else random.integers(0, ties, count) / ties
    return np.concatenate([corner, corner + size], 1).astype(np.float32), scores.astype(np.float32)


@pytest.mark.parametrize("iou_threshold", [0.0, 0.3, 0.45, 0.65, 1.0])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ties", [None, 4, 1])
def test_the_same_people_as_a_plain_reading(iou_threshold: float, seed: int, ties: int | None) -> None:
    boxes, scores = random_boxes(80, seed, ties)
    # The order too: of equal scores the first row comes first.
    assert non_maximum_suppression(boxes, scores, iou_threshold).tolist() == plain(boxes, scores, iou_threshold)


def test_nobody_and_one() -> None:
    nobody = non_maximum_suppression(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.5)
    assert nobody.shape == (0,)
    assert np.zeros((0, 57))[nobody].shape == (0, 57)
    assert non_maximum_suppression(np.ones((1, 4), np.float32), np.ones(1, np.float32), 0.5).tolist() == [0]


def test_at_most_so_many() -> None:
    boxes, scores = random_boxes(80, 0)
    assert non_maximum_suppression(boxes, scores, 1.0, 7).tolist() == plain(boxes, scores, 1.0, 7)
    boxes, scores = np.tile(np.float32([0, 0, 1, 1]), (1000, 1)), np.linspace(1, 0, 1000, dtype=np.float32)
    boxes += np.arange(1000, dtype=np.float32)[:, None] * 2
    assert non_maximum_suppression(boxes, scores, 0.5).tolist() == list(range(MAX_PEOPLE))


@pytest.mark.filterwarnings("error")
def test_boxes_without_area_suppress_nobody() -> None:
    boxes = np.float32([[5, 5, 5, 5], [5, 5, 5, 5], [0, 0, 10, 10], [3, 0, 3, 10]])
    scores = np.float32([0.9, 0.8, 0.7, 0.6])
    assert non_maximum_suppression(boxes, scores, 0.0).tolist() == [0, 1, 2, 3]


def test_an_overlap_equal_to_the_threshold_stays() -> None:
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 6]])  # 0.5 and 0.6 with the first
    scores = np.float32([0.9, 0.8, 0.7])
    assert non_maximum_suppression(boxes[:2], scores[:2], 0.5).tolist() == [0, 1]
    # 0.6 in float32 is a little more than 0.6: the comparison is exact, as the reference's is.
    assert non_maximum_suppression(boxes[[0, 2]], scores[:2], 0.6).tolist() == [0]


@pytest.mark.parametrize(
    ("name", "score_threshold", "iou_threshold"),
    [
        ("c25i65", 0.25, 0.65),
        ("c25i45", 0.25, 0.45),
        ("c001i65", 0.001, 0.65),
        ("c5i5", 0.5, 0.5),
        ("ties", 0.25, 0.65),
    ],
)
def test_the_reference_s_rows(golden: Path, name: str, score_threshold: float, iou_threshold: float) -> None:
    with np.load(golden / "pose_nms.npz") as arrays:
        pictures = [arrays["ties"]] if name == "ties" else arrays["pred"]
        for number, rows in enumerate(pictures):
            expected = arrays["ties_c25i65" if name == "ties" else f"{name}_img{number}"]
            scores = rows[:, 4] * rows[:, 5]
            keep = (rows[:, 4] > score_threshold) & (scores > score_threshold)
            rows, scores = rows[keep], scores[keep]
            corners = np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2], 1)
            kept = non_maximum_suppression(corners, scores, iou_threshold)
            actual = np.concatenate([corners, scores[:, None]], 1)[kept]
            if len(expected) == 0:
                assert len(kept) == 0
                continue
            # Rows are sets: with equal scores the reference's order is its sort's, ours is the head's.
            order = [np.lexsort(table.round(2).T) for table in (actual, expected)]
            assert_close(actual[order[0]], expected[order[1]])
