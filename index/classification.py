"""From neighbours to names: `Matches`, `Classification` and the vote between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.search.matches import NEAREST, Matches
from index.search.ridge_weights import ridge_weights
from pose.reason import Reason

__all__ = ["DECISION_RULE", "Classification", "DecisionRule", "vote"]

EPSILON: Final = 0.01
"""Added to every distance before it is inverted: two neighbours nearer than this differ by less than the network's own
noise, so neither may outvote all others."""

OTHER_LABEL: Final = "other"
"""The label, and the folder, of what is none of the postures."""

SHARPNESS: Final = 1.75
"""Ridge regression shrinks towards "all alike"; this power undoes it. Measured by leaving out pictures of everyday and
yoga postures, all of them and ten per class: the mean gap between probability and accuracy is 0.02 to 0.04 with it,
0.05 to 0.19 without (`gravity59`; `nose25` 0.02 to 0.06 and 0.05 to 0.12)."""

TIE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """What a posture needs in order to be named. The defaults of settings, functions and evaluation are these.

    Attributes:
        k: so many neighbours vote, at least 1.
        min_probability: probability below which a posture is unknown, 0–1.
        min_margin: lead over the second label below which it is unknown, 0–1.
    """

    k: int = 32
    min_probability: float = 0.4
    min_margin: float = 0.1

    def reason(self, probability: float, lead: float) -> Reason | None:
        """Why the likeliest posture is not named; None: it is.

        Args:
            probability: its own, 0–1.
            lead: how far it is ahead of the second, 0–1.
        """
        if probability < self.min_probability or lead <= TIE:
            return Reason.NO_MAJORITY
        return Reason.TOO_CLOSE if lead < self.min_margin else None


DECISION_RULE: Final = DecisionRule()
"""The rule by default."""


@dataclass(frozen=True, slots=True)
class Classification:
    """What one person's posture is called, and why.

    Attributes:
        label: the posture, or None when it is unknown.
        probability: probability of the best label, 0–1; 0 without neighbours.
        distance: median distance to the nearest five, in units of the embedding; NaN without neighbours.
        best: the label with the highest probability, also when it was not enough; None without neighbours.
        reason: why `label` is None; None when it is known.
        entries: rows of the nearest five in the database, nearest first.
        labels: their labels.
        distances: their distances.
        probabilities: label and its probability for every label that a neighbour has, the likeliest first; they add up
            to 1, also when the classification is unknown. Empty without neighbours.
        certainty: lead of the best label in votes that are not made to add up to 1: small between two postures, and
            small far from all of them. It tells best what belongs to none of the labels.
        gait: how well standing, walking and running explain the way the person moves, where that has taken part in the
            probabilities of these three; adds up to 1. Empty in still pictures and where the motion is not known.
    """

    label: str | None
    probability: float
    distance: float
    best: str | None
    reason: Reason | None
    entries: tuple[int, ...]
    labels: tuple[str, ...]
    distances: tuple[float, ...]
    probabilities: tuple[tuple[str, float], ...] = ()
    certainty: float = 0.0
    gait: tuple[tuple[str, float], ...] = ()


def vote(
    matches: Matches,
    codes: NDArray[np.integer],
    classes: tuple[str, ...],
    rule: DecisionRule = DECISION_RULE,
    *,
    radius: float | None = None,
    bandwidth: float | None = None,
) -> list[Classification]:
    """Let the neighbours of every person vote.

    With a `bandwidth` and `matches.mutual`, a neighbour's weight is what kernel ridge regression on the neighbours
    gives it (`index.search.ridge_weights`). What these weights leave of the whole is shared evenly by all labels, so
    that a large class does not win where nothing is near. Votes to the power of 1.75 are the probabilities. Otherwise
    the weight is 1 / (distance + 0.01), and votes are the probabilities.

    The likeliest label is given if its probability is at least `rule.min_probability` and ahead of every other label's
    by at least `rule.min_margin`, it is not `other`, and the median distance of the nearest five is at most `radius`.

    Args:
        matches: the neighbours, `[N, k]`.
        codes: `[R]`: for every row of the database, its label's place in `classes`.
        classes: the labels.
        rule: what a label needs.
        radius: beyond it a person is unknown; None to accept any distance.
        bandwidth: distance over which rows say the same; None to weigh by distance alone.

    Returns:
        N classifications.
    """
    people = len(matches)
    if people == 0:
        return []
    if len(codes) == 0:
        return [_nobody(Reason.EMPTY_DATABASE)] * people
    labels = len(classes)
    found = matches.entries >= 0  # [N, k]
    voted = codes[matches.entries]  # [N, k]; a missing neighbour votes for something with weight 0
    ballot = (voted + labels * np.arange(people)[:, None]).ravel()  # every vote's place in [N × labels]
    rest: NDArray[np.float64] = np.zeros((people, 1))
    sharpness = 1.0
    if bandwidth is None or matches.mutual is None:
        weights = np.where(found, 1.0 / (np.where(found, matches.distances, 0.0).astype(np.float64) + EPSILON), 0.0)
    else:
        weights = ridge_weights(matches.distances, matches.mutual, bandwidth)  # [N, k]
        rest = (1.0 - weights.sum(axis=1, keepdims=True)) / labels
        sharpness = SHARPNESS
    shape = people, labels
    votes = np.bincount(ballot, weights.ravel(), people * labels).reshape(shape).astype(np.float64, copy=False)
    has = np.bincount(ballot, found.ravel(), people * labels).reshape(shape) > 0  # a neighbour has the label
    likely = (np.maximum(votes + rest, 0.0) * has) ** sharpness
    total = likely.sum(axis=1, keepdims=True)
    if (total > 0).all():
        parts = likely / total
    else:
        even = has / np.maximum(has.sum(axis=1, keepdims=True), 1)
        parts = np.where(total > 0, likely / np.where(total > 0, total, 1.0), even)
    ranked = (-parts).argsort(axis=1, kind="stable")  # [N, labels], the likeliest first
    person, best = np.arange(people), ranked[:, 0]
    ranked_parts = parts[person[:, None], ranked]
    certainty = votes[person, best]
    votes[person, best] = 0.0
    certainty -= votes.max(axis=1)  # the second largest, or the 0 of the best

    named = np.array(classes, object)
    classifications = []
    for entries, names, distances, order, row, likely_ones, sure in zip(
        matches.entries[:, :NEAREST].tolist(), named[voted[:, :NEAREST]].tolist(),
        matches.distances[:, :NEAREST].tolist(), named[ranked].tolist(), ranked_parts.tolist(),
        (ranked_parts > 0).sum(axis=1).tolist(), certainty.tolist(), strict=True,
    ):  # fmt: skip
        number = len(entries) - entries.count(-1)
        if number == 0:
            classifications.append(_nobody(Reason.TOO_FEW_KEYPOINTS))
            continue
        middle = (distances[(number - 1) // 2] + distances[number // 2]) / 2  # the median, as they come in order
        ahead = row[0] - row[1] if labels > 1 else row[0]
        reason = Reason.TOO_FAR if radius is not None and middle > radius else rule.reason(row[0], ahead)
        if reason is None and order[0] == OTHER_LABEL:
            reason = Reason.OTHER
        classifications.append(
            Classification(
                label=order[0] if reason is None else None,
                probability=row[0],
                distance=middle,
                best=order[0],
                reason=reason,
                entries=tuple(entries[:number]),
                labels=tuple(names[:number]),
                distances=tuple(distances[:number]),
                probabilities=tuple(zip(order[:likely_ones], row[:likely_ones], strict=True)),
                certainty=sure,
            )
        )
    return classifications


def _nobody(reason: Reason) -> Classification:
    return Classification(None, 0.0, float("nan"), None, reason, (), (), ())
