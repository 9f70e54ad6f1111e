"""Keypoint AP: small worlds whose AP one can count on one's fingers, agreement with pycocotools, the way from picture
files to scores.

In the worlds a person is 17 keypoints on a square of side 100 px, and `shifted` moves all of them so that OKS is
a wanted number: with one sigma for all the labelled keypoints it is `exp(-d² / (2 · area · (2σ)²))`.
"""

from __future__ import annotations

import math
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pose.datasets.labelled import LabelledPicture, LabelledSet
from pose.datasets.reading import read_labelled
from pose.errors import EvaluatorMissing, PictureError
from pose.estimator import PoseEstimator
from pose.evaluation.average_precision import PoseScores, evaluate_pose, score_detections
from pose.evaluation.oks import oks
from pose.keypoints import SIGMAS, Keypoint
from pose.poses import Poses

SIDE, AREA = 100.0, 5300.0


def person(x: float = 0, y: float = 0, visibility: float = 2) -> np.ndarray:
    """float64 `[17, 3]`: keypoints spread over a square of 100 px, its corner at (x, y)."""
    steps = np.arange(17.0)
    return np.stack([x + SIDE * steps / 16, y + SIDE * (steps * 5 % 17) / 16, np.full(17, visibility)], 1)


def shifted(points: np.ndarray, similarity: float, keypoint: Keypoint = Keypoint.NOSE) -> np.ndarray:
    """The same, moved right until the OKS of this keypoint alone is `similarity`."""
    distance = math.sqrt(-2 * math.log(similarity) * AREA) * 2 * SIGMAS[keypoint]
    return points + np.array([distance, 0, 0])


def only(points: np.ndarray, *keypoints: Keypoint) -> np.ndarray:
    """The same with these keypoints labelled, and no others."""
    labelled = np.zeros_like(points)
    labelled[list(keypoints)] = points[list(keypoints)]
    return labelled


def picture(*people: np.ndarray, crowd: tuple[bool, ...] = (), areas: tuple[float, ...] = ()) -> LabelledPicture:
    boxes = [[*points[:, :2].min(0), *(points[:, :2].max(0) + 1)] for points in people]
    return LabelledPicture(
        Path("none.jpg"),
        (480, 640),
        np.array(boxes).reshape(-1, 4),
        np.array(people).reshape(-1, 17, 3),
        np.array(areas or [AREA] * len(people)),
        np.array(crowd or [False] * len(people), bool),
        1,
    )


def world(*pictures: LabelledPicture) -> LabelledSet:
    return LabelledSet(pictures, area_is_estimated=True)


def found(*people: tuple[np.ndarray, float]) -> Poses:
    points = np.array([points for points, _ in people]).reshape(-1, 17, 3)
    return Poses(points, np.zeros((len(people), 4)), np.array([score for _, score in people]))


def score(labelled: LabelledSet, *poses: Poses) -> PoseScores:
    return score_detections(labelled, poses)


# Object keypoint similarity


def test_oks_is_a_plain_reading_of_its_formula() -> None:
    random = np.random.default_rng(0)
    labelled = random.uniform(0, 200, (4, 17, 3))
    labelled[..., 2] = random.integers(-1, 3, (4, 17))
    labelled[2, :, 2] = (0, -1) * 8 + (0,)
    near = np.concatenate([labelled + random.normal(0, s, labelled.shape) for s in (1, 5)])
    areas = random.uniform(100, 9000, 4)
    similarity = oks(near.astype(np.float32), labelled.astype(np.float32), areas.astype(np.float32))
    assert similarity.shape == (8, 4)
    for i, a in enumerate(near):
        for j, b in enumerate(labelled):
            terms = [
                math.exp(-((a[k, 0] - b[k, 0]) ** 2 + (a[k, 1] - b[k, 1]) ** 2) / (2 * areas[j] * (2 * SIGMAS[k]) ** 2))
                for k in range(17)
                if b[k, 2] > 0
            ]
            expected = sum(terms) / len(terms) if terms else math.nan
            assert similarity[i, j] == pytest.approx(expected, abs=1e-4, nan_ok=True)  # the inputs are float32


def test_oks_of_nobody() -> None:
    nobody, somebody = np.zeros((0, 17, 3)), person()[None]
    assert oks(nobody, somebody, np.ones(1)).shape == (0, 1)
    assert oks(somebody, nobody, np.ones(0)).shape == (1, 0)


def test_oks_forgets_what_is_not_labelled() -> None:
    far = person()
    far[Keypoint.NOSE, :2] += 1000
    assert oks(far[None], person()[None], np.array([AREA])) == pytest.approx(16 / 17)
    assert oks(far[None], only(person(), Keypoint.LEFT_EAR)[None], np.array([AREA])) == 1
    moved = shifted(only(person(), Keypoint.LEFT_HIP), 0.8, Keypoint.LEFT_HIP)
    assert oks(moved[None], only(person(), Keypoint.LEFT_HIP)[None], np.array([AREA])) == pytest.approx(0.8)


# Worlds of known AP


def test_everybody_found() -> None:
    labelled = world(picture(person(), person(200)), picture(), picture(person(50)))
    people = found((person(200), 0.5), (person(), 0.9)), found(), found((person(50), 0.1))
    scores = score(labelled, *people)
    assert (scores.ap, scores.ap50, scores.ap75, scores.ap_medium, scores.ar) == (1, 1, 1, 1, 1)
    assert math.isnan(scores.ap_large)
    assert (scores.people, scores.pictures) == (3, 3)


@pytest.mark.parametrize(("similarity", "thresholds"), [(0.96, 10), (0.72, 5), (0.501, 1), (0.49, 0)])
def test_people_found_a_little_off(similarity: float, thresholds: int) -> None:
    labelled = only(person(), Keypoint.NOSE)
    scores = score(world(picture(labelled)), found((shifted(person(), similarity), 0.9)))
    assert scores.ap == pytest.approx(thresholds / 10)
    assert scores.ar == pytest.approx(thresholds / 10)
    assert scores.ap50 == (thresholds >= 1)
    assert scores.ap75 == (thresholds >= 6)


def test_somebody_missed() -> None:
    # Recall ends at 1/2: of the 101 points of recall, 0 to 0.50 have precision 1.
    scores = score(world(picture(person(), person(200))), found((person(), 0.9)))
    assert scores.ap == pytest.approx(51 / 101)
    assert scores.ar == 0.5


def test_somebody_found_twice() -> None:
    labelled = world(picture(person()), picture(person(100)))
    twice = found((person(), 0.9), (person(), 0.8))
    # In the order of the scores right, wrong, right: precision is 1 up to a recall of 1/2, then 2/3.
    assert score(labelled, twice, found((person(100), 0.7))).ap == pytest.approx((51 + 50 * 2 / 3) / 101)
    # The double after everybody is found costs nothing.
    assert score(labelled, twice, found((person(100), 0.85))).ap == 1


def test_ghosts_cost_precision_in_whatever_picture() -> None:
    labelled = world(picture(person()), picture())
    ghost = found((person(300, 300), 0.95))
    assert score(labelled, found((person(), 0.9)), ghost).ap == pytest.approx(0.5)


def test_twenty_people_of_a_picture_are_judged() -> None:
    ghosts = [(person(300, 10 * n), 0.9) for n in range(19)]
    labelled = world(picture(person()))
    assert score(labelled, found(*ghosts, (person(), 0.1))).ap == pytest.approx(1 / 20)
    assert score(labelled, found(*ghosts, (person(310), 0.9), (person(), 0.1))).ap == 0


def test_crowds_are_passed_over() -> None:
    crowd = person(300, visibility=0)
    labelled = world(picture(person(), crowd, crowd=(False, True)))
    in_crowd = [(person(300 + n), 0.95) for n in range(3)]
    scores = score(labelled, found((person(), 0.9), *in_crowd))
    assert (scores.ap, scores.people) == (1, 1)
    assert score(labelled, found((person(), 0.9))).ap == 1  # nobody needs to find it


def test_people_without_keypoints_are_passed_over() -> None:
    bare, unknown = person(300, visibility=0), person(400, 200, visibility=-1)
    for nobody in (bare, unknown):
        labelled = world(picture(person(), nobody))
        scores = score(labelled, found((person(), 0.9), (nobody, 0.95)))
        assert (scores.ap, scores.people) == (1, 1)


def test_unknown_keypoints_do_not_count() -> None:
    labelled, guess = person(), person()
    labelled[Keypoint.LEFT_ANKLE] = (0, 0, -1)
    guess[Keypoint.LEFT_ANKLE, :2] += 500
    assert score(world(picture(labelled)), found((guess, 0.9))).ap == 1


def test_medium_and_large_people() -> None:
    labelled = world(picture(person(), person(200), areas=(96**2 - 1, 96**2 + 1)))
    scores = score(labelled, found((person(200), 0.9)))
    assert (scores.ap_medium, scores.ap_large) == (0, 1)
    small = score(world(picture(person(), areas=(32**2 - 1,))), found((person(), 0.9)))
    assert small.ap == 1
    assert math.isnan(small.ap_medium)


def test_nobody_to_judge_by_is_nan() -> None:
    scores = score(world(picture(), picture(person(visibility=0))), found((person(), 0.9)), found())
    assert all(map(math.isnan, astuple(scores)[:6]))
    assert (scores.people, scores.pictures) == (0, 2)


def test_nobody_found_is_zero() -> None:
    scores = score(world(picture(person())), found())
    assert (scores.ap, scores.ap50, scores.ar) == (0, 0, 0)


def test_every_picture_needs_its_people() -> None:
    with pytest.raises(ValueError, match="1 pictures' people for 2 labelled pictures"):
        score(world(picture(), picture()), found())


# Agreement with pycocotools


def by_pycocotools(labelled: LabelledSet, people: list[Poses]) -> list[float]:
    """AP, AP50, AP75, AP medium, AP large and AR, through files' contents written here."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    content: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "person"}]}
    results = []
    for number, (given, poses) in enumerate(zip(labelled.pictures, people, strict=True), 100):
        content["images"].append({"id": number, "height": given.size[0], "width": given.size[1]})
        for box, points, area, crowd in zip(given.boxes, given.keypoints, given.areas, given.crowd, strict=True):
            x1, y1, x2, y2 = box.tolist()
            flat = [max(value, 0) if n % 3 == 2 else value for n, value in enumerate(points.ravel().tolist())]
            content["annotations"].append(
                {"id": len(content["annotations"]) + 1, "image_id": number, "category_id": 1,
                 "bbox": [x1, y1, x2 - x1, y2 - y1], "area": float(area), "iscrowd": int(crowd), "keypoints": flat,
                 "num_keypoints": sum(visibility > 0 for visibility in flat[2::3])}
            )  # fmt: skip
        for points, confidence in zip(poses.keypoints, poses.scores, strict=True):
            results.append(
                {"image_id": number, "category_id": 1, "keypoints": points.ravel().tolist(), "score": float(confidence)}
            )
    truth = COCO()
    truth.dataset = content
    truth.createIndex()
    judge = COCOeval(truth, truth.loadRes(results), "keypoints")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return judge.stats[:6].tolist()


@pytest.mark.parametrize("seed", range(4))
def test_agreement_with_pycocotools(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(seed)
    pictures, people = [], []
    for _ in range(60):
        count = int(random.integers(0, 6))
        scale = random.uniform(0.2, 3, count)
        points = np.array([person() * (s, s, 1) for s in scale]).reshape(-1, 17, 3)
        points[..., :2] += random.uniform(0, 300, (count, 1, 2))
        points[..., 2] = random.integers(-1, 3, (count, 17)) * (random.random((count, 1)) > 0.2)
        pictures.append(
            picture(*points, crowd=tuple(random.random(count) > 0.85), areas=tuple(0.53 * (100 * scale) ** 2))
        )
        again = np.repeat(points, 3, axis=0)  # near, nearer and twice
        again += random.normal(0, 1, again.shape) * random.uniform(0, 12, (3 * count, 1, 1)) * (1, 1, 0)
        ghosts = np.array([person(x, x) for x in random.uniform(0, 400, random.integers(0, 15))]).reshape(-1, 17, 3)
        everybody = np.concatenate([again, ghosts])[random.permutation(3 * count + len(ghosts))]
        confidence = random.integers(1, 60, len(everybody)) / 60  # with ties
        people.append(found(*zip(everybody, confidence, strict=True)))
    labelled = world(*pictures)
    scores = score(labelled, *people)
    assert capsys.readouterr().out == ""  # no chatter
    assert 0.05 < scores.ap < 0.95
    np.testing.assert_allclose(astuple(scores)[:6], by_pycocotools(labelled, people), rtol=0, atol=1e-6)


def test_agreement_on_real_pictures(shared: Path, shipped_weights: Path) -> None:
    labelled = read_labelled(shared / "data" / "coco_val300")
    labelled = LabelledSet(labelled.pictures[:12], labelled.area_is_estimated)
    estimator = PoseEstimator(network="picodet-tinypose", device="cpu", precision="fp32", judging=True)
    people = estimator([cv2.imread(str(given.path)) for given in labelled.pictures])
    scores = evaluate_pose(estimator, labelled, quiet=True)
    assert scores.ap > 0.3
    # The evaluation's batches are others than those of the call above: sums in another order move a keypoint a little.
    np.testing.assert_allclose(astuple(scores)[:6], by_pycocotools(labelled, people), rtol=0, atol=0.02)
    np.testing.assert_allclose(
        astuple(score_detections(labelled, people))[:6], by_pycocotools(labelled, people), rtol=0, atol=1e-6
    )


# From files to scores


class Nameplates:
    """Finds in a picture the one person whose place its colour tells, in batches as the real estimator takes them."""

    sizes, batch_size, concurrency = "64", 4, 2

    def __init__(self) -> None:
        self.shapes: list[set[tuple[int, ...]]] = []

    def __call__(self, pictures: list[np.ndarray]) -> list[Poses]:
        self.shapes.append({bgr.shape for bgr in pictures})
        return [found((person(float(bgr[0, 0, 0])), 0.9)) for bgr in pictures]


def painted(folder: Path, count: int) -> LabelledSet:
    """Pictures of two shapes in turn, each with one person at the x that its blue tells."""
    pictures = []
    for n in range(count):
        path, shape = folder / f"{n}.png", ((60, 80, 3), (80, 60, 3))[n % 2]
        assert cv2.imwrite(str(path), np.full(shape, n, np.uint8))
        given = picture(person(n))
        pictures.append(LabelledPicture(path, shape[:2], given.boxes, given.keypoints, given.areas, given.crowd, n))
    return world(*pictures)


def test_people_come_back_to_their_pictures(tmp_path: Path) -> None:
    estimator = Nameplates()
    scores = evaluate_pose(estimator, painted(tmp_path, 16), quiet=True)  # type: ignore[arg-type]
    assert scores == PoseScores(1, 1, 1, 1, pytest.approx(math.nan, nan_ok=True), 1, people=16, pictures=16)
    assert len(estimator.shapes) == 4
    assert all(len(shapes) == 1 for shapes in estimator.shapes)  # pictures of one shape share a batch


def test_progress_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    evaluate_pose(Nameplates(), painted(tmp_path, 5))  # type: ignore[arg-type]
    told = capsys.readouterr().err
    assert "judging at 64 px: 100%" in told
    assert "5/5 [00:00<00:00" in told


def test_pictures_that_are_gone_or_changed(tmp_path: Path) -> None:
    labelled = painted(tmp_path, 3)
    assert cv2.imwrite(str(tmp_path / "1.png"), np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(PictureError, match=r"1\.png is 9×9 px, but its labels are for 60×80\. Read the labels anew\."):
        evaluate_pose(Nameplates(), labelled, quiet=True)  # type: ignore[arg-type]
    (tmp_path / "1.png").unlink()
    with pytest.raises(PictureError, match=r"1\.png cannot be read: No such file"):
        evaluate_pose(Nameplates(), labelled, quiet=True)  # type: ignore[arg-type]


def test_a_missing_evaluator_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    estimator = Nameplates()
    with pytest.raises(EvaluatorMissing, match=r"Run pip install '\.\[train\]', or pip install faster-coco-eval\."):
        evaluate_pose(estimator, painted(tmp_path, 1), quiet=True)  # type: ignore[arg-type]
    assert not estimator.shapes
