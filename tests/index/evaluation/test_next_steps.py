"""The next step in words: one evaluation per thing that can be wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from index import Examples
from index.evaluation.evaluation import Evaluation
from index.evaluation.next_steps import next_steps
from pose.reason import Reason
from tests.worlds import person

NAMES = ("lying", "sitting", "standing")


def perfect(people: int = 20, rows: int = 50) -> Evaluation:
    """Twenty people of each of three postures, all named rightly and surely, seen from the front."""
    truth = np.repeat(np.arange(3), people)
    count = len(truth)
    keypoints = np.tile(person(100, 50), (count, 1, 1))
    keypoints[truth == 0] = keypoints[truth == 0][:, :, [1, 0, 2]]  # lying
    examples = replace(Examples.unknown(count), pictures=tuple(f"{n}.jpg" for n in range(count)), keypoints=keypoints)
    return Evaluation(
        "held-out pictures", "signed", NAMES, np.full(3, rows), truth, truth.copy(), truth.copy(), np.full(count, -1),
        np.ones(count), np.full(count, 0.1), (None,) * count, np.zeros(count, bool), np.zeros(count, bool), examples,
        (), {},
    )  # fmt: skip


def mistaken(evaluation: Evaluation, people: slice, code: int, **changes: Any) -> Evaluation:
    """Some people called something else."""
    named, best, probability = evaluation.named.copy(), evaluation.best.copy(), evaluation.probability.copy()
    named[people] = best[people] = code
    probability[people] = 0.6
    probability[people.start] = 0.9
    return replace(evaluation, named=named, best=best, probability=probability, **changes)


def refused(evaluation: Evaluation, people: slice, reason: str) -> Evaluation:
    named, reasons, rivals = evaluation.named.copy(), list(evaluation.reasons), evaluation.rivals.copy()
    named[people] = -1
    reasons[people] = [reason] * len(reasons[people])
    rivals[people] = 2
    return replace(evaluation, named=named, reasons=tuple(reasons), rivals=rivals)


def test_nothing_stands_out() -> None:
    assert next_steps(perfect()) == ["Nothing stands out. Evaluate with pictures of other people, places and cameras."]


def test_taken_for_another() -> None:
    assert next_steps(mistaken(perfect(), slice(20, 25), 2)) == [
        "sitting is taken for standing in 25% (5 of 20): add pictures of sitting from the front, such as 20.jpg."
    ]
    assert len(next_steps(mistaken(perfect(), slice(20, 22), 2))) == 1
    assert "Nothing stands out" in next_steps(mistaken(perfect(), slice(20, 22), 2))[0]  # two people may be chance
    assert "Nothing stands out" in next_steps(mistaken(perfect(40), slice(40, 43), 2))[0]  # 3 of 40 are few


def test_the_view_is_said_only_of_a_clear_majority() -> None:
    evaluation = mistaken(perfect(), slice(20, 25), 2)
    keypoints = evaluation.examples.keypoints.copy()
    keypoints[20:23, :, 0] = 0
    keypoints[20:23, 0, 0] = 40
    half = replace(evaluation, examples=replace(evaluation.examples, keypoints=keypoints))
    assert next_steps(half)[0].endswith("add pictures of sitting from the side, such as 20.jpg.")
    keypoints[22] = keypoints[24]
    half = replace(evaluation, examples=replace(evaluation.examples, keypoints=keypoints[:, :, :]))
    assert next_steps(half)[0].endswith("from the front, such as 20.jpg.")
    unknown = replace(evaluation, examples=Examples.unknown(60))
    assert next_steps(unknown)[0].endswith("add pictures of sitting.")


def test_an_embedding_that_does_not_see_which_way_is_up() -> None:
    evaluation = mistaken(perfect(), slice(0, 5), 2, embedding="nose25")
    assert next_steps(evaluation) == [
        "lying is taken for standing in 25% (5 of 20): nose25 does not see which way is up; choose another embedding."
    ]
    assert "add pictures of lying" in next_steps(replace(evaluation, embedding="signed"))[0]
    assert "add pictures of sitting" in next_steps(mistaken(perfect(), slice(20, 25), 2, embedding="nose25"))[0]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason.TOO_FAR, "nothing in the database is like them: add pictures of sitting from the front, such as"),
        (Reason.NO_MAJORITY, "their neighbours disagree, often in favour of standing: add pictures of sitting"),
        (Reason.TOO_FEW_KEYPOINTS, "too little of the person is seen: use pictures that show more"),
        ("no person found", "the network finds nobody there: use pictures that show the person larger"),
        (
            "a reason of tomorrow",
            "mostly for a reason of tomorrow: add pictures of sitting from the front, such as 20.jpg.",
        ),
    ],
)
def test_left_unknown(reason: str, said: str) -> None:
    (step,) = next_steps(refused(perfect(), slice(20, 26), reason))
    assert step.startswith(f"sitting stays unknown in 30% (6 of 20), mostly for {reason}")
    assert said in step


def test_people_of_no_posture_who_are_named() -> None:
    evaluation = perfect()
    truth = evaluation.truth.copy()
    truth[:20] = -1
    steps = next_steps(replace(evaluation, truth=truth, rows=np.full(3, 50)))
    assert steps[0].startswith("people who are in none of the postures are called lying in 100% (20 of 20): teach")


def test_small_classes_near_duplicates_and_false_confidence() -> None:
    evaluation = perfect(14, rows=39)
    near_duplicates = np.zeros(42, bool)
    near_duplicates[7] = True
    probability = np.full(42, 0.7)
    steps = next_steps(replace(evaluation, near_duplicates=near_duplicates, probability=probability))
    assert steps[0].startswith("1 of 42 people are in the database already, as the same or nearly the same picture")
    assert "such as 7.jpg" in steps[0]
    assert steps[1].startswith("Few pictures to learn from: lying 39, sitting 39, standing 39. 40 of")
    assert steps[2].startswith("Too few people to judge by, so not in macro F1: lying 14, sitting 14, standing 14.")
    assert steps[3] == (
        "It is more right than it is sure: 70% on average where 100% are right; "
        "a lower index.min_probability refuses less."
    )


def test_classes_that_had_nothing_to_be_known_by() -> None:
    evaluation = mistaken(perfect(), slice(0, 20), 2)
    steps = next_steps(replace(evaluation, untaught=evaluation.truth == 0))
    assert steps[0].startswith("Nothing was left to learn lying from while some of their people were asked about")
    assert not any("taken for" in step for step in steps)


def test_the_most_people_first() -> None:
    evaluation = mistaken(mistaken(perfect(), slice(20, 24), 2), slice(0, 6), 1)
    assert [step.split()[0] for step in next_steps(evaluation)[:2]] == ["lying", "sitting"]
