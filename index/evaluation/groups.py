"""Groups of pictures that belong together, and folds that never tear one apart.

Pictures of one person, or of one camera, resemble each other more than the next person's will: a score is only honest
when what is asked and what is known have no group in common.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.errors import EvaluationError

__all__ = ["GROUPINGS", "assign_folds", "group_codes", "group_of"]

GROUPINGS: Final = ("picture", "source", "person", "camera")


def group_of(picture: str, grouping: str) -> str | None:
    """The group of a picture, by its path; None where the path does not say.

    - `picture`: every picture is a group of its own.
    - `source`: the file's name up to the first `_`, as `har` in `standing/har_0494.jpg`; a name without one belongs to
      the folder it lies in.
    - `person`, `camera`: what follows that word in the path, where it begins a piece and a number, `-`, `=` or `.`
      comes next; pieces are divided by `/`, `_` and blanks. `anna` in `standing/person-anna/1.jpg`, `2` in
      `standing/camera2_0001.jpg`.

    Args:
        picture: a path.
        grouping: one of `GROUPINGS`.
    """
    path = PurePath(picture)
    if grouping == "picture":
        return picture
    if grouping == "source":
        head, mark, _ = path.name.partition("_")
        return head if mark else str(path.parent)
    for piece in re.split(r"[/\\_\s]", str(path.with_suffix(""))):
        if found := re.fullmatch(rf"{grouping}(?:[-=.](.+)|(\d.*))", piece, re.IGNORECASE):
            return (found[1] or found[2]).casefold()
    return None


def group_codes(pictures: Sequence[str], grouping: str, families: NDArray[np.integer]) -> NDArray[np.int64]:
    """A number for the group of each of R rows, int64 `[R]`; rows of one family (`near_duplicates`) share it.

    Rows whose path does not say are one more group.

    Raises:
        EvaluationError: no path says which person or camera it shows, or all rows are one group.
    """
    names = [group_of(picture, grouping) for picture in pictures]
    if names and all(name is None for name in names):
        raise EvaluationError(
            f"No picture's path says which {grouping} it shows. Put it there, as in standing/{grouping}1_0001.jpg or "
            f"standing/{grouping}-one/0001.jpg, or group by source or by picture."
        )
    if grouping == "picture":
        codes = np.asarray(families, np.int64)
    else:
        _, places = np.unique([f"={name}" if name is not None else "" for name in names], return_inverse=True)
        codes = _joined(np.asarray(places, np.int64), families)
    if len(np.unique(codes)) < 2:
        if grouping == "picture":
            raise EvaluationError("All pictures are near-duplicates of one another, so nothing can be held out.")
        near = " once near-duplicates are kept together" if len(set(names)) > 1 else ""
        raise EvaluationError(
            f"All pictures are of one {grouping}{near}, so nothing can be held out. Group by picture."
        )
    return codes


def _joined(codes: NDArray[np.int64], families: NDArray[np.integer]) -> NDArray[np.int64]:
    """Groups that have a family in common made one: both numbers come down to the smaller until nothing moves."""
    while True:
        lowest = codes
        for parts in (families, codes):
            smallest = np.full(len(codes), len(codes), np.int64)
            np.minimum.at(smallest, parts, lowest)
            lowest = smallest[parts]
        if (lowest == codes).all():
            return codes
        codes = lowest


def assign_folds(groups: NDArray[np.integer], folds: int) -> NDArray[np.int64]:
    """The fold of each of R rows, int64 `[R]`: whole groups, the largest first, each into the emptiest fold so far.

    With fewer groups than folds there is one fold per group.
    """
    codes, counts = np.unique(groups, return_counts=True)
    sizes = np.zeros(min(folds, len(codes)), np.int64)
    fold_of = np.zeros(len(codes), np.int64)
    for place in np.argsort(-counts, kind="stable"):
        fold_of[place] = sizes.argmin()
        sizes[fold_of[place]] += counts[place]
    return fold_of[np.searchsorted(codes, groups)]
