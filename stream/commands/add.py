"""`stance add`: add a folder of pictures per posture to a database."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from index import PostureIndex
from index.building.build import add_folder
from index.building.pictures import quiet_opencv
from index.errors import DatabaseMissing
from index.storage.store import database_exists, normalise_prefix
from stream.commands.build_report import print_report
from stream.commands.folder_options import add_folder_options, row_rules
from stream.commands.lazy_estimator import LazyEstimator

if TYPE_CHECKING:
    from stream.settings.model import Settings

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "add",
        help="add a folder of pictures per posture to a database",
        description="Add a folder of pictures per posture to a database.",
    )
    add_folder_options(parser)
    parser.set_defaults(run=_add)


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
            **row_rules(args, settings),
        )
    print_report(path, index, report, args.json)
    return 0
