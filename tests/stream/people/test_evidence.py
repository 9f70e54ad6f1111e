"""What one frame says, on votes whose logarithms can be done by hand: base 20, because 0.05 is the least."""

import math
from dataclasses import replace

import pytest

from pose.reason import Reason
from stream.people.evidence import LEAST, evidence_of
from tests.stream.people.classifications import certain, too_far, votes


def test_certainty_is_zero_and_the_least_is_minus_one():
    assert evidence_of(certain("sitting"), 0.1) == {None: pytest.approx(math.log(0.1, 20)), "sitting": 0.0}
    assert evidence_of(votes(sitting=0.97, lying=0.03), 0.05)["lying"] == LEAST
    assert evidence_of(votes(sitting=0.97, lying=0.03), 0.05)[None] == pytest.approx(LEAST)


def test_twice_the_votes_is_always_the_same_distance():
    for parts in ({"a": 0.5, "b": 0.25}, {"a": 0.2, "b": 0.1}):
        frame = evidence_of(votes(**parts), 0.1)
        assert frame["a"] - frame["b"] == pytest.approx(0.2314, abs=1e-4)


def test_a_vote_without_a_majority_counts_and_a_refused_one_is_unknown():
    assert evidence_of(votes(sitting=0.4, lying=0.3, plank=0.3), 0.1).keys() == {None, "sitting", "lying", "plank"}
    between = replace(votes(sitting=0.52, lying=0.48), label=None, reason=Reason.TOO_CLOSE)
    assert evidence_of(between, 0.1).keys() == {None, "sitting", "lying"}
    assert evidence_of(too_far(sitting=1.0), 0.1) == {None: 0.0}
    assert evidence_of(certain(None), 0.1) == {None: 0.0}


@pytest.mark.parametrize("reason", [None, Reason.OTHER])
def test_votes_for_other_are_votes_for_unknown(reason):
    frame = evidence_of(replace(votes(other=0.7, sitting=0.3), reason=reason), 0.1)
    assert frame == {None: pytest.approx(math.log(0.7, 20)), "sitting": pytest.approx(math.log(0.3, 20))}
    assert evidence_of(votes(sitting=0.96, other=0.04), 0.1)[None] == pytest.approx(math.log(0.1, 20))
