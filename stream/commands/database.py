"""The commands about databases: `stance build`, `add` and `info`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import PostureIndex
from index.building.build import PEOPLE, add_folder, build_index
from index.building.given_keypoints import GivenKeypoints
from index.building.pictures import printable, quiet_opencv
from index.building.report import BuildReport
from index.errors import DatabaseMissing
from index.storage.store import DEFAULT_PREFIX, database_exists, files_of, normalise_prefix
from pose.embeddings.registry import DEFAULT_EMBEDDING, EMBEDDINGS
from stream.assembly import database_prefix
from stream.commands.lazy_estimator import LazyEstimator
from stream.commands.text_table import print_table

if TYPE_CHECKING:
    from stream.settings.model import Settings

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the three commands to what `argparse.ArgumentParser.add_subparsers` gave.

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
    build.add_argument("--keypoints", metavar="FILE.npz", help="take keypoints from here and run no network")

    add = _command(subparsers, "add", _add, "add a folder of pictures per posture to a database")
    add.add_argument("folder", metavar="FOLDER", help="holds one folder per posture, such as FOLDER/standing/*.jpg")
    add.add_argument("--people", choices=PEOPLE, default="best", help="the most prominent person, or all (best)")

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
    with quiet_opencv():
        index, report = build_index(
            args.folder,
            GivenKeypoints(args.keypoints) if args.keypoints else LazyEstimator(settings),
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
    with quiet_opencv():
        report = add_folder(
            index,
            args.folder,
            LazyEstimator(settings, index),
            prefix=path,
            people=args.people,
            min_keypoints=settings.pose.min_keypoints,
            keypoint_threshold=settings.pose.keypoint_threshold,
            min_person_px=settings.pose.min_person_px,
        )
    _print_report(path, index, report, args.json)
    return 0


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
    print_table(["label", "rows"], [[printable(label), str(count)] for label, count in sorted(index.counts.items())])
    return 0


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
    print_table(["class", "pictures", "people", "skipped and why"], rows)
    for entry in report.classes:
        for why, names in entry.skipped.items():
            if why.needs_a_look:
                for name in names:
                    print(f"skipped: {printable(name)}: {why}")
    if report.outside:
        print(f"{len(report.outside)} picture(s) lie outside the class folders: {printable(report.outside[0])} …")
    print(f"{path}: {index.rows} rows, {len(index.classes)} classes, {report.seconds:.1f} s")
