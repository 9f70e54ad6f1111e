"""`with_gait`: a classification in which the way somebody moves has taken part."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from typing import Final

from index.classification import Classification, DecisionRule
from pose.reason import Reason
from stream.people.evidence import LEAST_PROBABILITY, VOTED
from stream.people.gait import GAITS, Motion, gait_likelihoods

__all__ = ["knows_gaits", "with_gait"]

_WALKING: Final = "walking"


def knows_gaits(labels: Container[str]) -> bool:
    """Whether a database tells walking from standing or running. In one without walkers, a walk is an example of one of
    the others, and gait must keep out."""
    return _WALKING in labels and any(gait in labels for gait in GAITS if gait != _WALKING)


def with_gait(
    classification: Classification,
    motion: Motion | None,
    labels: Container[str],
    rule: DecisionRule,
) -> Classification:
    """The classification with standing, walking and running weighed by how well they explain the motion.

    What the vote gives to the three together stays what it was, and so does every other label; Bayes' rule shares it
    out among them anew. A label without votes counts as if it had a twentieth of it: a few neighbours are too small a
    sample for a veto. (Of 0.02 to 1, 0.05 and 0.1 explain best what people in 955 held-out pictures of the three do.)

    Args:
        classification: what a single frame says.
        motion: how the person moves; None if that is not known.
        labels: those of the database, for which `knows_gaits` holds.
        rule: what a posture needs in order to be named.

    Returns:
        A classification with `gait`, or the same one where the motion is not known or the vote says nothing of the
        three.
    """
    if motion is None or classification.reason not in VOTED:
        return classification
    shares = dict(classification.probabilities)
    gaits = [gait for gait in GAITS if gait in labels]
    together = sum(shares.get(gait, 0.0) for gait in gaits)
    if together <= 0:
        return classification
    likelihoods = dict(zip(GAITS, gait_likelihoods(motion), strict=True))
    weights = {gait: (shares.get(gait, 0.0) + LEAST_PROBABILITY * together) * likelihoods[gait] for gait in gaits}
    total = sum(weights.values())
    shares |= {gait: together * weight / total for gait, weight in weights.items()}
    ranked = tuple(sorted(shares.items(), key=lambda share: -share[1]))
    best, probability = ranked[0]
    ahead = probability - ranked[1][1] if len(ranked) > 1 else probability
    reason = rule.reason(probability, ahead)
    if reason is None and classification.reason is Reason.OTHER and best == classification.best:
        reason = Reason.OTHER
    return replace(
        classification,
        label=best if reason is None else None,
        probability=probability,
        best=best,
        reason=reason,
        probabilities=ranked,
        gait=tuple(likelihoods.items()),
    )
