"""Why a person is called what they are called: the vote in a sentence, with the threshold it met or missed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from index import Classification, PostureIndex, Unknown
from index.building.pictures import printable
from stream.settings.model import Settings

__all__ = ["explain"]


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
    distance = f"the median distance to its {len(classification.entries)} neighbours is {classification.distance:.3f}"
    if classification.reason is None:
        limit = "" if radius is None else f", within the rejection radius of {radius:.3f}"
        votes = (
            f"{classification.probability:.0%} of the vote, at least {settings.index.min_probability:.0%} is asked for"
        )
        return f"{votes}; {distance}{limit}"
    if classification.reason is Unknown.TOO_FEW_KEYPOINTS:
        seen = int((keypoints[:, 2] >= settings.pose.keypoint_threshold).sum())
        return (
            f"{seen} of {len(keypoints)} keypoints score {settings.pose.keypoint_threshold:g} or more, "
            f"pose.min_keypoints asks for {settings.pose.min_keypoints}"
        )
    if classification.reason is Unknown.TOO_FAR and radius is not None:
        return f"{distance}, beyond the rejection radius of {radius:.3f}"
    if classification.reason is Unknown.NO_MAJORITY:
        votes = ", ".join(
            f"{printable(label)} {probability:.0%}" for label, probability in classification.probabilities
        )
        if classification.probability < settings.index.min_probability:
            return f"the vote is {votes}; index.min_probability asks for {settings.index.min_probability:.0%}"
        return f"the vote is {votes}: nobody is ahead"
    if classification.reason is Unknown.TOO_CLOSE:
        (first, probability), (second, rival) = classification.probabilities[:2]
        return (
            f"{printable(first)} {probability:.0%} is {probability - rival:.0%} ahead of {printable(second)}; "
            f"index.min_margin asks for {settings.index.min_margin:.0%}"
        )
    if classification.reason is Unknown.TOO_SMALL:
        return f"the box is less than pose.min_person_px ({settings.pose.min_person_px:g}) pixels long"
    if classification.reason is Unknown.COLLAPSED:
        return "the keypoints that are seen lie on one heap in the box"
    if classification.reason is Unknown.OTHER:
        how_sure = f"{classification.probability:.0%}"
        return f"it is most like the examples of {classification.best!r}, {how_sure}: none of the postures"
    return str(classification.reason)
