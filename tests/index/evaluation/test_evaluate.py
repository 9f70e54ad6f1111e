"""Evaluation: worlds in which the answers are known, and each method against building the database it stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from index import Examples, PostureIndex
from index.classification import DECISION_RULE, Classification, DecisionRule
from index.errors import EvaluationError
from index.evaluation import trial
from index.evaluation.evaluate import evaluate_folds, evaluate_held_out, evaluate_leaving_one_out
from index.evaluation.evaluation import Evaluation, Missed
from index.evaluation.groups import assign_folds
from index.evaluation.metrics import auroc
from index.evaluation.report import as_json
from pose.reason import Reason
from stream.settings.model import IndexSettings

Origins = Callable[..., Examples]


@pytest.fixture
def pictures_of(pictures_of: Origins) -> Origins:
    """Origins as elsewhere, of people none of whom resembles another."""

    def make(names: list[str], people: list[int] | None = None) -> Examples:
        keypoints = np.random.default_rng(len(names)).normal(100, 30, (len(names), 17, 3)).astype(np.float32)
        return replace(pictures_of(names, people), keypoints=keypoints)

    return make


def database(rows: np.ndarray, labels: list[str], examples: Examples | None = None) -> PostureIndex:
    index = PostureIndex("nose25", device="cpu")
    assert index.add(rows.astype(np.float32), labels, examples).count == len(labels)
    return index


@pytest.fixture
def crowd(pictures_of: Origins) -> PostureIndex:
    """Sixty rows of three postures that run into one another, two or three people to a picture of one posture."""
    random = np.random.default_rng(3)
    names = [name for letter in "abc" for number in range(8) for name in [f"{letter}{number}"] * (2 + number % 2)]
    labels = [{"a": "standing", "b": "sitting", "c": "lying"}[name[0]] for name in names]
    people = [names[:row].count(name) for row, name in enumerate(names)]
    centres = np.array([{"standing": 0.3, "sitting": 0.5, "lying": 0.6}[label] for label in labels])
    rows = centres[:, None] + random.normal(0, 0.15, (len(names), 25))
    return database(rows, labels, pictures_of(names, people))


def classification_without(index: PostureIndex, row: int, gone: np.ndarray) -> Classification:
    """What a database built without these rows answers, rejecting as the whole one does."""
    labels = [label for label, out in zip(index.labels, gone, strict=True) if not out]
    rest = database(index.vectors[~gone], labels)
    rest._recalibration.hold(rest._rows, index.calibration)
    return rest.classify(index.vectors[row : row + 1])[0]


def labels_of(evaluation: Evaluation, codes: np.ndarray) -> list[str | None]:
    return [evaluation.classes[code] if code >= 0 else None for code in codes]


def test_leaving_one_out_is_building_without_it(crowd: PostureIndex) -> None:
    evaluation = evaluate_leaving_one_out(crowd)
    digests = np.array(crowd.examples.digests)
    expected = [classification_without(crowd, row, digests == digests[row]) for row in range(crowd.rows)]
    assert labels_of(evaluation, evaluation.truth) == list(crowd.labels)
    assert labels_of(evaluation, evaluation.named) == [classification.label for classification in expected]
    assert labels_of(evaluation, evaluation.best) == [classification.best for classification in expected]
    np.testing.assert_array_equal(evaluation.distance, [classification.distance for classification in expected])
    np.testing.assert_allclose(
        evaluation.probability, [classification.probability for classification in expected], rtol=1e-5
    )
    assert evaluation.reasons == tuple(None if v.reason is None else str(v.reason) for v in expected)
    assert 0.2 < evaluation.accuracy < 0.95  # a world in which something can go wrong
    assert evaluation.accuracy == sum(v.label == t for v, t in zip(expected, crowd.labels, strict=True)) / crowd.rows


def test_rows_of_unknown_origin_leave_out_only_themselves(crowd: PostureIndex) -> None:
    bare = database(crowd.vectors, list(crowd.labels))
    evaluation = evaluate_leaving_one_out(bare)
    expected = [classification_without(bare, row, np.arange(bare.rows) == row) for row in range(bare.rows)]
    np.testing.assert_array_equal(evaluation.distance, [classification.distance for classification in expected])
    assert labels_of(evaluation, evaluation.named) == [classification.label for classification in expected]


def test_a_copy_of_a_row_is_still_there_when_the_row_is_not(clusters: tuple[np.ndarray, list[str]]) -> None:
    rows, labels = clusters
    evaluation = evaluate_leaving_one_out(database(np.repeat(rows, 7, axis=0), [n for n in labels for _ in range(7)]))
    assert evaluation.accuracy == 1
    assert (evaluation.distance == 0).all()


def test_a_row_is_not_its_own_neighbour_where_there_are_few(clusters: tuple[np.ndarray, list[str]]) -> None:
    rows, labels = clusters
    evaluation = evaluate_leaving_one_out(database(rows[[0, 1, 10]], [labels[0], labels[1], labels[10]]))
    assert labels_of(evaluation, evaluation.best)[2] == "standing"
    np.testing.assert_allclose(
        evaluation.distance[2], np.linalg.norm(rows[[0, 1]] - rows[10], axis=1).mean(), rtol=1e-6
    )


def test_folds_are_databases_of_the_others(crowd: PostureIndex) -> None:
    evaluation = evaluate_folds(crowd, 4)
    digests = np.array(crowd.examples.digests)
    fold_of = assign_folds(np.unique(digests, return_inverse=True)[1], 4)
    assert evaluation.method == "4 folds by picture"
    distances = []
    for fold in range(4):
        asked = fold_of == fold
        rest = database(crowd.vectors[~asked], [n for n, out in zip(crowd.labels, asked, strict=True) if not out])
        distances += [classification.distance for classification in rest.classify(crowd.vectors[asked])]
    assert sorted(evaluation.distance.tolist()) == sorted(distances)
    assert evaluation.people == crowd.rows


def test_held_out_people(clusters: tuple[np.ndarray, list[str]], pictures_of: Origins) -> None:
    rows, labels = clusters
    index = database(rows, labels, pictures_of([f"train{n}" for n in range(30)]))
    asked = np.concatenate((rows[::10] + 0.001, rows[:1] + 5, rows[10:11], rows[:1] + 3))
    names = ["standing", "sitting", "lying", "sitting", "standing", "other"]
    people = database(asked, names, pictures_of(["x", "y", "z", "far", "train10", "unknown_class"]))
    missed = [Missed("sitting", "no person found", "s/dark.jpg")]
    evaluation = evaluate_held_out(index, people, missed, {"cannot be read": ("s/broken.jpg",)})
    assert evaluation.classes == ("lying", "sitting", "standing")
    assert labels_of(evaluation, evaluation.named) == ["standing", "sitting", "lying", None, "sitting", None, None]
    assert evaluation.confusion.tolist() == [[1, 0, 0, 0], [0, 1, 0, 2], [0, 1, 1, 0], [0, 0, 0, 1]]
    assert evaluation.accuracy == pytest.approx(4 / 7)
    assert evaluation.accuracy_among_named == pytest.approx(3 / 4)
    assert evaluation.accuracy_of_likeliest == pytest.approx(3 / 7)
    assert evaluation.unknown == {Reason.TOO_FAR: 2, "no person found": 1}
    assert evaluation.near_duplicates.tolist() == [False, False, False, False, True, False, False]
    assert evaluation.accuracy_without_near_duplicates == pytest.approx(4 / 6)
    assert evaluation.calibration.count.sum() == 6  # nobody was found in the seventh
    assert evaluation.examples.pictures[-1] == "s/dark.jpg"
    assert not evaluation.untaught.any()


def test_a_class_left_out_is_a_database_without_it(crowd: PostureIndex) -> None:
    random = np.random.default_rng(1)
    names = [name for name in ("standing", "sitting", "lying") for _ in range(12)]
    centres = np.repeat([0.3, 0.5, 0.6], 12)[:, None]
    people = database(centres + random.normal(0, 0.1, (36, 25)), names)
    evaluation = evaluate_held_out(crowd, people)
    for one in evaluation.left_out:
        kept = [label != one.label for label in crowd.labels]
        rest = database(crowd.vectors[kept], [label for label in crowd.labels if label != one.label])
        classifications = rest.classify(people.vectors)
        strange = np.array([name == one.label for name in names])
        open_set_score = np.array([-classification.certainty for classification in classifications])
        assert one.auroc == pytest.approx(auroc(open_set_score, strange))
        assert one.people == 12
        refused = [
            classification.label is None for classification, out in zip(classifications, strange, strict=True) if out
        ]
        assert one.refused == pytest.approx(np.mean(refused))
    assert np.isnan(evaluation.left_out_auroc)  # nobody has 15 people
    assert as_json(evaluation)["left_out"]["mean_auroc"] is None


def test_the_open_set_auroc_of_far_people_is_high(clusters: tuple[np.ndarray, list[str]]) -> None:
    rows, labels = clusters
    evaluation = evaluate_leaving_one_out(database(np.repeat(rows, 2, 0), [n for n in labels for _ in range(2)]))
    assert [one.auroc for one in evaluation.left_out] == [1, 1, 1]
    assert [one.refused for one in evaluation.left_out] == [1, 1, 1]
    assert evaluation.left_out_auroc == 1


def test_who_had_nothing_to_be_known_by(pictures_of: Origins) -> None:
    rows = np.linspace(0, 1, 7)[:, None] * np.ones(25)
    labels = ["standing"] * 3 + ["sitting"] * 3 + ["lying"]
    names = ["a_1", "b_1", "b_2", "a_2", "a_3", "a_4", "b_3"]
    index = database(rows, labels, pictures_of(names))
    assert evaluate_leaving_one_out(index).untaught.tolist() == [False] * 6 + [True]
    folds = evaluate_folds(index, 2, "source")
    told = dict(zip(folds.examples.pictures, folds.untaught.tolist(), strict=True))
    assert {name for name, untaught in told.items() if untaught} == {
        "pictures/a_2.jpg", "pictures/a_3.jpg", "pictures/a_4.jpg", "pictures/b_3.jpg",
    }  # fmt: skip


def test_a_large_database_is_asked_in_part(crowd: PostureIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.evaluation.evaluate.MOST_ASKED", 11)
    evaluation = evaluate_leaving_one_out(crowd)
    assert evaluation.people == 11
    assert evaluation.method == f"leave-one-out over 11 of {crowd.rows} rows"
    whole = evaluate_folds(crowd, 2)
    assert whole.people == crowd.rows


def test_what_cannot_be_judged(clusters: tuple[np.ndarray, list[str]]) -> None:
    rows, labels = clusters
    index = database(rows, labels)
    with pytest.raises(EvaluationError, match=r"knows only 'standing': there is nothing to tell apart.*stance add"):
        evaluate_leaving_one_out(database(rows[:10], labels[:10]))
    with pytest.raises(EvaluationError, match="knows no posture"):
        evaluate_folds(PostureIndex("nose25", device="cpu"), 5)
    with pytest.raises(EvaluationError, match=r"does not know 'flying'; it knows lying, sitting, standing.*'other'"):
        evaluate_held_out(index, database(rows[:2], ["standing", "flying"]))
    with pytest.raises(EvaluationError, match="folds is 1; there are at least 2"):
        evaluate_folds(index, 1)


def test_json_holds_plain_values(crowd: PostureIndex) -> None:
    import json

    facts = json.loads(json.dumps(as_json(evaluate_leaving_one_out(crowd)), allow_nan=False))
    assert facts["confusion"]["truth"] == ["lying", "sitting", "standing", "other"]
    assert facts["confusion"]["answer"] == ["lying", "sitting", "standing", "unknown"]
    assert sum(map(sum, facts["confusion"]["counts"])) == facts["people"] == crowd.rows
    assert [entry["rows"] for entry in facts["classes"]] == [20, 20, 20]
    assert facts["macro_f1"] == pytest.approx(np.mean([entry["f1"] for entry in facts["classes"]]), abs=1e-3)
    assert sum(entry["people"] for entry in facts["calibration"]["bins"]) == crowd.rows


RULES = [DecisionRule(), DecisionRule(k=7), DecisionRule(min_probability=0.7), DecisionRule(min_margin=0.4)]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_rule_that_is_judged_is_the_one_that_is_applied(crowd: PostureIndex, rule: DecisionRule) -> None:
    """The same people, evaluated and classified as `stance run` does."""
    random = np.random.default_rng(9)
    rows = (random.choice([0.3, 0.45, 0.5, 0.6], 80)[:, None] + random.normal(0, 0.15, (80, 25))).astype(np.float32)
    people = database(rows, random.choice(["standing", "sitting", "lying"], 80).tolist())
    settings = IndexSettings(k=rule.k, min_probability=rule.min_probability, min_margin=rule.min_margin)
    applied = crowd.classify(rows, settings.rule)
    judged = evaluate_held_out(crowd, people, rule=rule)
    assert labels_of(judged, judged.named) == [classification.label for classification in applied]
    assert sum(judged.unknown.values()) == sum(classification.label is None for classification in applied)
    unknown = {str(one): sum(evaluate_held_out(crowd, people, rule=one).unknown.values()) for one in RULES}
    assert len(set(unknown.values())) >= 3  # each part of the rule counts


def test_there_is_one_home_of_the_rule_by_default(crowd: PostureIndex) -> None:
    assert IndexSettings().rule == DECISION_RULE == DecisionRule()
    assert crowd.classify(crowd.vectors) == crowd.classify(crowd.vectors, IndexSettings().rule)


def test_blocks_change_nothing(crowd: PostureIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate_leaving_one_out(crowd)
    sizes: list[int] = []
    search = PostureIndex.search
    monkeypatch.setattr(trial, "_ASKED_AT_ONCE", 7)
    monkeypatch.setattr(
        PostureIndex, "search", lambda self, rows, k=5: sizes.append(len(rows)) or search(self, rows, k)
    )
    blocks = evaluate_leaving_one_out(crowd)
    np.testing.assert_array_equal(blocks.named, whole.named)
    np.testing.assert_allclose(blocks.probability, whole.probability, atol=1e-6)
    assert sizes.count(7) >= crowd.rows // 7
