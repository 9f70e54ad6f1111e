"""The vote, with neighbours whose answer can be worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from index import Matches
from index.classification import EPSILON, DecisionRule, vote
from pose.reason import Reason

CLASSES = ("standing", "sitting")
CODES = np.array([0, 0, 1, 1, 1])


def matches(entries: list[list[int]], distances: list[list[float]]) -> Matches:
    return Matches(np.array(entries, np.int64), np.array(distances, np.float32))


def test_nearer_neighbours_weigh_more() -> None:
    (classification,) = vote(matches([[0, 2, 3]], [[0.09, 0.49, 0.49]]), CODES, CLASSES)
    assert classification.label == classification.best == "standing"
    assert classification.probability == pytest.approx(10 / (10 + 2 + 2), rel=1e-6)
    assert classification.distance == pytest.approx(0.49)
    assert classification.reason is None
    assert classification.entries == (0, 2, 3)
    assert classification.labels == ("standing", "sitting", "sitting")
    assert classification.distances == pytest.approx((0.09, 0.49, 0.49))


def test_one_exact_copy_does_not_outvote_near_neighbours() -> None:
    (classification,) = vote(matches([[0, 2, 3, 4]], [[0.0, EPSILON, EPSILON, EPSILON]]), CODES, CLASSES)
    assert classification.label == "sitting"
    assert classification.probability == pytest.approx(0.6)


def test_median_of_an_even_number_and_of_missing_neighbours() -> None:
    first, second = vote(
        matches([[0, 1, 2, 3], [0, 1, -1, -1]], [[0.1, 0.2, 0.4, 0.8], [0.1, 0.3, np.nan, np.nan]]), CODES, CLASSES
    )
    assert first.distance == pytest.approx(0.3)
    assert second.distance == pytest.approx(0.2)
    assert second.entries == (0, 1)
    assert second.probability == pytest.approx(1)


def test_no_majority() -> None:
    three = ("standing", "sitting", "lying")
    (classification,) = vote(matches([[0, 1, 2]], [[0.1, 0.1, 0.1]]), np.array([0, 1, 2]), three)
    assert classification.label is None
    assert classification.reason == "no majority"
    (tie,) = vote(matches([[0, 2]], [[0.1, 0.1]]), CODES, CLASSES)
    assert tie.reason is Reason.NO_MAJORITY  # half of the vote each is no majority
    assert tie.probability == pytest.approx(0.5)
    (lower,) = vote(
        matches([[0, 1, 2]], [[0.1, 0.2, 0.2]]), np.array([0, 1, 2]), three, DecisionRule(min_probability=0.4)
    )
    assert lower.label == "standing"


def test_a_lead_that_is_too_small_is_between_two_postures() -> None:
    """Two thirds and one third of 1 / (distance + 0.01): a lead of a third."""
    found = matches([[0, 2]], [[0.09, 0.19]])
    (named,) = vote(found, CODES, CLASSES, DecisionRule(min_margin=0.33))
    assert named.label == "standing"
    (unknown,) = vote(found, CODES, CLASSES, DecisionRule(min_margin=0.34))
    assert (unknown.label, unknown.reason, unknown.best) == (None, Reason.TOO_CLOSE, "standing")


def test_too_far_comes_before_no_majority() -> None:
    far = matches([[0, 1, 2]], [[0.5, 1.2, 1.3]])
    (classification,) = vote(far, CODES, CLASSES, radius=1.19)
    assert (classification.label, classification.reason) == (None, Reason.TOO_FAR)
    assert classification.best == "standing"
    assert classification.entries == (0, 1, 2)
    (near,) = vote(far, CODES, CLASSES, radius=1.21)
    assert near.label == "standing"
    (free,) = vote(far, CODES, CLASSES, radius=None)
    assert free.label == "standing"


def test_nobody_to_ask() -> None:
    nothing = matches([[-1, -1]], [[np.nan, np.nan]])
    (untold,) = vote(nothing, CODES, CLASSES)
    assert (untold.label, untold.reason) == (None, Reason.TOO_FEW_KEYPOINTS)
    assert untold.entries == untold.labels == untold.distances == ()
    assert untold.probability == 0
    assert np.isnan(untold.distance)
    (empty,) = vote(nothing, np.zeros(0, int), ())
    assert empty.reason is Reason.EMPTY_DATABASE
    assert vote(matches(np.zeros((0, 5)), np.zeros((0, 5))), CODES, CLASSES) == []


def test_many_people_at_once_equal_one_by_one() -> None:
    random = np.random.default_rng(0)
    classes = tuple("abcdefg")
    codes = random.integers(0, 7, 100)
    entries = np.array([random.choice(100, 5, replace=False) for _ in range(200)])
    distances = np.sort(random.random((200, 5)).astype(np.float32), axis=1)
    together = vote(Matches(entries, distances), codes, classes, radius=0.7)
    for row, classification in enumerate(together):
        (alone,) = vote(Matches(entries[row : row + 1], distances[row : row + 1]), codes, classes, radius=0.7)
        assert alone == classification
        weights: dict[str, float] = {}
        for entry, distance in zip(entries[row], distances[row], strict=True):  # the plain reading
            name = classes[codes[entry]]
            weights[name] = weights.get(name, 0) + 1 / (float(distance) + EPSILON)
        best = max(weights, key=lambda name: weights[name])
        assert classification.best == best
        assert classification.probability == pytest.approx(weights[best] / sum(weights.values()))
        assert classification.distance == pytest.approx(np.median(distances[row]))


def test_values_are_read_only() -> None:
    found = matches([[0]], [[1.0]])
    with pytest.raises(ValueError, match="read-only"):
        found.entries[0, 0] = 3
    (classification,) = vote(found, CODES, CLASSES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        classification.label = "x"  # type: ignore[misc]
    with pytest.raises(ValueError, match=r"expected \[N, k\]"):
        Matches(np.zeros((2, 3), np.int64), np.zeros((2, 4), np.float32))
    assert repr(found) == "Matches(people=1, k=1)"


def test_probabilities_are_the_parts_of_the_vote_likeliest_first():
    matches = Matches(np.array([[2, 0, 1]]), np.array([[0.1, 0.2, 0.3]], np.float32))
    (classification,) = vote(matches, np.array([0, 1, 0]), ("lying", "sitting"), DecisionRule(min_probability=0.9))
    weights = {row: 1 / (distance + 0.01) for row, distance in ((2, 0.1), (0, 0.2), (1, 0.3))}
    total = sum(weights.values())
    expected = [("lying", (weights[2] + weights[0]) / total), ("sitting", weights[1] / total)]
    assert classification.label is None
    assert [label for label, _ in classification.probabilities] == [label for label, _ in expected]
    np.testing.assert_allclose(
        [part for _, part in classification.probabilities], [part for _, part in expected], rtol=1e-6
    )
