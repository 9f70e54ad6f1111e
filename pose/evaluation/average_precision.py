"""How good a network is: keypoint AP by the rules of COCO.

Judged by faster-coco-eval, which follows pycocotools number for number (a test holds that on the same detections) and
needs nothing but NumPy. It is Apache-2.0, releases every few months with wheels for CPython 3.10–3.15, and judges 5,000
pictures with 20 people found in each in a third of the time (10 s and 28 s on one busy core); pycocotools also prints
on standard output, unasked. Only training and judging need it, so it comes with the extra `train`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pose.datasets.labelled import LabelledPicture, LabelledSet
from pose.datasets.picture_file import read_picture
from pose.errors import EvaluatorMissing, PictureError
from pose.poses import Poses

if TYPE_CHECKING:
    from pose.estimator import PoseEstimator

__all__ = ["PoseScores", "evaluate_pose", "score_detections"]

MAX_JUDGED: Final = 20
"""So many people of a picture are judged, those with the best scores: the rule of COCO for keypoints."""

_PERSON: Final = 1


@dataclass(frozen=True, slots=True)
class PoseScores:
    """Average precision and recall by object keypoint similarity (OKS), 0–1; NaN where there was nobody to judge by.

    Attributes:
        ap: mean over the OKS thresholds 0.50, 0.55 … 0.95.
        ap50, ap75: at the OKS thresholds 0.50 and 0.75.
        ap_medium, ap_large: of people with an area of 32² to 96² and above 96² square pixels.
        ar: mean recall over the same thresholds as `ap`.
        people: how many labelled people were judged by: with labelled keypoints, and no crowds.
        pictures: how many pictures were judged.
    """

    ap: float
    ap50: float
    ap75: float
    ap_medium: float
    ap_large: float
    ar: float
    people: int
    pictures: int


def evaluate_pose(estimator: PoseEstimator, labelled: LabelledSet, *, quiet: bool = False) -> PoseScores:
    """Find people in every picture and judge them.

    Args:
        estimator: made with `judging=True`.
        quiet: show no progress bar.

    Raises:
        EvaluatorMissing: the evaluator is not installed.
        PictureError: a picture cannot be read, or is not the one that was measured.
    """
    _evaluator()  # that it is missing is said before the work, not after
    found = [Poses.empty()] * len(labelled)
    # Pictures of one shape follow each other, so that a GPU takes them in one call.
    order = sorted(range(len(labelled)), key=lambda n: labelled.pictures[n].size[0] / labelled.pictures[n].size[1])
    with tqdm(
        total=len(labelled),
        desc=f"judging at {estimator.sizes} px",
        unit="picture",
        disable=True if quiet else None,
    ) as bar:
        for numbers in _batched(order, estimator.batch_size):
            pictures = [_read(labelled.pictures[number]) for number in numbers]
            for number, poses in zip(numbers, estimator(pictures), strict=True):
                found[number] = poses
            bar.update(len(numbers))
    return score_detections(labelled, found)


def _batched(numbers: Sequence[int], size: int) -> Iterator[list[int]]:
    left = iter(numbers)
    while batch := list(islice(left, size)):
        yield batch


def score_detections(labelled: LabelledSet, found: Sequence[Poses]) -> PoseScores:
    """Judge people who were found against those who are labelled.

    Crowds, and people without a labelled keypoint, count neither way: whoever is found on them is passed over.

    Args:
        found: one for each picture, in pixels of that picture.

    Raises:
        ValueError: there are not as many `found` as pictures.
        EvaluatorMissing: the evaluator is not installed.
    """
    if len(found) != len(labelled):
        raise ValueError(f"{len(found)} pictures' people for {len(labelled)} labelled pictures")
    dataset, detections = _dataset(labelled), _results(found)
    people = sum(person["num_keypoints"] > 0 and not person["iscrowd"] for person in dataset["annotations"])
    if people == 0:
        nan = float("nan")
        return PoseScores(nan, nan, nan, nan, nan, nan, people=0, pictures=len(labelled))
    library = _evaluator()
    truth = library.COCO(dataset)
    judge = library.COCOeval_faster(truth, truth.loadRes(detections), "keypoints")
    judge.params.maxDets = [MAX_JUDGED]
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    ap, ap50, ap75, medium, large, ar = (_share(judge.stats[n]) for n in range(6))
    return PoseScores(ap, ap50, ap75, medium, large, ar, people, len(labelled))


def _dataset(labelled: LabelledSet) -> dict[str, Any]:
    """The labels as the content of a COCO keypoint file. Pictures are numbered by their place in the set, from 1."""
    people: list[dict[str, Any]] = []
    for number, picture in enumerate(labelled.pictures, 1):
        boxes = np.concatenate([picture.boxes[:, :2], picture.boxes[:, 2:] - picture.boxes[:, :2]], 1)
        for row in range(len(picture)):
            people.append(
                {
                    "id": len(people) + 1,  # 0 would stand for nobody in the evaluator's matching
                    "image_id": number,
                    "category_id": _PERSON,
                    "bbox": boxes[row].tolist(),
                    "area": float(picture.areas[row]),
                    "iscrowd": int(picture.crowd[row]),
                    "keypoints": picture.keypoints[row].ravel().tolist(),
                    "num_keypoints": int((picture.keypoints[row, :, 2] > 0).sum()),
                }
            )
    images = [
        {"id": number, "height": picture.size[0], "width": picture.size[1]}
        for number, picture in enumerate(labelled.pictures, 1)
    ]
    return {"images": images, "annotations": people, "categories": [{"id": _PERSON, "name": "person"}]}


def _results(found: Sequence[Poses]) -> list[dict[str, Any]]:
    """People as COCO's result format has them. Their area is that of their keypoints, as the rules have it."""
    return [
        {"image_id": number, "category_id": _PERSON, "keypoints": points.ravel().tolist(), "score": float(score)}
        for number, poses in enumerate(found, 1)
        for points, score in zip(poses.keypoints, poses.scores, strict=True)
    ]


def _evaluator() -> Any:
    try:
        import faster_coco_eval
    except ImportError as error:
        raise EvaluatorMissing(
            "The COCO evaluator is not installed. Run pip install '.[train]', or pip install faster-coco-eval."
        ) from error
    return faster_coco_eval


def _read(picture: LabelledPicture) -> NDArray[np.uint8]:
    bgr = read_picture(picture.path)
    if bgr.shape[:2] != picture.size:
        now, then = (f"{width}×{height}" for height, width in (bgr.shape[:2], picture.size))
        raise PictureError(f"{picture.path} is {now} px, but its labels are for {then}. Read the labels anew.")
    return bgr


def _share(value: float) -> float:
    """The evaluator's -1, for nobody of that size, is NaN here."""
    return float("nan") if value < 0 else float(value)
