"""`stance build`: make a database from a folder of pictures per posture."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from index.building.build import build_index
from index.building.given_keypoints import GivenKeypoints
from index.building.pictures import quiet_opencv
from index.storage.store import normalise_prefix
from pose.embeddings.registry import DEFAULT_EMBEDDING, EMBEDDINGS
from stream.commands.build_report import print_report
from stream.commands.folder_options import add_folder_options, row_rules
from stream.commands.lazy_estimator import LazyEstimator

if TYPE_CHECKING:
    from stream.settings.model import Settings

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave.

    It sets `run`, a function of the parsed arguments and the `Settings` that gives the exit code. Faults of the user
    rise as `StanceError`, ctrl-C as `KeyboardInterrupt`.
    """
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "build",
        help="build a database from a folder of pictures per posture",
        description="Build a database from a folder of pictures per posture.",
    )
    add_folder_options(parser)
    parser.add_argument(
        "--embedding", choices=sorted(EMBEDDINGS), help=f"how a posture becomes numbers ({DEFAULT_EMBEDDING})"
    )
    parser.add_argument("--replace", action="store_true", help="build anew although there is a database")
    parser.add_argument("--keypoints", metavar="FILE.npz", help="take keypoints from here and run no network")
    parser.set_defaults(run=_build)


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
            **row_rules(args, settings),
        )
    print_report(path, index, report, args.json)
    return 0
