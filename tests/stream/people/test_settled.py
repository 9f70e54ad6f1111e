"""Whose label is settled: the same without doubt for a while, and told in a way that time does not change."""

from __future__ import annotations

import pytest

from stream.people.label_smoother import SteadyPosture
from stream.people.settled import SETTLED_SECONDS, SettledLabels


def steady(posture, doubt=0.0):
    return SteadyPosture(posture, 0.9, 0.0, doubt)


def watch(labels, fps=10.0):
    """By frame, whether the one person's label was settled for planning the frame after it."""
    settled, told = SettledLabels(), []
    for number, (posture, doubt) in enumerate(labels):
        told.append(1 in settled.before(number / fps))  # frame `number` may or may not be named
        settled.update([1], [steady(posture, doubt)], number / fps)
        assert (1 in settled.before(number / fps)) == told[-1]
    return told


@pytest.mark.parametrize("posture", ["walking", None])
def test_a_label_without_doubt_is_settled_after_a_while(posture):
    told = watch([(posture, 0.1)] * 20)
    assert told == [(number - 1) / 10 >= SETTLED_SECONDS - 1e-6 for number in range(20)]


def test_doubt_and_change_unsettle():
    calm, doubtful = [("walking", 0.0)] * 10, [("walking", 0.8)]
    assert watch(calm + doubtful + calm)[9:18] == [True] * 2 + [False] * 6 + [True]
    assert not any(watch(calm + [("standing", 0.0)] * 10)[11:16])


def test_whoever_is_gone_is_not_settled():
    settled = SettledLabels()
    for number in range(10):
        settled.update([1, 2], [steady("walking"), steady("walking")], number / 10)
    settled.update([2], [steady("walking")], 1.0)
    assert settled.before(1.1) == {2}
    assert SettledLabels().before(5.0) == frozenset()
