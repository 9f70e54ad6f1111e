"""What `stance build` and `stance add` share: a folder of pictures per posture, and who in them becomes a row."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from index.building.build import PEOPLE
from index.storage.store import DEFAULT_PREFIX

if TYPE_CHECKING:
    from stream.settings.model import Settings

__all__ = ["add_folder_options", "row_rules"]


def add_folder_options(parser: argparse.ArgumentParser) -> None:
    """The folder, the database, and how they are read and told of."""
    parser.add_argument("folder", metavar="FOLDER", help="holds one folder per posture, such as FOLDER/standing/*.jpg")
    parser.add_argument("--index", metavar="PREFIX", help=f"the database's files without suffix ({DEFAULT_PREFIX})")
    parser.add_argument("--people", choices=PEOPLE, default="best", help="the most prominent person, or all (best)")
    parser.add_argument(
        "--merge-alike", action="store_true", help="make postures one whose names differ only in case or spaces"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")


def row_rules(args: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Who becomes a row, and of which posture: arguments of `build_index` and `add_folder`."""
    return {
        "people": args.people,
        "merge_alike": args.merge_alike,
        "min_keypoints": settings.pose.min_keypoints,
        "keypoint_threshold": settings.pose.keypoint_threshold,
        "min_person_px": settings.pose.min_person_px,
    }
