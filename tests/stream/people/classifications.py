"""Classifications for made worlds: what a frame says, without a database."""

from index.classification import Classification
from pose.reason import Reason


def certain(label: str | None) -> Classification:
    """All votes for one label; None is a person that cannot be judged."""
    if label is None:
        return Classification(None, 0.0, float("nan"), None, Reason.TOO_FEW_KEYPOINTS, (), (), ())
    return votes(**{label: 1.0})


def votes(**parts: float) -> Classification:
    """These parts of the vote; below half, no majority."""
    ordered = tuple(sorted(parts.items(), key=lambda item: -item[1]))
    best, probability = ordered[0]
    label, reason = (best, None) if probability >= 0.5 else (None, Reason.NO_MAJORITY)
    return Classification(label, probability, 0.1, best, reason, (0,), (best,), (0.1,), ordered)


def too_far(**parts: float) -> Classification:
    """These parts of the vote, of neighbours that are too far to count."""
    ordered = tuple(parts.items())
    return Classification(None, ordered[0][1], 9.0, ordered[0][0], Reason.TOO_FAR, (0,), ("x",), (9.0,), ordered)
