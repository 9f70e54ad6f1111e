"""Rates and ages of the last seconds, of frames whose times are given."""

from __future__ import annotations

import pytest

from stream.run.recent import RATE_SECONDS, Recent


def test_a_rate_is_that_of_the_last_seconds_not_of_all() -> None:
    recent = Recent()
    assert recent.frames_per_second(0.0) == 0
    for number in range(11):
        recent.add(number / 10, 0.1)
        assert recent.frames_per_second(number / 10) == pytest.approx(10 if number else 0)
    assert recent.frames_per_second(RATE_SECONDS + 0.55) == pytest.approx(5 / RATE_SECONDS)  # 0.6 to 1.0 s are left
    assert recent.frames_per_second(3600.0) == 0
    for number in range(100):
        recent.add(3600 + number / 25)
    assert recent.frames_per_second(3604.0) == pytest.approx(100 / RATE_SECONDS)


def test_ages_are_those_of_live_frames() -> None:
    recent = Recent()
    recent.add(0.0, 0.5)
    recent.add(4.0, None)
    recent.add(4.5, 0.25)
    assert recent.ages_seconds(4.5) == [0.5, 0.25]
    assert recent.ages_seconds(6.0) == [0.25]
