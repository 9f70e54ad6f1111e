"""Average precision of boxes in worlds small enough to work out by hand, and against COCO's own code."""

from __future__ import annotations

import numpy as np
import pytest

from pose.evaluation.box_average_precision import box_average_precision, box_overlaps

A, B = [0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0]


def found(*rows):
    return np.array([box for box, _ in rows], float).reshape(-1, 4), np.array([score for _, score in rows], float)


def labelled(*boxes, crowd=()):
    return np.array([*boxes, *crowd], float).reshape(-1, 4), np.array([False] * len(boxes) + [True] * len(crowd), bool)


def precision(*pictures):
    return box_average_precision([picture[0] for picture in pictures], [picture[1] for picture in pictures])


def test_all_found():
    np.testing.assert_allclose(precision((found((A, 0.9), (B, 0.8)), labelled(A, B))), 1)


def test_one_of_two_found_and_a_second_box_of_it():
    result = precision((found((A, 0.9), (A, 0.8)), labelled(A, B)))
    np.testing.assert_allclose(result, 51 / 101)  # recall up to one half, at a precision of 1


def test_a_surer_box_of_nobody_halves_the_precision():
    np.testing.assert_allclose(precision((found((B, 0.9), (A, 0.8)), labelled(A))), 0.5)
    np.testing.assert_allclose(precision((found((B, 0.9), (A, 0.8)), labelled(A, crowd=[B]))), 1)


def test_thresholds():
    shifted = [0.0, 0.0, 10.0, 7.2]  # overlaps by 0.72: enough for 0.5 to 0.7
    np.testing.assert_allclose(precision((found((shifted, 0.9)), labelled(A))), [1] * 5 + [0] * 5)


def test_nobody_labelled_and_nobody_found():
    assert np.isnan(precision((found((A, 0.9)), labelled()))).all()
    np.testing.assert_allclose(precision((found(), labelled(A))), 0)


def test_overlaps():
    overlap, within = box_overlaps(np.array([A]), np.array([[5.0, 0.0, 15.0, 10.0], A]))
    np.testing.assert_allclose(overlap, [[1 / 3, 1]])
    np.testing.assert_allclose(within, [[0.5, 1]])


def test_equals_coco():
    coco = pytest.importorskip("faster_coco_eval")
    rng = np.random.default_rng(3)
    pictures, results, annotations = [], [], []
    for number in range(1, 21):
        corner = rng.uniform(0, 200, (6, 2))
        people = np.concatenate([corner, corner + rng.uniform(20, 80, (6, 2))], 1)
        crowd = np.arange(6) == 5
        boxes = np.concatenate([people + rng.normal(0, 5, people.shape), people[:2] + rng.normal(0, 40, (2, 4))])
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        scores = rng.random(len(boxes))
        pictures.append(((boxes, scores), (people, crowd)))
        for box, group in zip(people, crowd, strict=True):
            sides = (box[2:] - box[:2]).tolist()
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": int(group),
                 "bbox": [*box[:2].tolist(), *sides], "area": sides[0] * sides[1]}
            )  # fmt: skip
        for box, score in zip(boxes, scores, strict=True):
            results.append(
                {"image_id": number, "category_id": 1, "score": float(score),
                 "bbox": [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]}
            )  # fmt: skip
    truth = coco.COCO(
        {"images": [{"id": n, "width": 300, "height": 300} for n in range(1, 21)],
         "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}
    )  # fmt: skip
    judge = coco.COCOeval_faster(truth, truth.loadRes(results), "bbox")
    judge.evaluate()
    judge.accumulate()
    expected = judge.eval["precision"][:, :, 0, 0, 2].mean(1)
    np.testing.assert_allclose(precision(*pictures), expected, atol=1e-6)
