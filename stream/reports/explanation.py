"""Why a person is called what they are called: the vote in a sentence, with the threshold it met or missed."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from index import Classification, PostureIndex
from index.building.pictures import printable
from pose.reason import Reason
from stream.settings.model import Settings

__all__ = ["explain"]

MOST_DIGITS: Final = 9


def explain(
    classification: Classification, keypoints: NDArray[np.float32], index: PostureIndex, settings: Settings
) -> str:
    """One sentence: for a label, what spoke for it; for an unknown, which threshold was missed, and by what value.

    Args:
        classification: of one person.
        keypoints: the person's, `[17, 3]`.
        index: the database that was asked.
        settings: what it was asked with.
    """
    radius = index.rejection_radius
    distance = _distance(classification, f"{classification.distance:.3f}")
    if classification.reason is None:
        limit = "" if radius is None else f", within the rejection radius of {radius:.3f}"
        votes = (
            f"{classification.probability:.0%} of the vote, at least {settings.index.min_probability:.0%} is asked for"
        )
        return f"{votes}; {distance}{limit}"
    if classification.reason is Reason.TOO_FEW_KEYPOINTS:
        seen = int((keypoints[:, 2] >= settings.pose.keypoint_threshold).sum())
        counted = f"{seen} of {len(keypoints)} keypoints score {settings.pose.keypoint_threshold:g} or more"
        if seen < settings.pose.min_keypoints:
            return f"{counted}, pose.min_keypoints asks for {settings.pose.min_keypoints}"
        return (
            f"{counted}, which would be enough, but those that the posture is measured from are hidden: "
            f"{index.embedding.name} needs a shoulder and a limb or side of the torso"
        )
    if classification.reason is Reason.TOO_FAR and radius is not None:
        value, limit = _told_apart(classification.distance, radius, ".{}f", 3)
        return f"{_distance(classification, value)}, beyond the rejection radius of {limit}"
    if classification.reason is Reason.NO_MAJORITY:
        best, least = classification.probability, settings.index.min_probability
        told, limit = _told_apart(best, least, ".{}%") if best < least else (f"{best:.0%}", "")
        votes = ", ".join(
            f"{printable(label)} {told if place == 0 else f'{probability:.0%}'}"
            for place, (label, probability) in enumerate(classification.probabilities)
        )
        if best < least:
            return f"the vote is {votes}; index.min_probability asks for {limit}"
        return f"the vote is {votes}: nobody is ahead"
    if classification.reason is Reason.TOO_CLOSE:
        (first, probability), (second, rival) = classification.probabilities[:2]
        ahead, limit = _told_apart(probability - rival, settings.index.min_margin, ".{}%")
        return (
            f"{printable(first)} {probability:.0%} is {ahead} ahead of {printable(second)}; "
            f"index.min_margin asks for {limit}"
        )
    if classification.reason is Reason.TOO_SMALL:
        return f"the box is less than pose.min_person_px ({settings.pose.min_person_px:g}) pixels long"
    if classification.reason is Reason.COLLAPSED:
        return "the keypoints that are seen lie on one heap in the box"
    if classification.reason is Reason.OTHER:
        how_sure = f"{classification.probability:.0%}"
        return f"it is most like the examples of {classification.best!r}, {how_sure}: none of the postures"
    return str(classification.reason)


def _distance(classification: Classification, value: str) -> str:
    return f"the median distance to its {len(classification.entries)} neighbours is {value}"


def _told_apart(value: float, limit: float, form: str, digits: int = 0) -> tuple[str, str]:
    """A value and the limit that it missed, with so many digits that they do not read alike.

    Args:
        form: how both are written, with a place for the number of digits.
        digits: the least.
    """
    while True:
        told = tuple(format(number, form.format(digits)) for number in (value, limit))
        if told[0] != told[1] or digits >= MOST_DIGITS:
            return told[0], told[1]
        digits += 1
