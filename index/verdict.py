"""From neighbours to names: `Matches`, `Verdict` and the vote between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Matches", "Unknown", "Verdict", "vote"]

EPSILON: Final = 0.01
"""Added to every distance before it is inverted: two neighbours nearer than this differ by less than the network's own
noise, so neither may outvote all others."""


class Unknown(StrEnum):
    """Why a person's posture is not named. Compares equal to its sentence."""

    TOO_FEW_KEYPOINTS = "too few keypoints"
    TOO_FAR = "too far"
    NO_MAJORITY = "no majority"
    EMPTY_DATABASE = "empty database"


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The nearest rows of a database for N people. Read-only.

    Attributes:
        entries: int64 `[N, k]`: rows of the database, nearest first; −1 where there is none.
        distances: float32 `[N, k]`: Euclidean, in units of the embedding; NaN where there is none.

    Raises:
        ValueError: the arrays are not two tables of one shape.
    """

    entries: NDArray[np.int64]
    distances: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, dtype in (("entries", np.int64), ("distances", np.float32)):
            array = np.ascontiguousarray(getattr(self, name), dtype=dtype)
            if array is getattr(self, name):
                array = array.view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if self.entries.ndim != 2 or self.entries.shape != self.distances.shape:
            raise ValueError(f"entries {self.entries.shape} and distances {self.distances.shape}, expected [N, k]")

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"Matches(people={self.entries.shape[0]}, k={self.entries.shape[1]})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one person's posture is called, and why.

    Attributes:
        label: the posture, or None when it is unknown.
        share: part of the vote that the best label got, 0–1; 0 without neighbours.
        distance: median distance to the neighbours, in units of the embedding; NaN without neighbours.
        best: the label with the largest share, also when it was not enough; None without neighbours.
        reason: why `label` is None; None when it is known.
        entries: rows of the neighbours in the database, nearest first.
        labels: their labels.
        distances: their distances.
        probabilities: label and its part of the vote for every label that a neighbour has, the likeliest first; they
            add up to 1, also when the verdict is unknown. Empty without neighbours.
    """

    label: str | None
    share: float
    distance: float
    best: str | None
    reason: Unknown | None
    entries: tuple[int, ...]
    labels: tuple[str, ...]
    distances: tuple[float, ...]
    probabilities: tuple[tuple[str, float], ...] = ()


def vote(
    matches: Matches,
    codes: NDArray[np.integer],
    classes: tuple[str, ...],
    *,
    min_share: float = 0.5,
    radius: float | None = None,
) -> list[Verdict]:
    """Let the neighbours of every person vote, each with weight 1 / (distance + 0.01).

    The label with the largest share is the verdict if it has at least `min_share` of the vote, is ahead of every other
    label, and the median distance of the neighbours is at most `radius`.

    Args:
        matches: the neighbours, `[N, k]`.
        codes: `[R]`: for every row of the database, its label's place in `classes`.
        classes: the labels.
        min_share: 0–1.
        radius: beyond it a person is unknown; None to accept any distance.

    Returns:
        N verdicts.
    """
    people, k = matches.entries.shape
    if people == 0:
        return []
    if len(codes) == 0:
        return [_nobody(Unknown.EMPTY_DATABASE)] * people
    found = matches.entries >= 0  # [N, k]
    weights = np.where(found, 1.0 / (np.where(found, matches.distances, 0.0) + EPSILON), 0.0)  # [N, k]
    voted = codes[matches.entries]  # [N, k]; a missing neighbour votes for something with weight 0
    cells = np.arange(people)[:, None] * len(classes) + voted
    votes = np.bincount(cells.ravel(), weights.ravel(), people * len(classes)).reshape(people, len(classes))
    best = votes.argmax(axis=1)  # [N]
    first = votes[np.arange(people), best]
    tied = (votes >= first[:, None] * (1 - 1e-9)).sum(axis=1) > 1
    parts = votes / np.maximum(weights.sum(axis=1), np.finfo(np.float64).tiny)[:, None]  # [N, classes]
    share = parts[np.arange(people), best]
    count = found.sum(axis=1)
    middle = np.maximum(count - 1, 0)
    ordered = matches.distances  # nearest first, the missing ones last: the median needs no sorting
    person = np.arange(people)
    median = (ordered[person, middle // 2] + ordered[person, (middle + 1) // 2]) / 2 if k else np.full(people, np.nan)

    verdicts = []
    for number, entries, names, distances, row, top, part, distance, tie in zip(
        count.tolist(), matches.entries.tolist(), voted.tolist(), matches.distances.tolist(), parts.tolist(),
        best.tolist(), share.tolist(), median.tolist(), tied.tolist(), strict=True,
    ):  # fmt: skip
        if number == 0:
            verdicts.append(_nobody(Unknown.TOO_FEW_KEYPOINTS))
            continue
        reason = None
        if radius is not None and distance > radius:
            reason = Unknown.TOO_FAR
        elif part < min_share or tie:
            reason = Unknown.NO_MAJORITY
        verdicts.append(
            Verdict(
                label=classes[top] if reason is None else None,
                share=part,
                distance=distance,
                best=classes[top],
                reason=reason,
                entries=tuple(entries[:number]),
                labels=tuple([classes[name] for name in names[:number]]),
                distances=tuple(distances[:number]),
                probabilities=tuple(
                    (classes[name], row[name])
                    for name in sorted(set(names[:number]), key=row.__getitem__, reverse=True)
                ),
            )
        )
    return verdicts


def _nobody(reason: Unknown) -> Verdict:
    return Verdict(None, 0.0, float("nan"), None, reason, (), (), ())
