"""`Reason`: why a person has no posture, or a picture gives the database nothing."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Reason"]


class Reason(StrEnum):
    """Why a person has no posture, or a picture gives the database nothing. Compares equal to its words.

    Reports, JSON lines and the tables of an evaluation hold these words, so they stay as they are.
    """

    # the picture
    UNREADABLE = "cannot be read"
    NO_PERSON = "no person found"

    # the person, before any database is asked: `pose.embeddings.quality_gate`
    TOO_FEW_KEYPOINTS = "too few keypoints"
    TOO_SMALL = "too small"
    COLLAPSED = "collapsed skeleton"

    # the vote of the neighbours: `index.classification`
    TOO_FAR = "too far"
    OTHER = "none of the postures"
    NO_MAJORITY = "no majority"
    TOO_CLOSE = "between two postures"
    EMPTY_DATABASE = "empty database"

    # what the database holds already: `index.rows`
    KNOWN = "already in the database"
    CONFLICT = "already there under another label"

    @property
    def needs_a_look(self) -> bool:
        """Whether somebody should look at the picture: it is damaged, or contradicts another."""
        return self in (Reason.UNREADABLE, Reason.CONFLICT)
