"""How right the keypoints are on labelled pictures: upright, turned, and of upper bodies.

    python -m bench.keypoints [--data ../shared/data/coco_val300] [--weights-folder DIR] [--limit N]

At the default settings, whose threshold is also that of naming and speed:

- AP and AP50 by the rules of COCO, of the pictures as they are, and turned by 90° and 270° with their labels;
- `large`: the mean OKS of labelled people whose box's longer side exceeds 96 px: the best of those found, 0 if nobody
  is;
- `upper_body`: the same of people who are cut off at the hips, as at a desk: the picture is cut to head, shoulders and
  arms of everybody large whose shoulders are labelled above the hips, and only keypoints that are left count.

A folder that is laid out as `pose.datasets.labelled` reads it can be judged in place of the shared one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.machine import limit_cores, load, machine, write
from bench.network import about, add_network_options, estimator_of
from pose.datasets.labelled import AREA_PER_BOX, LabelledPicture, LabelledSet
from pose.datasets.picture_file import read_picture
from pose.datasets.reading import read_labelled
from pose.estimator import PoseEstimator
from pose.evaluation.average_precision import score_detections
from pose.evaluation.oks import oks
from pose.keypoints import Keypoint as K
from pose.poses import Poses

RESULT: Final = Path(__file__).parent / "results" / "keypoints.json"
DATA: Final = Path(__file__).parents[2] / "shared" / "data" / "coco_val300"
LARGE_PX: Final = 96
LEAST_KEYPOINTS: Final = 5  # labelled, of an upper body
TURNS: Final = {90: cv2.ROTATE_90_CLOCKWISE, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
HIPS: Final = [K.LEFT_HIP, K.RIGHT_HIP]
SHOULDERS: Final = [K.LEFT_SHOULDER, K.RIGHT_SHOULDER]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="labelled pictures (../shared/data/coco_val300)")
    parser.add_argument("--limit", type=int, help="only the first so many pictures")
    parser.add_argument("--upright-only", action="store_true", help="neither turned pictures nor upper bodies")
    parser.add_argument("--cores", type=int, help="keep everything on this many cores (all)")
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    add_network_options(parser)
    args = parser.parse_args()
    limit_cores(args.cores)
    before, begun = load(), time.monotonic()
    labelled = read_labelled(args.data)
    labelled = replace(labelled, pictures=labelled.pictures[: args.limit])
    estimator = estimator_of(args)
    found: dict[int, list[Poses]] = {0: [], **({} if args.upright_only else {turn: [] for turn in TURNS})}
    upper: list[float] = []
    for picture in labelled.pictures:
        bgr = read_picture(picture.path)
        views = [bgr, *(cv2.rotate(bgr, TURNS[turn]) for turn in found if turn)]
        for poses, turn in zip(estimator(views), found, strict=True):
            found[turn].append(poses)
        if not args.upright_only:
            upper += upper_bodies(estimator, bgr, picture)
    large = [
        one for picture, poses in zip(labelled.pictures, found[0], strict=True) for one in of_large(picture, poses)
    ]
    scores = {turn: score_detections(turned(labelled, turn), poses) for turn, poses in found.items()}
    figures: dict[str, Any] = {
        f"turned {turn}" if turn else "upright": {"ap": round(one.ap, 4), "ap50": round(one.ap50, 4)}
        for turn, one in scores.items()
    }
    if not args.upright_only:
        figures["turned, mean"] = {
            name: round(float(np.mean([getattr(scores[turn], name) for turn in TURNS])), 4) for name in ("ap", "ap50")
        }
        figures["upper_body"] = of_similarity(upper)
    figures["large"] = of_similarity(large)
    result = {
        "data": args.data.name,
        "pictures": len(labelled),
        "people": scores[0].people,
        **about(estimator),
        "people_found_per_picture": round(sum(map(len, found[0])) / len(labelled), 2),
        "figures": figures,
        "seconds": round(time.monotonic() - begun, 1),
    }
    for name in result:
        if name != "figures":
            print(f"{name}: {result[name]}")
    for name, row in figures.items():
        print(f"{name:<13}", "  ".join(f"{key} {value}" for key, value in row.items()))
    write(args.out, result, before, machine())
    return 0


def of_similarity(values: Sequence[float]) -> dict[str, Any]:
    """Mean OKS and how it is spread."""
    array = np.array(values)
    return {
        "mean_oks": round(float(array.mean()), 4) if len(array) else None,
        "share_above_0.5": round(float((array > 0.5).mean()), 4) if len(array) else None,
        "people": len(array),
    }


def turned(labelled: LabelledSet, turn: int) -> LabelledSet:
    """The labels of the pictures after a turn by `turn` degrees, clockwise."""
    if turn == 0:
        return labelled
    return replace(labelled, pictures=tuple(_turned(picture, turn) for picture in labelled.pictures))


def _turned(picture: LabelledPicture, turn: int) -> LabelledPicture:
    height, width = picture.size
    keypoints, (x1, y1, x2, y2) = picture.keypoints.copy(), picture.boxes.T
    x, y = picture.keypoints[..., 0], picture.keypoints[..., 1]
    if turn == 90:
        keypoints[..., 0], keypoints[..., 1] = height - 1 - y, x
        boxes = np.stack([height - y2, x1, height - y1, x2], 1)
    else:
        keypoints[..., 0], keypoints[..., 1] = y, width - 1 - x
        boxes = np.stack([y1, width - x2, y2, width - x1], 1)
    keypoints[keypoints[..., 2] <= 0, :2] = 0
    return replace(picture, size=(width, height), boxes=boxes, keypoints=keypoints)


def _large(picture: LabelledPicture) -> NDArray[np.intp]:
    sides = (picture.boxes[:, 2:] - picture.boxes[:, :2]).max(axis=1, initial=0)
    return np.flatnonzero((sides > LARGE_PX) & ~picture.crowd & (picture.keypoints[..., 2] > 0).any(axis=1))


def of_large(picture: LabelledPicture, poses: Poses) -> list[float]:
    """OKS of the best one found with every large labelled person."""
    rows = _large(picture)
    if not len(poses):
        return [0.0] * len(rows)
    best: list[float] = oks(poses.keypoints, picture.keypoints[rows], picture.areas[rows]).max(axis=0).tolist()
    return best


def upper_bodies(estimator: PoseEstimator, bgr: NDArray[np.uint8], picture: LabelledPicture) -> list[float]:
    """OKS of the best one found in a picture of the upper body of every large person."""
    cuts = list(_cuts(picture))
    similarities = []
    for (_, points, area), poses in zip(cuts, estimator([bgr[rows] for rows, _, _ in cuts]), strict=True):
        alike = oks(poses.keypoints, points[None], np.array([area]))
        similarities.append(float(alike.max(initial=0.0)))
    return similarities


def _cuts(picture: LabelledPicture) -> Iterator[tuple[tuple[slice, slice], NDArray[np.float32], float]]:
    """Where to cut the picture, the keypoints that are left, in pixels of the cut, and the area of the upper body."""
    height, width = picture.size
    for row in _large(picture).tolist():
        points, (x1, y1, x2, _) = picture.keypoints[row].copy(), picture.boxes[row].tolist()
        if not (points[HIPS + SHOULDERS, 2] > 0).all():
            continue
        hips, shoulders = points[HIPS, 1].mean(), points[SHOULDERS, 1].mean()
        torso = hips - shoulders
        if torso < 0.15 * LARGE_PX or abs(points[HIPS, 0].mean() - points[SHOULDERS, 0].mean()) > torso:
            continue  # lies, or bends far
        left, right = (round(float(np.clip(x, 0, width))) for x in (x1 - 0.5 * torso, x2 + 0.5 * torso))
        top, bottom = (round(float(np.clip(y, 0, height))) for y in (y1 - 0.5 * torso, hips - 0.1 * torso))
        points[:, :2] -= (left, top)
        points[points[:, 1] >= bottom - top, 2] = 0
        if (points[:, 2] > 0).sum() >= LEAST_KEYPOINTS:
            yield (slice(top, bottom), slice(left, right)), points, AREA_PER_BOX * (x2 - x1) * (bottom - y1)


if __name__ == "__main__":
    sys.exit(main())
