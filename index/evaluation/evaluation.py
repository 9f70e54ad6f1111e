"""`Evaluation`: what a database answered about people whose posture is known, and how good that was."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.evaluation.metrics import MIN_SUPPORT, Calibration, ClassScores, accuracy, calibrate, class_scores, confuse
from index.storage.examples import Examples

__all__ = ["Evaluation", "LeftOut", "Missed"]


@dataclass(frozen=True, slots=True)
class Missed:
    """A test picture that nobody could be asked about: no person was found in it, or too little of one."""

    label: str
    reason: str
    picture: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How a class is met by a database that was never shown it.

    Attributes:
        label: the class.
        people: of this class.
        auroc: open-set AUROC: the chance that one of them gets a higher open-set score than somebody of another class,
            0–1; 0.5 is blind.
        refused: part of them that stays unknown, as it should; the others get another class's label.
    """

    label: str
    people: int
    auroc: float
    refused: float


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What was answered about N people whose posture is known. −1 stands for unknown.

    Attributes:
        method: in words.
        embedding: name of the database's embedding.
        classes: C labels, sorted; `OTHER_LABEL` is none of them.
        rows: rows of the database for each of them, int64 `[C]`.
        truth: int64 `[N]`: what the people are; −1 for people of `OTHER_LABEL`.
        named: int64 `[N]`: the label they were given.
        best: int64 `[N]`: the likeliest label, also when it was not enough; −1 without neighbours.
        rivals: int64 `[N]`: the second likeliest label; −1 if no neighbour has another.
        probability: float64 `[N]`: probability of the likeliest label.
        distance: float64 `[N]`: median distance of the neighbours; NaN without.
        reasons: N: why somebody stayed unknown; None if named.
        near_duplicates: bool `[N]`: the same picture, or nearly, is among what was known.
        untaught: bool `[N]`: nothing of the person's class was among what was known, so the answer had to be wrong.
        examples: where the people came from, N rows.
        left_out: for every class, the answers of a database without it.
        ignored: pictures that could not be used at all, by reason.
    """

    method: str
    embedding: str
    classes: tuple[str, ...]
    rows: NDArray[np.int64]
    truth: NDArray[np.int64]
    named: NDArray[np.int64]
    best: NDArray[np.int64]
    rivals: NDArray[np.int64]
    probability: NDArray[np.float64]
    distance: NDArray[np.float64]
    reasons: tuple[str | None, ...]
    near_duplicates: NDArray[np.bool_]
    untaught: NDArray[np.bool_]
    examples: Examples
    left_out: tuple[LeftOut, ...]
    ignored: dict[str, tuple[str, ...]]

    @property
    def people(self) -> int:
        """N."""
        return len(self.truth)

    @property
    def accuracy(self) -> float:
        """Part of all people whose answer is right. Unknown is wrong, except for people of `OTHER_LABEL`."""
        return accuracy(self.truth, self.named)

    @property
    def accuracy_among_named(self) -> float:
        """Part of those given a label whose label is right."""
        named = self.named >= 0
        return accuracy(self.truth[named], self.named[named])

    @property
    def accuracy_of_likeliest(self) -> float:
        """Part of all people whose likeliest label is right: accuracy if nobody could be refused."""
        return accuracy(self.truth, self.best)

    @property
    def accuracy_without_near_duplicates(self) -> float:
        """Accuracy over those who are not in the database already."""
        return accuracy(self.truth[~self.near_duplicates], self.named[~self.near_duplicates])

    @property
    def confusion(self) -> NDArray[np.int64]:
        """int64 `[C + 1, C + 1]`: row is the truth, column the answer; last row `OTHER_LABEL`, last column unknown."""
        return confuse(self.truth, self.named, len(self.classes))

    @property
    def scores(self) -> ClassScores:
        """Precision, recall, F1 and support of every class."""
        return class_scores(self.confusion)

    @property
    def calibration(self) -> Calibration:
        """Whether the likeliest label is right as often as its probability says, over all who have neighbours."""
        told = self.best >= 0
        return calibrate(self.probability[told], (self.best == self.truth)[told])

    @property
    def unknown(self) -> dict[str, int]:
        """How many people stayed unknown, by reason, the most frequent first."""
        reasons = [reason for reason in self.reasons if reason is not None]
        return {reason: reasons.count(reason) for reason in sorted(set(reasons), key=lambda r: (-reasons.count(r), r))}

    @property
    def left_out_auroc(self) -> float:
        """Mean over the classes with at least `MIN_SUPPORT` people; NaN without any."""
        judged = [one.auroc for one in self.left_out if one.people >= MIN_SUPPORT and not math.isnan(one.auroc)]
        return float(np.mean(judged)) if judged else float("nan")
