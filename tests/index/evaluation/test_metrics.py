"""Figures of merit against tables worked out by hand, and against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from index.evaluation.metrics import accuracy, auroc, calibrate, class_scores, confuse

# Eight people. Of four standing three are named so, one sitting. Of three sitting one is, one standing, one unknown.
# One is of no posture, and stays unknown.
TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, -1])
NAMED = np.array([0, 0, 0, 1, 1, 0, -1, -1])


def test_confusion_by_hand() -> None:
    assert confuse(TRUTH, NAMED, 2).tolist() == [[3, 1, 0], [1, 1, 1], [0, 0, 1]]
    assert confuse(np.zeros(0, int), np.zeros(0, int), 2).tolist() == [[0] * 3] * 3


def test_unknown_is_wrong_except_where_it_is_right() -> None:
    assert accuracy(TRUTH, NAMED) == 5 / 8
    assert np.isnan(accuracy(TRUTH[:0], NAMED[:0]))


def test_scores_by_hand() -> None:
    scores = class_scores(confuse(TRUTH, NAMED, 3))
    np.testing.assert_allclose(scores.precision, [3 / 4, 1 / 2, np.nan])
    np.testing.assert_allclose(scores.recall, [3 / 4, 1 / 3, np.nan])
    np.testing.assert_allclose(scores.f1, [3 / 4, 2 / 5, np.nan])
    assert scores.support.tolist() == [4, 3, 0]
    assert np.isnan(scores.macro_f1)  # nobody has 15 people


def test_macro_f1_leaves_small_classes_out() -> None:
    confusion = np.array([[15, 0, 0, 0], [5, 10, 0, 0], [0, 0, 1, 13], [0, 0, 0, 0]])
    scores = class_scores(confusion)
    assert scores.support.tolist() == [15, 15, 14]
    assert scores.macro_f1 == pytest.approx((2 * 15 / (20 + 15) + 2 * 10 / (10 + 15)) / 2)


def test_scores_are_those_of_counting_one_by_one() -> None:
    random = np.random.default_rng(0)
    truth, named = random.integers(-1, 5, 400), random.integers(-1, 5, 400)
    scores = class_scores(confuse(truth, named, 5))
    for label in range(5):
        hits = sum(t == label == n for t, n in zip(truth, named, strict=True))
        precision, recall = hits / sum(named == label), hits / sum(truth == label)
        assert scores.precision[label] == pytest.approx(precision)
        assert scores.recall[label] == pytest.approx(recall)
        assert scores.f1[label] == pytest.approx(2 * precision * recall / (precision + recall))


def test_calibration_by_hand() -> None:
    probability = np.array([0.95, 0.95, 1.0, 0.9, 0.5, 0.5])
    right = np.array([True, True, False, True, True, False])
    calibration = calibrate(probability, right)
    assert calibration.count.tolist() == [0, 0, 0, 0, 2, 0, 0, 0, 1, 3]  # an edge belongs to the bin below it
    assert calibration.accuracy[9] == pytest.approx(2 / 3)
    assert calibration.probability[9] == pytest.approx(2.9 / 3)
    assert np.isnan(calibration.accuracy[0])
    assert calibration.expected_error == pytest.approx((3 * (2.9 - 2) / 3 + 1 * 0.1 + 2 * 0) / 6)


def test_probabilities_that_hold_have_no_error() -> None:
    random = np.random.default_rng(0)
    probability = random.random(200_000)
    assert calibrate(probability, random.random(200_000) < probability).expected_error < 0.01
    assert np.isnan(calibrate(probability[:0], np.zeros(0, bool)).expected_error)


def test_auroc_is_the_chance_to_score_higher_ties_counting_half() -> None:
    assert auroc(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, False, True, True])) == 1
    assert auroc(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, True, False, False])) == 0
    assert auroc(np.ones(6), np.arange(6) < 2) == 0.5
    random = np.random.default_rng(0)
    score, positive = random.integers(0, 8, 120).astype(float), random.random(120) < 0.3  # many ties
    score[5] = np.inf
    pairs = [np.sign(p - n) / 2 + 0.5 if p != n else 0.5 for p in score[positive] for n in score[~positive]]
    assert auroc(score, positive) == pytest.approx(np.mean(pairs))
    assert np.isnan(auroc(score, np.zeros(120, bool)))
