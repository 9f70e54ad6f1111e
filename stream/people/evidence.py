"""`evidence_of`: how well every posture explains one frame, in the unit that smoothing adds up."""

from __future__ import annotations

import math
from typing import Final

from index.classification import OTHER_LABEL, Classification
from pose.reason import Reason

__all__ = ["LEAST", "evidence_of", "scaled"]

LEAST_PROBABILITY: Final = 0.05
"""A label without a single vote counts as if it had this much: a few neighbours are too small a sample for a veto."""

LEAST: Final = -1.0  # the evidence of a label without votes
_CERTAINTY: Final = -math.log(LEAST_PROBABILITY)
VOTED: Final = frozenset({None, Reason.NO_MAJORITY, Reason.TOO_CLOSE, Reason.OTHER})
"""With these reasons the vote says something; with the others the person was rejected."""


def evidence_of(classification: Classification, unknown_probability: float) -> dict[str | None, float]:
    """The logarithm of every label's probability, scaled so that certainty is 0 and no vote at all is −1.

    The difference between two labels, added up over time, is in seconds: one second of certainty for A puts A one
    second ahead of everything else, a second of half a vote against a quarter puts it 0.23 s ahead.

    Args:
        classification: what the frame says. One that was refused (too few keypoints, too far) is certainty of unknown;
            votes for `other` are votes for unknown.
        unknown_probability: the probability a posture must exceed to explain a frame better than unknown does.

    Returns:
        Labels and their evidence; None is unknown. Whatever is not among them has `LEAST`.
    """
    if classification.reason not in VOTED or not classification.probabilities:
        return {None: 0.0}
    unknown = unknown_probability
    evidence: dict[str | None, float] = {}
    for label, part in classification.probabilities:
        if label == OTHER_LABEL:
            unknown = max(unknown, part)
        else:
            evidence[label] = scaled(part)
    evidence[None] = scaled(unknown)
    return evidence


def scaled(probability: float) -> float:
    """The evidence of a probability: 0 for 1, `LEAST` for 0.05 and below."""
    if probability <= LEAST_PROBABILITY:
        return LEAST
    return math.log(min(probability, 1.0)) / _CERTAINTY
