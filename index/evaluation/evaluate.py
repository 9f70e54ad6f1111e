"""Evaluating a database: by held-out people, by leaving one row out, or by folds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.classification import DECISION_RULE, OTHER_LABEL, Classification, DecisionRule
from index.errors import EvaluationError
from index.evaluation.evaluation import Evaluation, LeftOut, Missed
from index.evaluation.groups import assign_folds, group_codes
from index.evaluation.metrics import auroc
from index.evaluation.near_duplicates import families, near_duplicates_between
from index.evaluation.trial import Trial, part_of
from index.posture_index import PostureIndex
from index.storage.examples import Examples

__all__ = ["check_classes", "evaluate_folds", "evaluate_held_out", "evaluate_leaving_one_out"]

MOST_ASKED: Final = 20_000
"""Of a larger database so many rows, evenly spaced, are asked: the accuracy is then sure to half a percent."""

MOST_ASKED_OPEN_SET: Final = 2_048


def evaluate_held_out(
    index: PostureIndex,
    people: PostureIndex,
    missed: Sequence[Missed] = (),
    ignored: dict[str, tuple[str, ...]] | None = None,
    *,
    rule: DecisionRule = DECISION_RULE,
) -> Evaluation:
    """Ask a database about people it was not built from.

    Args:
        index: the database.
        people: those asked about, with their true labels, as a database in memory (see `build_index`).
        missed: test pictures that gave nobody to ask about; each counts as one person who stayed unknown.
        ignored: test pictures that count for nothing, by reason; they are only told.
        rule: the one that is judged.

    Raises:
        EvaluationError: the database knows fewer than two classes, or not one of those asked.
    """
    check_classes(index, [*people.classes, *(miss.label for miss in missed)])
    trial = Trial(index, people.vectors, people.labels, people.examples)
    return _evaluate("held-out pictures", index, [trial], missed, ignored or {}, rule)


def evaluate_leaving_one_out(index: PostureIndex, *, rule: DecisionRule = DECISION_RULE) -> Evaluation:
    """Ask a database about each of its own rows, as if that row and the others of its picture were not there.

    The neighbours are exactly those of a database without them; the rejection radius stays that of the whole.

    Raises:
        EvaluationError: the database knows fewer than two classes.
    """
    check_classes(index)
    own = np.arange(index.rows)
    trial = Trial(index, index.vectors, index.labels, index.examples, own).spread(MOST_ASKED)
    asked = len(trial.labels)
    method = "leave-one-out" + (f" over {asked:,} of {index.rows:,} rows" if asked < index.rows else "")
    return _evaluate(method, index, [trial], (), {}, rule)


def evaluate_folds(
    index: PostureIndex, folds: int, grouping: str = "picture", *, rule: DecisionRule = DECISION_RULE
) -> Evaluation:
    """Split a database into folds, and ask about the rows of each a database of all others.

    Args:
        index: the database.
        folds: how many, at least 2.
        grouping: what may not be torn apart, one of `index.evaluation.groups.GROUPINGS`; near-duplicates never are.
        rule: the one that is judged.

    Raises:
        EvaluationError: the database knows fewer than two classes, or there are no two groups.
    """
    check_classes(index)
    if folds < 2:
        raise EvaluationError(
            f"folds is {folds}; there are at least 2. Without folds, one example at a time is left out."
        )
    groups = group_codes(index.examples.pictures, grouping, families(index.examples))
    fold_of = assign_folds(groups, folds)
    whole = Trial(index, index.vectors, index.labels, index.examples)
    trials = []
    for fold in range(int(fold_of.max()) + 1):
        asked = fold_of == fold
        trials.append(Trial(part_of(index, ~asked), whole.vectors, whole.labels, whole.examples).select(asked))
    method = f"{len(trials)} folds by {grouping}"
    return _evaluate(method, index, trials, (), {}, rule)


def check_classes(index: PostureIndex, asked: Sequence[str] = ()) -> None:
    """See that a database can be asked about people of these classes.

    Raises:
        EvaluationError: it knows fewer than two classes, or not one of those asked.
    """
    known = _classes(index)
    if len(known) < 2:
        only = f"only {known[0]!r}" if known else "no posture"
        raise EvaluationError(
            f"The database knows {only}: there is nothing to tell apart. Add another posture with `stance add`."
        )
    strange = sorted(set(asked) - {*known, OTHER_LABEL})
    if strange:
        raise EvaluationError(
            f"The database does not know {', '.join(map(repr, strange))}; it knows {', '.join(known)}. Teach it with "
            f"`stance add`, rename the folder, or name it {OTHER_LABEL!r} if these people should stay unknown."
        )


def _evaluate(
    method: str,
    index: PostureIndex,
    trials: Sequence[Trial],
    missed: Sequence[Missed],
    ignored: dict[str, tuple[str, ...]],
    rule: DecisionRule,
) -> Evaluation:
    classes = _classes(index)
    code = {label: place for place, label in enumerate(classes)}
    classifications = [classification for trial in trials for classification in trial.ask(rule)]
    labels = [*(label for trial in trials for label in trial.labels), *(miss.label for miss in missed)]
    reasons = [*(_reason(classification) for classification in classifications), *(miss.reason for miss in missed)]
    classifications += [Classification(None, 0.0, float("nan"), None, None, (), (), ())] * len(missed)
    lost = replace(Examples.unknown(len(missed)), pictures=tuple(miss.picture for miss in missed))
    near_duplicates = [
        near_duplicates_between(trial.examples, trial.index.examples, trial.own) >= 0 for trial in trials
    ]
    untaught = [trial.untaught for trial in trials]
    counts = index.counts
    fewer = [trial.spread(MOST_ASKED_OPEN_SET // len(trials)) for trial in trials]
    return Evaluation(
        method=method,
        embedding=index.embedding.name,
        classes=classes,
        rows=np.array([counts[label] for label in classes], np.int64),
        truth=_codes(code, labels),
        named=_codes(code, [classification.label for classification in classifications]),
        best=_codes(code, [classification.best for classification in classifications]),
        rivals=_codes(code, [_second(classification) for classification in classifications]),
        probability=np.array([classification.probability for classification in classifications], np.float64),
        distance=np.array([classification.distance for classification in classifications], np.float64),
        reasons=tuple(reasons),
        near_duplicates=np.concatenate([*near_duplicates, np.zeros(len(missed), bool)]),
        untaught=np.concatenate([*untaught, np.zeros(len(missed), bool)]),
        examples=Examples.concatenate([*(trial.examples for trial in trials), lost]),
        left_out=tuple(_leave_out(label, fewer, rule) for label in classes),
        ignored=ignored,
    )


def _leave_out(label: str, trials: Sequence[Trial], rule: DecisionRule) -> LeftOut:
    """How people are answered by databases that were never shown this class."""
    scores: list[float] = []
    outside: list[bool] = []
    refused: list[bool] = []
    for trial in trials:
        for people, is_outside_one in zip(trial.without(label), (True, False), strict=True):
            classifications = people.ask(rule)
            scores += [_open_set_score(classification) for classification in classifications]
            refused += [classification.label is None for classification in classifications]
            outside += [is_outside_one] * len(classifications)
    is_outside = np.array(outside, bool)
    of_them = np.array(refused, bool)[is_outside]
    return LeftOut(
        label,
        len(of_them),
        auroc(np.array(scores, np.float64), is_outside),
        float(of_them.mean()) if len(of_them) else float("nan"),
    )


def _open_set_score(classification: Classification) -> float:
    """How little somebody looks like any known class: the higher, the less certain the best label; infinite without
    neighbours.

    Measured on everyday postures left out in turn: certainty detects them better than distance, probability or both.
    """
    return -classification.certainty if classification.entries else math.inf


def _classes(index: PostureIndex) -> tuple[str, ...]:
    return tuple(sorted(label for label in index.classes if label != OTHER_LABEL))


def _codes(code: dict[str, int], labels: Sequence[str | None]) -> NDArray[np.int64]:
    """Places of labels in `classes`, int64 `[N]`; −1 for None and `OTHER_LABEL`."""
    return np.array([-1 if label is None else code.get(label, -1) for label in labels], np.int64)


def _reason(classification: Classification) -> str | None:
    return (
        classification.label
        if classification.label == OTHER_LABEL
        else classification.reason and str(classification.reason)
    )


def _second(classification: Classification) -> str | None:
    return classification.probabilities[1][0] if len(classification.probabilities) > 1 else None
