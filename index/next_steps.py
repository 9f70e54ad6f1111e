"""What to do next for a better database, in plain words, from an evaluation."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.evaluation import Evaluation
from index.metrics import MIN_SUPPORT
from index.pictures import printable
from index.report import Skip
from index.verdict import Unknown
from index.viewpoint import VIEWS, viewpoints

__all__ = ["MIN_PICTURES", "next_steps"]

MIN_PICTURES: Final = 40
"""Below so many pictures a class is said to be small. Nothing is refused for it: people begin with five."""

MIN_TAKEN: Final = 0.1
"""From this part of a class on, its being taken for one other class is said."""

MIN_REFUSED: Final = 0.2
"""From this part of a class on, its staying unknown is said."""

MIN_PEOPLE: Final = 3
"""Fewer people than this may be chance: nothing is concluded from them."""

MAX_CALIBRATION_ERROR: Final = 0.1

_MOST: Final = 0.6  # of some people, to say how most of them are

_CURES: Final = {
    str(
        Skip.NO_PERSON
    ): "the network finds nobody there: use pictures that show the person larger, or a larger network (pose.network)",
    str(
        Unknown.TOO_FEW_KEYPOINTS
    ): "too little of the person is seen: use pictures that show more of the body, or lower pose.min_keypoints",
    str(Unknown.TOO_FAR): "nothing in the database is like them: add pictures of {label}{like}",
    str(Unknown.NO_MAJORITY): "their neighbours disagree{with_whom}: add pictures of {label}{like}",
}


def next_steps(evaluation: Evaluation) -> list[str]:
    """One sentence per step, the one that mends most first; never empty."""
    steps = [
        *_taken_for_another(evaluation),
        *_left_unknown(evaluation),
    ]
    sentences = [sentence for _, sentence in sorted(steps, key=lambda step: -step[0])]
    sentences += _twins(evaluation) + _small_classes(evaluation) + _sureness(evaluation)
    return sentences or ["Nothing stands out. Evaluate with pictures of other people, places and cameras."]


def _taken_for_another(evaluation: Evaluation) -> list[tuple[int, str]]:
    """Classes that get another's label, with the people it concerns."""
    steps = []
    for label, name in enumerate(evaluation.classes):
        of_class = evaluation.truth == label
        for other, other_name in enumerate(evaluation.classes):
            wrong = of_class & (evaluation.named == other)
            count, all_of_them = int(wrong.sum()), int(of_class.sum())
            if label == other or count < MIN_PEOPLE or count < MIN_TAKEN * all_of_them:
                continue
            said = f"{_name(name)} is taken for {_name(other_name)} in {count / all_of_them:.0%} ({count} of {all_of_them})"
            steps.append((count, f"{said}: add pictures of {_name(name)}{_like(evaluation, wrong)}."))
    strangers = evaluation.truth < 0
    for other, other_name in enumerate(evaluation.classes):
        wrong = strangers & (evaluation.named == other)
        count = int(wrong.sum())
        if count >= MIN_PEOPLE and count >= MIN_TAKEN * int(strangers.sum()):
            said = f"{count} of {int(strangers.sum())} people who are in none of the postures are called {_name(other_name)}"
            steps.append((count, f"{said}: add pictures like {_example(evaluation, wrong)} as a class other."))
    return steps


def _left_unknown(evaluation: Evaluation) -> list[tuple[int, str]]:
    """Classes of which many stay unknown, with the people it concerns."""
    steps = []
    reasons = np.array([reason or "" for reason in evaluation.reasons], object)
    for label, name in enumerate(evaluation.classes):
        of_class = evaluation.truth == label
        refused = of_class & (evaluation.named < 0)
        count, all_of_them = int(refused.sum()), int(of_class.sum())
        if count < MIN_PEOPLE or count < MIN_REFUSED * all_of_them:
            continue
        names, counts = np.unique(reasons[refused].astype(str), return_counts=True)
        reason = str(names[counts.argmax()])
        mostly = refused & (reasons == reason)
        cure = _CURES.get(reason, reason).format(
            label=_name(name), like=_like(evaluation, mostly), with_whom=_rival(evaluation, mostly, label)
        )
        said = f"{_name(name)} stays unknown in {count / all_of_them:.0%} ({count} of {all_of_them})"
        steps.append((count, f"{said}, mostly for {reason}: {cure}."))
    return steps


def _twins(evaluation: Evaluation) -> list[str]:
    count = int(evaluation.twins.sum())
    if not count:
        return []
    return [
        f"{count} of {evaluation.people} people are in the database already, as the same or nearly the same picture "
        f"(such as {_example(evaluation, evaluation.twins)}): without them accuracy is "
        f"{evaluation.accuracy_without_twins:.3f}, and that is the figure to believe."
    ]


def _small_classes(evaluation: Evaluation) -> list[str]:
    steps = []
    small = [(int(rows), name) for rows, name in zip(evaluation.rows, evaluation.classes, strict=True)]
    few = [f"{_name(name)} {rows}" for rows, name in sorted(small) if rows < MIN_PICTURES]
    if few:
        steps.append(f"Few pictures to learn from: {', '.join(few)}. {MIN_PICTURES} of different people make it surer.")
    support = evaluation.scores.support
    few = [f"{_name(name)} {n}" for n, name in zip(support, evaluation.classes, strict=True) if n < MIN_SUPPORT]
    if few:
        steps.append(
            f"Too few people to judge by, and not in macro F1: {', '.join(few)}. Ask about {MIN_SUPPORT} or more."
        )
    return steps


def _sureness(evaluation: Evaluation) -> list[str]:
    calibration = evaluation.calibration
    if not calibration.expected_error > MAX_CALIBRATION_ERROR:
        return []
    told = calibration.count > 0
    people = calibration.count[told] / calibration.count.sum()
    said, right = float(calibration.probability[told] @ people), float(calibration.accuracy[told] @ people)
    way = "surer than it is right" if said > right else "more right than it is sure"
    cure = "; a higher index.min_share refuses more" if said > right else "; a lower index.min_share refuses less"
    return [f"It is {way}: {said:.0%} on average where {right:.0%} are right{cure}."]


def _like(evaluation: Evaluation, chosen: NDArray[np.bool_]) -> str:
    """How most of these people are seen, and one of them as an example."""
    example = _example(evaluation, chosen)
    such = f", such as {example}" if example else ""
    keypoints = evaluation.examples.keypoints[chosen]
    views = viewpoints(keypoints[np.isfinite(keypoints).all(axis=(1, 2))])
    for place, view in enumerate(VIEWS):
        if len(views) >= MIN_PEOPLE and (views == place).mean() >= _MOST:
            return f" from the {view}{such}"
    return such


def _example(evaluation: Evaluation, chosen: NDArray[np.bool_]) -> str:
    """The picture of one of these people, the one farthest from being right; "" if its name is unknown."""
    people = np.flatnonzero(chosen)
    surest = people[np.argmax(np.nan_to_num(evaluation.share[people]))]
    return printable(evaluation.examples.pictures[surest])


def _rival(evaluation: Evaluation, chosen: NDArray[np.bool_], label: int) -> str:
    """The class that most of these people's neighbours name beside their own."""
    others = np.concatenate((evaluation.best[chosen], evaluation.rivals[chosen]))
    others = others[(others >= 0) & (others != label)]
    return f", often in favour of {_name(evaluation.classes[np.bincount(others).argmax()])}" if len(others) else ""


def _name(label: str) -> str:
    return printable(label)
