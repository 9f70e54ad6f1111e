"""What a training learns from and is judged by: read, kept apart, and freed of near-copies."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index.building.pictures import is_picture, printable
from pose.datasets.labelled import LabelledPicture, LabelledSet
from pose.datasets.near_duplicates import near_duplicates
from pose.datasets.reading import read_labelled
from pose.errors import PictureError, TrainingError

__all__ = ["TrainingData", "read_data"]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Labelled pictures.

    Attributes:
        pictures: to learn from.
        val: to judge by; None: nothing is judged.
    """

    pictures: tuple[LabelledPicture, ...]
    val: LabelledSet | None


def read_data(args: argparse.Namespace) -> TrainingData:
    """Read DATA and --val, and leave out of DATA what is near a picture of --exclude-near-copies-of.

    Raises:
        TrainingError: pictures are in both, or none is left.
        LabelsMissing, LabelsError, PictureError: see `read_labelled`.
    """
    pictures = tuple(picture for data in args.data for picture in read_labelled(data).pictures)
    val = read_labelled(args.val) if args.val else None
    if val is not None:
        _refuse_overlap(pictures, val)
        if args.val_limit is not None:
            if args.val_limit < 1:
                raise TrainingError(f"--val-limit is {args.val_limit}. Give a number above 0.")
            val = replace(val, pictures=val.pictures[: args.val_limit])
    if args.exclude_near_copies_of:
        pictures = _without_copies(pictures, args.exclude_near_copies_of)
    return TrainingData(pictures, val)


def _refuse_overlap(pictures: Sequence[LabelledPicture], val: LabelledSet) -> None:
    trained_on = {picture.path.resolve() for picture in pictures}
    both = [picture.path for picture in val.pictures if picture.path.resolve() in trained_on]
    if both:
        raise TrainingError(
            f"{len(both)} pictures, such as {both[0]}, are in DATA and in --val: the figures would mean nothing. Keep "
            "them apart."
        )


def _without_copies(pictures: tuple[LabelledPicture, ...], folders: Sequence[str]) -> tuple[LabelledPicture, ...]:
    against = [path for folder in folders for path in _pictures_below(Path(folder))]
    copies = near_duplicates([picture.path for picture in pictures], against)
    left = tuple(picture for picture in pictures if picture.path not in copies)
    named = ", ".join(printable(folder) for folder in folders)
    print(
        f"{len(copies)} of {len(pictures)} pictures are near-copies of the {len(against)} in {named}, and are left out"
    )
    if not left:
        raise TrainingError("No picture is left to learn from. Give other DATA.")
    return left


def _pictures_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise PictureError(f"--exclude-near-copies-of {folder}: there is no such folder.")
    found = sorted(path for path in folder.rglob("*") if path.is_file() and is_picture(path))
    if not found:
        raise PictureError(f"--exclude-near-copies-of {folder}: there is no picture in it.")
    return found
