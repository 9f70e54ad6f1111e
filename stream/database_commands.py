"""The commands about databases: `stance build`, `add`, `query` and `info`."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import Examples, PostureIndex, Verdict
from index.build import PEOPLE, Estimator, add_folder, build_index
from index.errors import DatabaseMissing
from index.pictures import decode_picture, printable
from index.report import BuildReport
from index.store import DEFAULT_PREFIX, database_exists, files_of, normalise_prefix
from pose.embedding import DEFAULT_EMBEDDING, EMBEDDINGS
from pose.errors import PictureError
from pose.gate import unfit
from stream.assembly import database_prefix, make_estimator, warn_of_other_weights

if TYPE_CHECKING:
    from stream.settings import Settings

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the four commands to what `argparse.ArgumentParser.add_subparsers` gave.

    Each sets `run`, a function of the parsed arguments and the `Settings` that gives the exit code. Faults of the user
    rise as `StanceError`, ctrl-C as `KeyboardInterrupt`.
    """
    build = _command(subparsers, "build", _build, "build a database from a folder of pictures per posture")
    build.add_argument("folder", metavar="FOLDER", help="holds one folder per posture, such as FOLDER/standing/*.jpg")
    build.add_argument("--people", choices=PEOPLE, default="best", help="the most prominent person, or all (best)")
    build.add_argument(
        "--embedding", choices=sorted(EMBEDDINGS), help=f"how a posture becomes numbers ({DEFAULT_EMBEDDING})"
    )
    build.add_argument("--replace", action="store_true", help="build anew although there is a database")

    add = _command(subparsers, "add", _add, "add a folder of pictures per posture to a database")
    add.add_argument("folder", metavar="FOLDER", help="holds one folder per posture, such as FOLDER/standing/*.jpg")
    add.add_argument("--people", choices=PEOPLE, default="best", help="the most prominent person, or all (best)")

    query = _command(subparsers, "query", _query, "say what posture the people in pictures are in, and why")
    query.add_argument("pictures", metavar="PICTURE", nargs="+", help="a picture file")

    _command(subparsers, "info", _info, "say what a database holds")


def _command(subparsers: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    parser.add_argument("--index", metavar="PREFIX", help=f"the database's files without suffix ({DEFAULT_PREFIX})")
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")
    parser.set_defaults(run=run)
    return parser


def _build(args: argparse.Namespace, settings: Settings) -> int:
    path = normalise_prefix(args.index or settings.index.path)
    with _quiet_opencv():
        index, report = build_index(
            args.folder,
            _LazyEstimator(settings),
            prefix=path,
            embedding=args.embedding or settings.index.embedding,
            replace=args.replace,
            device=settings.index.device,
            people=args.people,
            min_keypoints=settings.pose.min_keypoints,
            keypoint_threshold=settings.pose.keypoint_threshold,
            min_person_px=settings.pose.min_person_px,
        )
    _print_report(path, index, report, args.json)
    return 0


def _add(args: argparse.Namespace, settings: Settings) -> int:
    path = normalise_prefix(args.index or settings.index.path)
    if not database_exists(path):
        raise DatabaseMissing(
            f"There is no database {path} to add to. Build it with `stance build FOLDER --index {path}`."
        )
    index = PostureIndex.load(path, device=settings.index.device)
    with _quiet_opencv():
        report = add_folder(
            index,
            args.folder,
            _LazyEstimator(settings, index),
            prefix=path,
            people=args.people,
            min_keypoints=settings.pose.min_keypoints,
            keypoint_threshold=settings.pose.keypoint_threshold,
            min_person_px=settings.pose.min_person_px,
        )
    _print_report(path, index, report, args.json)
    return 0


def _query(args: argparse.Namespace, settings: Settings) -> int:
    path = database_prefix(settings, args.index)
    index = PostureIndex.load(path, device=settings.index.device)
    estimator = _LazyEstimator(settings, index)
    answers = []
    with _quiet_opencv():
        for name in args.pictures:
            try:
                answer = _ask(name, index, estimator, settings)
            except PictureError as error:
                if len(args.pictures) == 1:
                    raise
                print(error, file=sys.stderr)
                answer = {"picture": printable(name), "error": str(error)}
            answers.append(answer)
            if not args.json:
                _print_answer(answer)
    if args.json:
        print(json.dumps({"index": str(path), "pictures": answers}, indent=2))
    return 2 if any("error" in answer for answer in answers) else 0


def _info(args: argparse.Namespace, settings: Settings) -> int:
    path = database_prefix(settings, args.index)
    index = PostureIndex.load(path, device="cpu")
    known = sum(digest != "" for digest in index.examples.digests)
    facts: dict[str, Any] = {
        "index": str(path),
        "rows": index.rows,
        "labels": index.counts,
        "embedding": {
            "name": index.embedding.name,
            "dimension": index.embedding.dimension,
            "version": index.embedding.version,
        },
        "networks": [network._asdict() for network in index.networks],
        "rejection_radius": index.rejection_radius,
        "bandwidth": index.calibration.bandwidth,
        "mirror": index.calibration.mirror,
        "rows_of_known_origin": known,
        "built_from": [printable(folder) for folder in index.built_from],
        "created": index.created or None,
        "updated": index.updated or None,
        "files": {file.name: file.stat().st_size for file in files_of(path)},
    }
    if args.json:
        print(json.dumps(facts, indent=2))
        return 0
    radius = facts["rejection_radius"]
    networks = [f"{network.name}, weights {network.weights_sha256[:12]}" for network in index.networks]
    print(f"database   {path}")
    print(f"rows       {index.rows}, of which {known} of known origin")
    print(f"embedding  {index.embedding.name}, {index.embedding.dimension} numbers, version {index.embedding.version}")
    print(f"network    {'; '.join(networks) or 'unknown'}")
    print(f"radius     {'none: no posture is too far' if radius is None else f'{radius:.3f}'}")
    print(f"built from {', '.join(facts['built_from']) or 'unknown'}")
    print(f"files      {', '.join(f'{name} ({size:,} bytes)' for name, size in facts['files'].items())}")
    print()
    _print_table(["label", "rows"], [[printable(label), str(count)] for label, count in sorted(index.counts.items())])
    return 0


class _LazyEstimator:
    """The network, loaded when the first batch needs it: faults of folders and databases are told before that wait."""

    def __init__(self, settings: Settings, index: PostureIndex | None = None) -> None:
        self._settings = settings
        self._index = index
        self._estimator: Estimator | None = None

    def _loaded(self) -> Estimator:
        if self._estimator is None:
            estimator = make_estimator(self._settings)
            if self._index is not None:
                warn_of_other_weights(self._index, estimator)
            self._estimator = estimator
        return self._estimator

    @property
    def network(self) -> str:
        return self._loaded().network

    @property
    def weights_digest(self) -> str:
        return self._loaded().weights_digest

    @property
    def batch_size(self) -> int:
        return self._loaded().batch_size

    @property
    def concurrency(self) -> int:
        return self._loaded().concurrency

    def __call__(self, frames: Any, /) -> Any:
        return self._loaded()(frames)


def _ask(name: str, index: PostureIndex, estimator: Estimator, settings: Settings) -> dict[str, Any]:
    """Everybody in a picture, most prominent first, as JSON."""
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise PictureError(f"{printable(name)} cannot be read: {error.strerror}.") from error
    bgr = decode_picture(data, printable(name))
    (poses,) = estimator([bgr])
    poses = poses.select(poses.by_prominence())
    limits = settings.pose.min_keypoints, settings.pose.keypoint_threshold, settings.pose.min_person_px
    naming = settings.index
    verdicts = index.classify(
        index.embedding(poses, *limits), naming.k, naming.min_share, naming.min_margin, unfit(poses, *limits)
    )
    examples = index.examples
    people = [
        _person(verdict, box, score, examples)
        for verdict, box, score in zip(verdicts, poses.boxes.tolist(), poses.scores.tolist(), strict=True)
    ]
    return {"picture": printable(name), "size": {"height": bgr.shape[0], "width": bgr.shape[1]}, "people": people}


def _person(verdict: Verdict, box: list[float], score: float, examples: Examples) -> dict[str, Any]:
    return {
        "label": verdict.label,
        "share": round(verdict.share, 4),
        "distance": None if math.isnan(verdict.distance) else round(verdict.distance, 4),
        "best": verdict.best,
        "reason": None if verdict.reason is None else str(verdict.reason),
        "box": [round(value, 1) for value in box],
        "score": round(score, 4),
        "neighbours": [
            {
                "label": label,
                "distance": round(distance, 4),
                "row": row,
                "picture": printable(examples.pictures[row]) or None,
                "person": int(examples.people[row]) if examples.people[row] >= 0 else None,
            }
            for row, label, distance in zip(verdict.entries, verdict.labels, verdict.distances, strict=True)
        ],
    }


def _print_answer(answer: dict[str, Any]) -> None:
    if "error" in answer:
        return
    print(answer["picture"])
    if not answer["people"]:
        print("  no person found")
    for number, person in enumerate(answer["people"], 1):
        x1, y1, x2, y2 = person["box"]
        where = f"box {x1:.0f},{y1:.0f} to {x2:.0f},{y2:.0f}"
        if person["reason"] is None:
            said = f"{printable(person['label'])}, {person['share']:.0%} of the vote, distance {person['distance']:.3f}"
        else:
            said = f"unknown: {person['reason']}"
            if person["best"] is not None:
                best, share = printable(person["best"]), person["share"]
                said += f" (nearest to {best}, {share:.0%} of the vote, distance {person['distance']:.3f})"
        print(f"  person {number}  {said}  [{where}]")
        for neighbour in person["neighbours"]:
            origin = neighbour["picture"] or "origin unknown"
            if neighbour["person"]:
                origin += f", person {neighbour['person'] + 1}"
            print(f"    {neighbour['distance']:.3f}  {printable(neighbour['label'])}  row {neighbour['row']}  {origin}")


def _print_report(path: Path, index: PostureIndex, report: BuildReport, as_json: bool) -> None:
    if as_json:
        classes = [
            {
                "label": entry.label,
                "pictures": entry.pictures,
                "people": entry.people,
                "skipped": {str(why): [printable(name) for name in names] for why, names in entry.skipped.items()},
            }
            for entry in report.classes
        ]
        fields = {
            "index": str(path),
            "rows": report.rows,
            "added": report.people,
            "classes": classes,
            "outside": [printable(name) for name in report.outside],
            "seconds": round(report.seconds, 3),
        }
        print(json.dumps(fields, indent=2))
        return
    rows = [
        [
            printable(entry.label),
            str(entry.pictures),
            str(entry.people),
            ", ".join(f"{len(names)} {why}" for why, names in entry.skipped.items()) or "0",
        ]
        for entry in report.classes
    ]
    rows.append(["all", str(report.pictures), str(report.people), str(report.skipped())])
    _print_table(["class", "pictures", "people", "skipped and why"], rows)
    for entry in report.classes:
        for why, names in entry.skipped.items():
            if why.needs_a_look:
                for name in names:
                    print(f"skipped: {printable(name)}: {why}")
    if report.outside:
        print(f"{len(report.outside)} picture(s) lie outside the class folders: {printable(report.outside[0])} …")
    print(f"{path}: {index.rows} rows, {len(index.classes)} classes, {report.seconds:.1f} s")


def _print_table(head: list[str], rows: list[list[str]]) -> None:
    """Columns wide enough; numbers to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        cells = [
            cell.rjust(width) if column and rows and rows[0][column].isdecimal() and column < 3 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


@contextlib.contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's own lines about damaged pictures off standard error; ours name the picture."""
    from cv2.utils import logging as opencv_log

    level = opencv_log.getLogLevel()
    opencv_log.setLogLevel(opencv_log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        opencv_log.setLogLevel(level)
