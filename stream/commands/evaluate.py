"""`stance evaluate`: how well a database names postures, and what to do next."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any, Final

from index import PostureIndex
from index.building.build import Estimator, add_folder
from index.building.given_keypoints import GivenKeypoints
from index.building.pictures import find_pictures, printable, quiet_opencv
from index.building.report import BuildReport
from index.errors import EvaluationError
from index.evaluation.evaluate import check_classes, evaluate_folds, evaluate_held_out, evaluate_leaving_one_out
from index.evaluation.evaluation import Evaluation, Missed
from index.evaluation.groups import GROUPINGS
from index.evaluation.metrics import MIN_SUPPORT
from index.evaluation.next_steps import next_steps
from index.evaluation.report import as_json
from index.storage.store import DEFAULT_PREFIX
from pose.reason import Reason
from stream.assembly import database_prefix
from stream.commands.lazy_estimator import LazyEstimator
from stream.commands.text_table import print_table
from stream.drawing.charts import draw_confusion, draw_reliability
from stream.settings.model import Settings
from stream.sinks.pictures import check_picture_output, write_picture

__all__ = ["register"]

UNANSWERED: Final = (Reason.NO_PERSON, Reason.TOO_FEW_KEYPOINTS)
"""Why a test picture gives nobody to ask about, and yet counts: whoever is in it stays unknown."""

IGNORED: Final = {
    Reason.UNREADABLE: "cannot be read",
    Reason.KNOWN: "given twice",
    Reason.CONFLICT: "given twice, as two postures",
}
NOT_GIVEN: Final = "not in the file of keypoints"


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate",
        help="say how well a database names postures, and what to do next",
        description="Say how well a database names postures: by folders of pictures that it was not built from, or, "
        "without folders, by leaving out each of its own rows in turn, or whole folds of them.",
    )
    parser.add_argument(
        "folders", metavar="FOLDER", nargs="*", help="holds one folder per posture, as for stance build"
    )
    parser.add_argument("--index", metavar="PREFIX", help=f"the database's files without suffix ({DEFAULT_PREFIX})")
    parser.add_argument("--keypoints", metavar="FILE.npz", help="take keypoints from here and run no network")
    parser.add_argument("--folds", metavar="N", type=int, help="split the database into N folds")
    parser.add_argument(
        "--group", choices=GROUPINGS, help="what no split tears apart, told from the pictures' paths (picture)"
    )
    parser.add_argument("--confusion", metavar="OUT.png", help="write the confusion matrix as a picture")
    parser.add_argument("--reliability", metavar="OUT.png", help="write how far probabilities hold as a picture")
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")
    parser.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace, settings: Settings) -> int:
    _check_options(args)
    outputs = {name: check_picture_output(name) for name in (args.confusion, args.reliability) if name}
    path = database_prefix(settings, args.index)
    index = PostureIndex.load(path, device=settings.index.device)
    if args.folders:
        evaluation = _held_out(args, settings, index)
    elif args.folds is not None:
        evaluation = evaluate_folds(index, args.folds, args.group or "picture", rule=settings.index.rule)
    else:
        evaluation = evaluate_leaving_one_out(index, rule=settings.index.rule)
    if args.confusion:
        write_picture(outputs[args.confusion], draw_confusion(evaluation))
    if args.reliability:
        write_picture(outputs[args.reliability], draw_reliability(evaluation.calibration))
    if args.json:
        print(json.dumps({"index": str(path), **as_json(evaluation)}, indent=2))
    else:
        _print(path, evaluation)
    return 0


def _check_options(args: argparse.Namespace) -> None:
    if args.folders and args.folds is not None:
        raise EvaluationError("--folds splits the database itself. Leave it away, or leave the folders away.")
    if args.group and args.folds is None:
        raise EvaluationError("--group says what folds keep together. Add --folds 5, or leave it away.")
    if args.keypoints and not args.folders:
        raise EvaluationError("--keypoints is for the pictures of folders. Name a folder, or leave it away.")


def _held_out(args: argparse.Namespace, settings: Settings, index: PostureIndex) -> Evaluation:
    """Find the people of the folders, and ask the database about them."""
    asked = [label for folder in args.folders for label in find_pictures(folder).classes]
    check_classes(index, asked)
    estimator: Estimator | GivenKeypoints
    estimator = GivenKeypoints(args.keypoints) if args.keypoints else LazyEstimator(settings, index)
    people = PostureIndex(index.embedding.name, device="cpu")
    reports = []
    with quiet_opencv():
        for folder in args.folders:
            reports.append(
                add_folder(
                    people,
                    folder,
                    estimator,
                    min_keypoints=settings.pose.min_keypoints,
                    keypoint_threshold=settings.pose.keypoint_threshold,
                    min_person_px=settings.pose.min_person_px,
                )
            )
    missed, ignored = _without_people(reports, given=bool(args.keypoints))
    return evaluate_held_out(index, people, missed, ignored, rule=settings.index.rule)


def _without_people(reports: list[BuildReport], *, given: bool) -> tuple[list[Missed], dict[str, tuple[str, ...]]]:
    """The pictures that gave nobody to ask about: those that count as unknown, and those that count for nothing."""
    missed: list[Missed] = []
    ignored: dict[str, tuple[str, ...]] = {}
    for report in reports:
        for entry in report.classes:
            for why, pictures in entry.skipped.items():
                if why in IGNORED or (given and why is Reason.NO_PERSON):
                    reason = IGNORED.get(why, NOT_GIVEN)
                    ignored[reason] = (*ignored.get(reason, ()), *pictures)
                else:
                    missed += [Missed(entry.label, str(why), picture) for picture in pictures]
    return missed, ignored


def _print(path: Path, evaluation: Evaluation) -> None:
    scores = evaluation.scores
    judged = int((scores.support >= MIN_SUPPORT).sum())
    named = int((evaluation.named >= 0).sum())
    reasons = ", ".join(f"{reason} {count}" for reason, count in evaluation.unknown.items())
    near_duplicates = int(evaluation.near_duplicates.sum())
    print(f"{path}, {int(evaluation.rows.sum()):,} rows; {evaluation.method}: {evaluation.people:,} people")
    print()
    facts = [
        ["accuracy", _figure(evaluation.accuracy), "unknown counts as wrong (as right for people of other/)"],
        ["  of those named", _figure(evaluation.accuracy_among_named), f"{named:,} people were given a label"],
        ["  of the likeliest", _figure(evaluation.accuracy_of_likeliest), "if nobody could be refused"],
        ["macro F1", _figure(scores.macro_f1), f"mean of the {judged} postures with {MIN_SUPPORT} people or more"],
        ["unknown", _figure(1 - named / evaluation.people if evaluation.people else math.nan), reasons],
        ["calibration error", _figure(evaluation.calibration.expected_error), "mean gap of probability and truth"],
        ["open-set AUROC", _figure(evaluation.left_out_auroc), "unknown against known postures, each left out in turn"],
    ]
    if near_duplicates:
        accuracy = evaluation.accuracy_without_near_duplicates
        without = f"people who are, nearly, in the database; accuracy without {accuracy:.3f}"
        facts.append(["near-duplicates", str(near_duplicates), without])
    print_table(["measure", "value", "meaning"], facts)
    print()
    _print_classes(evaluation)
    print()
    _print_confusion(evaluation)
    for reason, pictures in evaluation.ignored.items():
        print(f"{len(pictures)} picture(s) left out: {reason}, such as {printable(pictures[0])}")
    print("next:")
    for step in next_steps(evaluation):
        print(f"- {step}")


def _print_classes(evaluation: Evaluation) -> None:
    scores = evaluation.scores
    rows = [
        [
            printable(label),
            str(evaluation.rows[place]),
            str(scores.support[place]),
            _figure(scores.precision[place]),
            _figure(scores.recall[place]),
            _figure(scores.f1[place]),
            str(evaluation.confusion[place, -1]),
            _figure(evaluation.left_out[place].auroc),
            _figure(evaluation.left_out[place].refused),
        ]
        for place, label in enumerate(evaluation.classes)
    ]
    head = ["posture", "rows", "people", "precision", "recall", "F1", "unknown", "left out: AUROC", "refused"]
    print_table(head, rows)


def _print_confusion(evaluation: Evaluation) -> None:
    """Rows are the truth; columns, under the numbers of the rows, the answer."""
    counts = evaluation.confusion
    size = len(evaluation.classes)
    head = ["people are \\ are called", *map(str, range(1, size + 1)), "unknown"]
    rows = [
        [f"{place + 1} {printable(label)}", *(str(count or "·") for count in counts[place])]
        for place, label in enumerate(evaluation.classes)
    ]
    if counts[-1].any():
        rows.append(["other", *(str(count or "·") for count in counts[-1])])
    print_table(head, rows)
    print()


def _figure(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
