"""That somebody is left out is said, once, and only of likely people."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from pose import crowded
from pose.crowded import say_crowded


def test_it_is_said_once_for_a_bound(caplog: pytest.LogCaptureFixture) -> None:
    crowded._say.cache_clear()
    with caplog.at_level(logging.WARNING, "pose"):
        for _ in range(3):
            say_crowded(np.array([0.2, 0.9]), 5)
        say_crowded(np.array([0.9]), 7, "best")
    assert [record.getMessage() for record in caplog.records] == [
        "There are more than 5 people in a picture, and the largest 5 are looked at. Raise pose.max_people for more.",
        "There are more than 7 people in a picture, and the best 7 are looked at. Raise pose.max_people for more.",
    ]
    crowded._say.cache_clear()


def test_doubtful_detections_are_no_crowd(caplog: pytest.LogCaptureFixture) -> None:
    crowded._say.cache_clear()
    with caplog.at_level(logging.WARNING, "pose"):
        say_crowded(np.array([0.2, 0.29]), 5)
        say_crowded(np.zeros(0), 5)
    assert not caplog.records
