"""What to do next for a better database, in plain words, from an evaluation."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.building.pictures import printable
from index.classification import OTHER_LABEL
from index.evaluation.evaluation import Evaluation
from index.evaluation.metrics import MIN_SUPPORT
from index.search.viewpoint import VIEWS, torso_tilts, viewpoints
from pose.reason import Reason

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

MIN_LEAN_RADIANS: Final = np.pi / 4
"""Postures whose torsos lean differently by more than this are told apart by an embedding that sees which way is up."""

TURNING_MEANS_NOTHING: Final = ("nose25",)
"""Embeddings in which a person and the same person turned in the picture are one point."""

_MOST: Final = 0.6  # of some people, to say how most of them are

_CURES: Final[dict[str, str]] = {
    Reason.NO_PERSON: "the network finds nobody there: use pictures that show the person larger, or a larger network "
    "(pose.network)",
    Reason.TOO_FEW_KEYPOINTS: "too little of the person is seen: use pictures that show more of the body, or lower "
    "pose.min_keypoints",
    Reason.TOO_SMALL: "they are too small in the picture: use pictures that show the person larger, or lower "
    "pose.min_person_px",
    Reason.COLLAPSED: "the network places their joints on one heap: use clearer pictures, or a larger network "
    "(pose.network)",
    Reason.TOO_CLOSE: "they lie between two postures{with_whom}: add pictures of {label}{like}, or lower "
    "index.min_margin",
    Reason.TOO_FAR: "nothing in the database is like them: add pictures of {label}{like}",
    Reason.NO_MAJORITY: "their neighbours disagree{with_whom}: add pictures of {label}{like}",
}

_ANY_CURE: Final = "add pictures of {label}{like}"


def next_steps(evaluation: Evaluation) -> list[str]:
    """One sentence per step, the one that mends most first; never empty."""
    steps = [*_taken_for_another(evaluation), *_open_set(evaluation), *_left_unknown(evaluation)]
    sentences = [sentence for _, sentence in sorted(steps, key=lambda step: -step[0])]
    sentences = _untaught(evaluation) + sentences
    sentences += _near_duplicates(evaluation) + _small_classes(evaluation) + _calibration(evaluation)
    return sentences or ["Nothing stands out. Evaluate with pictures of other people, places and cameras."]


def _untaught(evaluation: Evaluation) -> list[str]:
    names = [
        _name(label)
        for place, label in enumerate(evaluation.classes)
        if (evaluation.untaught & (evaluation.truth == place)).any()
    ]
    if not names:
        return []
    return [
        f"Nothing was left to learn {', '.join(names)} from while some of their people were asked about: add pictures "
        "of them from elsewhere, or group another way."
    ]


def _taken_for_another(evaluation: Evaluation) -> list[tuple[int, str]]:
    """Classes that get another's label, with the people it concerns."""
    steps: list[tuple[int, str]] = []
    turned: list[tuple[int, str]] = []
    for label, name in enumerate(evaluation.classes):
        of_class = (evaluation.truth == label) & ~evaluation.untaught
        for other, other_name in enumerate(evaluation.classes):
            wrong = of_class & (evaluation.named == other)
            count = int(wrong.sum())
            if label == other or count < MIN_PEOPLE or count < MIN_TAKEN * of_class.sum():
                continue
            said = f"{_name(name)} is taken for {_name(other_name)} in {_part(wrong, of_class)}"
            if _blind_to_turning(evaluation, wrong, other):
                turned.append((count, said))
            else:
                steps.append((count, f"{said}: add pictures of {_name(name)}{_like(evaluation, wrong)}."))
    if turned:
        cure = f"{evaluation.embedding} does not see which way is up; choose another embedding"
        steps.append((sum(count for count, _ in turned), f"{', '.join(said for _, said in turned)}: {cure}."))
    return steps


def _open_set(evaluation: Evaluation) -> list[tuple[int, str]]:
    """Classes whose label people get who are in none of the postures, with the people it concerns."""
    steps = []
    outsiders = evaluation.truth < 0
    for other, name in enumerate(evaluation.classes):
        wrong = outsiders & (evaluation.named == other)
        count = int(wrong.sum())
        if count >= MIN_PEOPLE and count >= MIN_TAKEN * outsiders.sum():
            said = f"people who are in none of the postures are called {_name(name)} in {_part(wrong, outsiders)}"
            steps.append(
                (count, f"{said}: teach the class {OTHER_LABEL} pictures like them{_like(evaluation, wrong)}.")
            )
    return steps


def _left_unknown(evaluation: Evaluation) -> list[tuple[int, str]]:
    """Classes of which many stay unknown, with the people it concerns."""
    steps = []
    reasons = np.array([reason or "" for reason in evaluation.reasons], object)
    for label, name in enumerate(evaluation.classes):
        of_class = (evaluation.truth == label) & ~evaluation.untaught
        refused = of_class & (evaluation.named < 0)
        count = int(refused.sum())
        if count < MIN_PEOPLE or count < MIN_REFUSED * of_class.sum():
            continue
        names, counts = np.unique(reasons[refused].astype(str), return_counts=True)
        reason = str(names[counts.argmax()])
        mostly = refused & (reasons == reason)
        cure = _CURES.get(reason, _ANY_CURE).format(
            label=_name(name), like=_like(evaluation, mostly), with_whom=_rival(evaluation, mostly, label)
        )
        said = f"{_name(name)} stays unknown in {_part(refused, of_class)}"
        steps.append((count, f"{said}, mostly for {reason}: {cure}."))
    return steps


def _near_duplicates(evaluation: Evaluation) -> list[str]:
    count = int(evaluation.near_duplicates.sum())
    if not count:
        return []
    return [
        f"{count} of {evaluation.people} people are in the database already, as the same or nearly the same picture "
        f"(such as {_example(evaluation, evaluation.near_duplicates)}): without them accuracy is "
        f"{evaluation.accuracy_without_near_duplicates:.3f}, and that is the figure to believe."
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
            f"Too few people to judge by, so not in macro F1: {', '.join(few)}. Ask about {MIN_SUPPORT} or more each."
        )
    return steps


def _calibration(evaluation: Evaluation) -> list[str]:
    calibration = evaluation.calibration
    if not calibration.expected_error > MAX_CALIBRATION_ERROR:
        return []
    told = calibration.count > 0
    people = calibration.count[told] / calibration.count.sum()
    said, right = float(calibration.probability[told] @ people), float(calibration.accuracy[told] @ people)
    way = "surer than it is right" if said > right else "more right than it is sure"
    cure = (
        "; a higher index.min_probability refuses more"
        if said > right
        else "; a lower index.min_probability refuses less"
    )
    return [f"It is {way}: {said:.0%} on average where {right:.0%} are right{cure}."]


def _blind_to_turning(evaluation: Evaluation, wrong: NDArray[np.bool_], other: int) -> bool:
    """Whether these people differ from those of the other class by how the torso leans, and the embedding is blind."""
    if evaluation.embedding not in TURNING_MEANS_NOTHING:
        return False
    tilts = torso_tilts(evaluation.examples.keypoints)  # NaN for people of unknown origin
    known = np.isfinite(tilts)
    theirs, others = tilts[known & wrong], tilts[known & (evaluation.truth == other)]
    return bool(len(theirs) and len(others) and abs(np.median(theirs) - np.median(others)) > MIN_LEAN_RADIANS)


def _part(some: NDArray[np.bool_], all_of_them: NDArray[np.bool_]) -> str:
    return f"{some.sum() / all_of_them.sum():.0%} ({some.sum()} of {all_of_them.sum()})"


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
    surest = people[np.argmax(np.nan_to_num(evaluation.probability[people]))]
    return printable(evaluation.examples.pictures[surest])


def _rival(evaluation: Evaluation, chosen: NDArray[np.bool_], label: int) -> str:
    """The class that most of these people's neighbours name beside their own."""
    others = np.concatenate((evaluation.best[chosen], evaluation.rivals[chosen]))
    others = others[(others >= 0) & (others != label)]
    return f", often in favour of {_name(evaluation.classes[np.bincount(others).argmax()])}" if len(others) else ""


def _name(label: str) -> str:
    return printable(label)
