"""`stance query`: what posture the people in pictures are in, and why."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from index import Classification, PostureIndex
from index.building.build import Estimator
from index.building.pictures import printable, quiet_opencv
from index.storage.store import DEFAULT_PREFIX
from pose.embeddings.quality_gate import reject_reasons
from stream.assembly import database_prefix, open_from_settings
from stream.commands.lazy_estimator import LazyEstimator
from stream.drawing.explanation import Asked, draw_explanation
from stream.errors import SourceError
from stream.frame import Frame
from stream.reports.explanation import explain
from stream.sinks.pictures import check_picture_output, write_picture
from stream.sources.base import Source

if TYPE_CHECKING:
    from stream.settings.model import Settings

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave."""
    text = "say what posture the people in pictures are in, and why"
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "query", help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    parser.add_argument("pictures", metavar="PICTURE", nargs="+", help="a picture, or a folder of pictures")
    parser.add_argument("--index", metavar="PREFIX", help=f"the database's files without suffix ({DEFAULT_PREFIX})")
    parser.add_argument("--explain", action="store_true", help="say what decided: the vote and the threshold")
    parser.add_argument("--out", metavar="WHY.png", help="write a picture of everybody beside their neighbours")
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")
    parser.set_defaults(run=_query)


def _query(args: argparse.Namespace, settings: Settings) -> int:
    output = check_picture_output(args.out, inputs=map(Path, args.pictures)) if args.out else None
    path = database_prefix(settings, args.index)
    index = PostureIndex.load(path, device=settings.index.device)
    estimator = LazyEstimator(settings, index)
    answers: list[dict[str, Any]] = []
    asked: list[Asked] = []
    failed = False
    with quiet_opencv():
        for name in args.pictures:
            try:
                with _open(name, settings) as source:
                    for frame in source:
                        one = _ask(frame, index, estimator, settings)
                        answers.append(_answer(one, index, settings))
                        if output is not None:
                            asked.append(one)
                        if not args.json:
                            _print_answer(answers[-1], args.explain)
            except SourceError as error:
                if len(args.pictures) == 1:
                    raise
                print(error, file=sys.stderr)
                answers.append({"picture": printable(name), "error": str(error)})
                failed = True
        if output is not None:
            write_picture(output, draw_explanation(asked, index, settings))
    if args.json:
        print(json.dumps({"index": str(path), "pictures": answers}, indent=2))
    return 2 if failed else 0


def _open(name: str, settings: Settings) -> Source:
    """The picture, or the pictures of a folder, as `stance run` reads them.

    Raises:
        SourceError: there are none, or it is a recording or a camera.
    """
    source = open_from_settings(name, settings)
    if not source.still:
        source.close()
        raise SourceError(f"{source.name} is no picture. Name a picture or a folder of pictures, or use `stance run`.")
    return source


def _ask(frame: Frame, index: PostureIndex, estimator: Estimator, settings: Settings) -> Asked:
    """Everybody in a picture, most prominent first, and what they are called."""
    (poses,) = estimator([frame.bgr])
    poses = poses.select(poses.by_prominence())
    limits = settings.pose.min_keypoints, settings.pose.keypoint_threshold, settings.pose.min_person_px
    rows = index.embedding(poses, *limits)
    classifications = index.classify(rows, settings.index.rule, reject_reasons(poses, *limits))
    return Asked(frame.file or frame.source, frame.bgr, poses, classifications)


def _answer(asked: Asked, index: PostureIndex, settings: Settings) -> dict[str, Any]:
    """The same as JSON."""
    poses = asked.poses
    people = [
        _person(classification, keypoints, box, score, index, settings)
        for classification, keypoints, box, score in zip(
            asked.classifications, poses.keypoints, poses.boxes.tolist(), poses.scores.tolist(), strict=True
        )
    ]
    height, width = asked.bgr.shape[:2]
    return {"picture": asked.name, "size": {"height": height, "width": width}, "people": people}


def _person(
    classification: Classification,
    keypoints: NDArray[np.float32],
    box: list[float],
    score: float,
    index: PostureIndex,
    settings: Settings,
) -> dict[str, Any]:
    return {
        "label": classification.label,
        "probability": round(classification.probability, 4),
        "share": round(classification.probability, 4),  # the name of `probability` until version 0.2
        "distance": None if math.isnan(classification.distance) else round(classification.distance, 4),
        "best": classification.best,
        "reason": None if classification.reason is None else str(classification.reason),
        "why": explain(classification, keypoints, index, settings),
        "probabilities": {label: round(probability, 4) for label, probability in classification.probabilities},
        "box": [round(value, 1) for value in box],
        "score": round(score, 4),
        "neighbours": [
            {
                "label": label,
                "distance": round(distance, 4),
                "row": row,
                "picture": printable(index.examples.pictures[row]) or None,
                "person": int(index.examples.people[row]) if index.examples.people[row] >= 0 else None,
            }
            for row, label, distance in zip(
                classification.entries, classification.labels, classification.distances, strict=True
            )
        ],
    }


def _print_answer(answer: dict[str, Any], with_reason: bool) -> None:
    print(answer["picture"])
    if not answer["people"]:
        print("  no person found")
    for number, person in enumerate(answer["people"], 1):
        x1, y1, x2, y2 = person["box"]
        where = f"box {x1:.0f},{y1:.0f} to {x2:.0f},{y2:.0f}"
        if person["reason"] is None:
            said = f"{printable(person['label'])}{_vote(person)}"
        else:
            said = f"unknown: {person['reason']}"
            if person["best"] is not None:
                said += f" (nearest to {printable(person['best'])}{_vote(person)})"
        print(f"  person {number}  {said}  [{where}]")
        if with_reason:
            print(f"    why: {person['why']}")
            each = [f"{printable(label)} {probability:.0%}" for label, probability in person["probabilities"].items()]
            print(f"    probabilities: {', '.join(each) or 'none'}")
        for neighbour in person["neighbours"]:
            origin = neighbour["picture"] or "origin unknown"
            if neighbour["person"]:
                origin += f", person {neighbour['person'] + 1}"
            print(f"    {neighbour['distance']:.3f}  {printable(neighbour['label'])}  row {neighbour['row']}  {origin}")


def _vote(person: dict[str, Any]) -> str:
    return f", {person['probability']:.0%} of the vote, distance {person['distance']:.3f}"
