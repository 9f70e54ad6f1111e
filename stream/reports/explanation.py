"""Why a person is called what they are called: the vote in a sentence, with the threshold it met or missed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from index import PostureIndex, Unknown, Verdict
from index.building.pictures import printable
from stream.settings.model import Settings

__all__ = ["explain"]


def explain(verdict: Verdict, keypoints: NDArray[np.float32], index: PostureIndex, settings: Settings) -> str:
    """One sentence: for a label, what spoke for it; for an unknown, which threshold was missed, and by what value.

    Args:
        verdict: of one person.
        keypoints: the person's, `[17, 3]`.
        index: the database that was asked.
        settings: what it was asked with.
    """
    radius = index.rejection_radius
    if verdict.reason is None:
        limit = "" if radius is None else f", within the rejection radius of {radius:.3f}"
        votes = f"{verdict.share:.0%} of the vote, at least {settings.index.min_share:.0%} is asked for"
        return f"{votes}; the median distance to its {len(verdict.entries)} neighbours is {verdict.distance:.3f}{limit}"
    if verdict.reason is Unknown.TOO_FEW_KEYPOINTS:
        seen = int((keypoints[:, 2] >= settings.pose.keypoint_threshold).sum())
        return (
            f"{seen} of {len(keypoints)} keypoints score {settings.pose.keypoint_threshold:g} or more, "
            f"pose.min_keypoints asks for {settings.pose.min_keypoints}"
        )
    if verdict.reason is Unknown.TOO_FAR and radius is not None:
        return (
            f"the median distance to its {len(verdict.entries)} neighbours is {verdict.distance:.3f}, beyond the "
            f"rejection radius of {radius:.3f}"
        )
    if verdict.reason is Unknown.NO_MAJORITY:
        shares = [f"{printable(label)} {share:.0%}" for label, share in verdict.probabilities]
        if verdict.share < settings.index.min_share:
            return f"the vote is {', '.join(shares)}; index.min_share asks for {settings.index.min_share:.0%}"
        return f"the vote is {', '.join(shares)}: nobody is ahead"
    if verdict.reason is Unknown.TOO_CLOSE:
        (first, share), (second, rival) = verdict.probabilities[:2]
        return (
            f"{printable(first)} {share:.0%} is {share - rival:.0%} ahead of {printable(second)}; "
            f"index.min_margin asks for {settings.index.min_margin:.0%}"
        )
    if verdict.reason is Unknown.TOO_SMALL:
        return f"the box is less than pose.min_person_px ({settings.pose.min_person_px:g}) pixels long"
    if verdict.reason is Unknown.COLLAPSED:
        return "the keypoints that are seen lie on one heap in the box"
    if verdict.reason is Unknown.OTHER:
        return f"it is most like the examples of {verdict.best!r}, {verdict.share:.0%}: none of the postures"
    return str(verdict.reason)
