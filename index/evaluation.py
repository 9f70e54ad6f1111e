"""How well a database names postures: by held-out people, by leaving one row out, or by folds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.duplicates import families, twins_between
from index.errors import EvaluationError
from index.examples import Examples
from index.groups import assign_folds, group_codes
from index.metrics import MIN_SUPPORT, Calibration, ClassScores, accuracy, auroc, calibrate, class_scores, confuse
from index.posture_index import PostureIndex
from index.verdict import Matches, Verdict

__all__ = [
    "OTHER",
    "Evaluation",
    "LeftOut",
    "Missed",
    "evaluate_folds",
    "evaluate_held_out",
    "evaluate_leaving_one_out",
]

OTHER: Final = "other"
"""The class of people who are in none of the postures: unknown is the right answer for them."""

MOST_ASKED: Final = 20_000
"""Of a larger database so many rows, evenly spaced, are asked one by one: an accuracy is then sure to half a percent."""

MOST_ASKED_AS_STRANGERS: Final = 2_048


@dataclass(frozen=True, slots=True)
class Missed:
    """A test picture that nobody could be asked about: no person was found in it, or too little of one."""

    label: str
    reason: str
    picture: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How a class is met by a database that was never shown it.

    Attributes:
        label: the class.
        people: of this class.
        auroc: the chance that one of them is farther from being named than somebody of another class, 0–1; 0.5 is blind.
        refused: part of them that stays unknown, as it should; the others get another class's label.
    """

    label: str
    people: int
    auroc: float
    refused: float


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What was answered about N people whose posture is known. −1 stands for unknown.

    Attributes:
        method: in words.
        classes: C labels, sorted; `OTHER` is none of them.
        rows: rows of the database for each of them, int64 `[C]`.
        truth: int64 `[N]`: what the people are; −1 for people of `OTHER`.
        named: int64 `[N]`: the label they were given.
        best: int64 `[N]`: the likeliest label, also when it was not enough; −1 without neighbours.
        rivals: int64 `[N]`: the second likeliest label; −1 if no neighbour has another.
        share: float64 `[N]`: probability of the likeliest label.
        distance: float64 `[N]`: median distance of the neighbours; NaN without.
        reasons: N: why somebody stayed unknown; None if named.
        twins: bool `[N]`: the same picture, or nearly, is among what was known.
        examples: where the people came from, N rows.
        left_out: for every class, the answers of a database without it.
        ignored: pictures that could not be used at all, by reason.
    """

    method: str
    classes: tuple[str, ...]
    rows: NDArray[np.int64]
    truth: NDArray[np.int64]
    named: NDArray[np.int64]
    best: NDArray[np.int64]
    rivals: NDArray[np.int64]
    share: NDArray[np.float64]
    distance: NDArray[np.float64]
    reasons: tuple[str | None, ...]
    twins: NDArray[np.bool_]
    examples: Examples
    left_out: tuple[LeftOut, ...]
    ignored: dict[str, tuple[str, ...]]

    @property
    def people(self) -> int:
        """N."""
        return len(self.truth)

    @property
    def accuracy(self) -> float:
        """Part of all people whose answer is right. Unknown is wrong, except for people of `OTHER`."""
        return accuracy(self.truth, self.named)

    @property
    def accuracy_among_named(self) -> float:
        """Part of those given a label whose label is right."""
        named = self.named >= 0
        return accuracy(self.truth[named], self.named[named])

    @property
    def accuracy_of_likeliest(self) -> float:
        """Part of all people whose likeliest label is right: accuracy if nobody could be refused."""
        return accuracy(self.truth, self.best)

    @property
    def accuracy_without_twins(self) -> float:
        """Accuracy over those who are not in the database already."""
        return accuracy(self.truth[~self.twins], self.named[~self.twins])

    @property
    def confusion(self) -> NDArray[np.int64]:
        """int64 `[C + 1, C + 1]`: row is the truth, column the answer; last row `OTHER`, last column unknown."""
        return confuse(self.truth, self.named, len(self.classes))

    @property
    def scores(self) -> ClassScores:
        """Precision, recall, F1 and support of every class."""
        return class_scores(self.confusion)

    @property
    def calibration(self) -> Calibration:
        """Whether the likeliest label is right as often as its probability says, over all who have neighbours."""
        told = self.best >= 0
        return calibrate(self.share[told], (self.best == self.truth)[told])

    @property
    def unknown(self) -> dict[str, int]:
        """How many people stayed unknown, by reason, the most frequent first."""
        reasons = [reason for reason in self.reasons if reason is not None]
        return {reason: reasons.count(reason) for reason in sorted(set(reasons), key=lambda r: (-reasons.count(r), r))}

    @property
    def left_out_auroc(self) -> float:
        """Mean over the classes with at least `MIN_SUPPORT` people; NaN without any."""
        judged = [one.auroc for one in self.left_out if one.people >= MIN_SUPPORT and not math.isnan(one.auroc)]
        return float(np.mean(judged)) if judged else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """People, and the database that is asked about them.

    Attributes:
        index: what is known.
        vectors: float32 `[N, D]`.
        labels: N, the truth.
        examples: N.
        own: int64 `[N]`: the row that each of them is in `index`, hidden from the search together with the other people
            of its picture; None if they are not in it.
    """

    index: PostureIndex
    vectors: NDArray[np.float32]
    labels: tuple[str, ...]
    examples: Examples
    own: NDArray[np.int64] | None = None

    def spread(self, most: int) -> _Trial:
        """At most so many of the people, evenly spaced."""
        if len(self.labels) <= most:
            return self
        rows = np.linspace(0, len(self.labels) - 1, most).astype(np.int64)
        own = None if self.own is None else self.own[rows]
        labels = tuple(self.labels[row] for row in rows)
        return _Trial(self.index, self.vectors[rows], labels, self.examples.select(rows), own)


def evaluate_held_out(
    index: PostureIndex,
    people: PostureIndex,
    missed: Sequence[Missed] = (),
    ignored: dict[str, tuple[str, ...]] | None = None,
    *,
    k: int = 5,
    min_share: float = 0.5,
) -> Evaluation:
    """Ask a database about people it was not built from.

    Args:
        index: the database.
        people: those asked about, with their true labels, as a database in memory (see `index.build.build_index`).
        missed: test pictures that gave nobody to ask about; each counts as one person who stayed unknown.
        ignored: test pictures that count for nothing, by reason; they are only told.
        k, min_share: as for `PostureIndex.classify`.

    Raises:
        EvaluationError: the database knows fewer than two classes, or not one of those asked.
    """
    check_classes(index, [*people.classes, *(miss.label for miss in missed)])
    trial = _Trial(index, people.vectors, people.labels, people.examples)
    return _evaluate("held-out pictures", index, [trial], missed, ignored or {}, k, min_share)


def evaluate_leaving_one_out(index: PostureIndex, *, k: int = 5, min_share: float = 0.5) -> Evaluation:
    """Ask a database about each of its own rows, as if that row and the others of its picture were not there.

    The neighbours are exactly those of a database without them; the rejection radius stays that of the whole.

    Raises:
        EvaluationError: the database knows fewer than two classes.
    """
    check_classes(index)
    own = np.arange(index.rows)
    trial = _Trial(index, index.vectors, index.labels, index.examples, own).spread(MOST_ASKED)
    asked = len(trial.labels)
    method = "leave-one-out" + (f" over {asked:,} of {index.rows:,} rows" if asked < index.rows else "")
    return _evaluate(method, index, [trial], (), {}, k, min_share)


def evaluate_folds(
    index: PostureIndex, folds: int, grouping: str = "picture", *, k: int = 5, min_share: float = 0.5
) -> Evaluation:
    """Split a database into folds, and ask about the rows of each a database of all others.

    Args:
        index: the database.
        folds: how many, at least 2.
        grouping: what may not be torn apart, one of `index.groups.GROUPINGS`; near-duplicates never are.
        k, min_share: as for `PostureIndex.classify`.

    Raises:
        EvaluationError: the database knows fewer than two classes, or there are no two groups.
    """
    check_classes(index)
    if folds < 2:
        raise EvaluationError(f"--folds is {folds}; there are at least 2. Leave it away for leave-one-out.")
    groups = group_codes(index.examples.pictures, grouping, families(index.examples))
    fold_of = assign_folds(groups, folds)
    vectors, labels, examples = index.vectors, np.array(index.labels, object), index.examples
    trials = []
    for fold in range(int(fold_of.max()) + 1):
        asked = fold_of == fold
        trials.append(
            _Trial(_part(index, ~asked), vectors[asked], tuple(labels[asked].tolist()), examples.select(asked))
        )
    method = f"{len(trials)} folds by {grouping}"
    return _evaluate(method, index, trials, (), {}, k, min_share)


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
    strange = sorted(set(asked) - {*known, OTHER})
    if strange:
        raise EvaluationError(
            f"The database does not know {', '.join(map(repr, strange))}; it knows {', '.join(known)}. Teach it with "
            f"`stance add`, rename the folder, or name it {OTHER!r} if these people should stay unknown."
        )


def _evaluate(
    method: str,
    index: PostureIndex,
    trials: Sequence[_Trial],
    missed: Sequence[Missed],
    ignored: dict[str, tuple[str, ...]],
    k: int,
    min_share: float,
) -> Evaluation:
    classes = _classes(index)
    code = {label: place for place, label in enumerate(classes)}
    verdicts = [verdict for trial in trials for verdict in _ask(trial, k, min_share)]
    labels = [*(label for trial in trials for label in trial.labels), *(miss.label for miss in missed)]
    nobody = Verdict(None, 0.0, float("nan"), None, None, (), (), ())
    verdicts += [nobody] * len(missed)
    lost = Examples.unknown(len(missed))
    lost = Examples(
        tuple(miss.picture for miss in missed), lost.digests, lost.people, lost.keypoints, lost.boxes, lost.sizes
    )
    twins = [twins_between(trial.examples, trial.index.examples, trial.own) >= 0 for trial in trials]
    counts = index.counts
    fewer = [trial.spread(MOST_ASKED_AS_STRANGERS // len(trials)) for trial in trials]
    return Evaluation(
        method=method,
        classes=classes,
        rows=np.array([counts[label] for label in classes], np.int64),
        truth=_codes(code, labels),
        named=_codes(code, [verdict.label for verdict in verdicts]),
        best=_codes(code, [verdict.best for verdict in verdicts]),
        rivals=_codes(code, [_second(verdict) for verdict in verdicts]),
        share=np.array([verdict.share for verdict in verdicts], np.float64),
        distance=np.array([verdict.distance for verdict in verdicts], np.float64),
        reasons=(
            *(None if v.reason is None else str(v.reason) for v in verdicts[: len(verdicts) - len(missed)]),
            *(miss.reason for miss in missed),
        ),
        twins=np.concatenate([*twins, np.zeros(len(missed), bool)]),
        examples=Examples.concatenate([*(trial.examples for trial in trials), lost]),
        left_out=tuple(_leave_out(label, fewer, k, min_share) for label in classes),
        ignored=ignored,
    )


def _ask(trial: _Trial, k: int, min_share: float) -> list[Verdict]:
    """A verdict for each of the people, from the rows they may see."""
    if trial.own is None:
        return trial.index.classify(trial.vectors, k, min_share)
    return trial.index.vote(_without_own(trial, k), min_share)


def _without_own(trial: _Trial, k: int) -> Matches:
    """The k nearest rows that are neither the person's own nor of its picture."""
    assert trial.own is not None
    pictures = _picture_codes(trial.index.examples)
    hidden = int(np.bincount(pictures).max(initial=0))  # so many of the nearest are hidden, at most
    found = trial.index.search(trial.vectors, k + hidden)
    own = pictures[trial.own][:, None] == pictures[found.entries]
    gone = own & (found.entries >= 0)
    order = np.argsort(gone, axis=1, kind="stable")[:, :k]  # what stays comes first, still nearest first
    kept = ~np.take_along_axis(gone, order, axis=1)
    entries = np.take_along_axis(found.entries, order, axis=1)
    distances = np.take_along_axis(found.distances, order, axis=1)
    return Matches(np.where(kept, entries, -1), np.where(kept, distances, np.float32(np.nan)))


def _picture_codes(examples: Examples) -> NDArray[np.int64]:
    """A number for every row's picture, int64 `[R]`; a row of unknown origin is a picture of its own."""
    names = [digest or f"row {row}" for row, digest in enumerate(examples.digests)]
    return np.asarray(np.unique(names, return_inverse=True)[1], np.int64)


def _leave_out(label: str, trials: Sequence[_Trial], k: int, min_share: float) -> LeftOut:
    """How people are answered by databases that were never shown this class."""
    doubts: list[float] = []
    strangers: list[bool] = []
    refused: list[bool] = []
    for trial in trials:
        kept = np.array([known != label for known in trial.index.labels], bool)
        part, place = _part(trial.index, kept), np.cumsum(kept) - 1  # a row's place in the part
        for stranger in (True, False):
            asked = np.array([(name == label) == stranger and name != OTHER for name in trial.labels], bool)
            own = None if stranger or trial.own is None else place[trial.own[asked]]
            names = tuple(np.array(trial.labels, object)[asked].tolist())
            verdicts = _ask(_Trial(part, trial.vectors[asked], names, trial.examples.select(asked), own), k, min_share)
            doubts += [_doubt(verdict) for verdict in verdicts]
            refused += [verdict.label is None for verdict in verdicts]
            strangers += [stranger] * len(verdicts)
    strange = np.array(strangers, bool)
    of_them = np.array(refused, bool)[strange]
    return LeftOut(
        label,
        len(of_them),
        auroc(np.array(doubts, np.float64), strange),
        float(of_them.mean()) if len(of_them) else float("nan"),
    )


def _doubt(verdict: Verdict) -> float:
    """How far a person is from being named: the distance of the neighbours over the share of the best label."""
    if verdict.best is None:
        return float("inf")
    return verdict.distance / verdict.share


def _part(index: PostureIndex, rows: NDArray[np.bool_]) -> PostureIndex:
    """A database of these rows only (bool `[R]`), in memory."""
    part = PostureIndex(index.embedding.name, device=index.device)
    labels = [label for label, kept in zip(index.labels, rows, strict=True) if kept]
    part.add(index.vectors[rows], labels, index.examples.select(rows))
    return part


def _classes(index: PostureIndex) -> tuple[str, ...]:
    return tuple(sorted(label for label in index.classes if label != OTHER))


def _codes(code: dict[str, int], labels: Sequence[str | None]) -> NDArray[np.int64]:
    """Places of labels in `classes`, int64 `[N]`; −1 for None and `OTHER`."""
    return np.array([-1 if label is None else code.get(label, -1) for label in labels], np.int64)


def _second(verdict: Verdict) -> str | None:
    return verdict.probabilities[1][0] if len(verdict.probabilities) > 1 else None
