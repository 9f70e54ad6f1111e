"""An evaluation as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from index.building.pictures import printable
from index.classification import OTHER_LABEL
from index.evaluation.evaluation import Evaluation
from index.evaluation.metrics import MIN_SUPPORT
from index.evaluation.next_steps import next_steps

__all__ = ["as_json"]


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Everything an evaluation says, in plain values; what is not defined is None.

    The rows and columns of `confusion.counts` are in the order of `confusion.truth` and `confusion.answer`.
    """
    scores, calibration = evaluation.scores, evaluation.calibration
    unknown = evaluation.confusion[:-1, -1]
    classes = [
        {
            "label": label,
            "rows": int(evaluation.rows[place]),
            "support": int(scores.support[place]),
            "precision": _number(scores.precision[place]),
            "recall": _number(scores.recall[place]),
            "f1": _number(scores.f1[place]),
            "unknown": int(unknown[place]),
            "in_macro_f1": bool(scores.support[place] >= MIN_SUPPORT),
        }
        for place, label in enumerate(evaluation.classes)
    ]
    return {
        "method": evaluation.method,
        "embedding": evaluation.embedding,
        "people": evaluation.people,
        "accuracy": _number(evaluation.accuracy),
        "accuracy_among_named": _number(evaluation.accuracy_among_named),
        "accuracy_of_likeliest": _number(evaluation.accuracy_of_likeliest),
        "macro_f1": _number(scores.macro_f1),
        "classes": classes,
        "confusion": {
            "truth": [*evaluation.classes, OTHER_LABEL],
            "answer": [*evaluation.classes, "unknown"],
            "counts": evaluation.confusion.tolist(),
        },
        "unknown": {
            "share": _number(float((evaluation.named < 0).mean()) if evaluation.people else math.nan),
            "reasons": evaluation.unknown,
        },
        "calibration": {
            "expected_error": _number(calibration.expected_error),
            "bins": [
                {
                    "above": _number(calibration.edges[place]),
                    "up_to": _number(calibration.edges[place + 1]),
                    "people": int(calibration.count[place]),
                    "probability": _number(calibration.probability[place]),
                    "accuracy": _number(calibration.accuracy[place]),
                }
                for place in range(len(calibration.count))
            ],
        },
        "left_out": {
            "mean_auroc": _number(evaluation.left_out_auroc),
            "classes": [
                {
                    "label": one.label,
                    "people": one.people,
                    "auroc": _number(one.auroc),
                    "refused": _number(one.refused),
                }
                for one in evaluation.left_out
            ],
        },
        "near_duplicates": {
            "people": int(evaluation.near_duplicates.sum()),
            "accuracy_without": _number(evaluation.accuracy_without_near_duplicates),
            "pictures": _printable(
                picture
                for picture, near_duplicate in zip(
                    evaluation.examples.pictures, evaluation.near_duplicates, strict=True
                )
                if near_duplicate
            ),
        },
        "ignored": {reason: _printable(pictures) for reason, pictures in evaluation.ignored.items()},
        "next": next_steps(evaluation),
    }


def _number(value: float | np.floating[Any]) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)


def _printable(pictures: Iterable[str]) -> list[str]:
    return [printable(picture) for picture in pictures]
