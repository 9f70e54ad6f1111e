"""Who cannot be judged, and why."""

from __future__ import annotations

import numpy as np

from pose.embeddings.quality_gate import RejectReason, reject_reasons
from tests.worlds import person, poses


def test_each_reason() -> None:
    few, small, heap, fine = person(0, 0), person(300, 0, height=20), person(600, 0), person(900, 0)
    few[4:, 2] = 0.4
    together = poses(few, small, heap, fine)
    keypoints = together.keypoints.copy()
    keypoints[2, 5:, :2] = keypoints[2, 5:6, :2] + np.arange(12)[:, None] * 0.5
    people = type(together)(keypoints, together.boxes, together.scores)
    assert reject_reasons(people) == [
        RejectReason.TOO_FEW_KEYPOINTS,
        RejectReason.TOO_SMALL,
        RejectReason.COLLAPSED,
        None,
    ]
    assert reject_reasons(people, min_keypoints=4, min_person_px=10) == [None, None, RejectReason.COLLAPSED, None]
    assert reject_reasons(poses()) == []


def test_half_a_person_is_no_reason() -> None:
    body = person(0, 0)
    body[11:, 2] = 0.0
    assert reject_reasons(poses(body)) == [None]
