"""Who cannot be judged, and why."""

from __future__ import annotations

import numpy as np
import pytest

from pose.embeddings.quality_gate import reject_reasons
from pose.poses import Poses
from pose.reason import Reason
from tests.worlds import person, poses


def test_each_reason() -> None:
    few, small, heap, fine = person(0, 0), person(300, 0, height=20), person(600, 0), person(900, 0)
    few[4:, 2] = 0.4
    together = poses(few, small, heap, fine)
    keypoints = together.keypoints.copy()
    keypoints[2, 5:, :2] = keypoints[2, 5:6, :2] + np.arange(12)[:, None] * 0.5
    people = type(together)(keypoints, together.boxes, together.scores)
    assert reject_reasons(people) == [
        Reason.TOO_FEW_KEYPOINTS,
        Reason.TOO_SMALL,
        Reason.COLLAPSED,
        None,
    ]
    assert reject_reasons(people, min_keypoints=4, min_person_px=10) == [None, None, Reason.COLLAPSED, None]
    assert reject_reasons(poses()) == []


def test_half_a_person_is_no_reason() -> None:
    body = person(0, 0)
    body[11:, 2] = 0.0
    assert reject_reasons(poses(body)) == [None]


@pytest.mark.parametrize(("share", "reason"), [(0.08, Reason.COLLAPSED), (0.12, None)])
def test_a_skeleton_within_a_tenth_of_its_box_has_collapsed(share: float, reason: Reason | None) -> None:
    body = person(0, 0)
    body[5:, 0] = 50
    body[5:, 1] = np.linspace(50, 50 + 200 * share, 12)
    someone = Poses(body[None].astype(np.float32), np.array([[0, 0, 100, 200]], np.float32), np.ones(1, np.float32))
    assert reject_reasons(someone) == [reason]
