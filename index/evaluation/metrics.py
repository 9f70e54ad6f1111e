"""How good answers are: accuracy, confusion, F1, calibration and the area under a ROC curve, from plain arrays.

Everywhere −1 stands for unknown: as an answer, nobody was named; as the truth, nobody should have been.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Calibration", "ClassScores", "accuracy", "auroc", "calibrate", "class_scores", "confuse"]

MIN_SUPPORT: Final = 15
"""A class with fewer people asked counts in accuracy, not in averages over classes: one error would move its own score
by 7 points or more, and the average of ten classes by one."""

BINS: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class ClassScores:
    """Scores of C classes, float64 `[C]` each; NaN where a class gives nothing to divide by.

    Attributes:
        precision: of those given the label, how many are of the class.
        recall: of those of the class, how many are given the label.
        f1: harmonic mean of the two: 2 TP / (2 TP + FP + FN).
        support: int64 `[C]`: people of the class.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes with at least `MIN_SUPPORT` people; NaN without any."""
        judged = self.f1[self.support >= MIN_SUPPORT]
        return float(judged.mean()) if len(judged) else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Whether probabilities hold: people in ten bins of equal width by the probability of their likeliest label.

    Attributes:
        edges: float64 `[11]`: bin b holds probabilities above `edges[b]` up to `edges[b + 1]`.
        count: int64 `[10]`: people in each bin.
        probability: float64 `[10]`: their mean probability; NaN in an empty bin.
        accuracy: float64 `[10]`: the part of them whose likeliest label is right; NaN in an empty bin.
    """

    edges: NDArray[np.float64]
    count: NDArray[np.int64]
    probability: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean over people of |accuracy − probability| of their bin; NaN without people.

        Source: Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
        """
        full = self.count > 0
        if not full.any():
            return float("nan")
        gap = np.abs(self.accuracy[full] - self.probability[full])
        return float((gap * self.count[full]).sum() / self.count.sum())


def accuracy(truth: NDArray[np.integer], named: NDArray[np.integer]) -> float:
    """Part of the N answers that are right, unknown being one of the answers; NaN without any.

    Args:
        truth, named: int `[N]`: class, or −1.
    """
    return float((truth == named).mean()) if len(truth) else float("nan")


def confuse(truth: NDArray[np.integer], named: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Confusion matrix, int64 `[C + 1, C + 1]`: row is the truth, column the answer, unknown the last of both.

    Args:
        truth, named: int `[N]`: class 0 … C−1, or −1.
        classes: C.
    """
    size = classes + 1
    cells = np.asarray(truth, np.int64) % size * size + np.asarray(named, np.int64) % size  # −1 % size is the last
    return np.bincount(cells, minlength=size * size).reshape(size, size).astype(np.int64)


def class_scores(confusion: NDArray[np.integer]) -> ClassScores:
    """Precision, recall and F1 of every class, from a matrix that `confuse` made.

    Somebody left unknown is missed by the class's recall and spoils nobody's precision.
    """
    right = np.diagonal(confusion)[:-1].astype(np.float64)
    said, support = confusion.sum(axis=0)[:-1], confusion.sum(axis=1)[:-1]
    return ClassScores(_divide(right, said), _divide(right, support), _divide(2 * right, said + support), support)


def calibrate(probability: NDArray[np.floating], right: NDArray[np.bool_]) -> Calibration:
    """Sort N people into bins by the probability of their likeliest label.

    Args:
        probability: float `[N]`, 0–1.
        right: bool `[N]`: that label is the truth.
    """
    edges = np.linspace(0, 1, BINS + 1)
    places = np.searchsorted(edges[1:-1], probability, side="left")
    count = np.bincount(places, minlength=BINS)
    return Calibration(
        edges,
        count.astype(np.int64),
        _divide(np.bincount(places, probability, BINS), count),
        _divide(np.bincount(places, right, BINS), count),
    )


def auroc(score: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """The chance that a positive scores higher than a negative, a tie counting half; NaN without one of either.

    This is the area under the ROC curve, taken from ranks as in Mann and Whitney's U.

    Args:
        score: float `[N]`, no NaN.
        positive: bool `[N]`.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return float("nan")
    _, places, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]  # from 1; equal scores share the mean of their ranks
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _divide(above: NDArray[np.number], below: NDArray[np.integer]) -> NDArray[np.float64]:
    """`above / below`, NaN where there is nothing below."""
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
