"""From folders of pictures to a database: a new one, or more rows for one that is there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from index.building.adding import SAVE_EVERY_SECONDS, Estimator, Selection, add_pictures
from index.building.class_names import merge_names, name_warnings
from index.building.given_keypoints import GivenKeypoints
from index.building.partial import PartialBuild
from index.building.pictures import Folder, find_pictures, printable
from index.building.report import BuildReport, ClassReport
from index.errors import DatabaseExists, NothingAdded
from index.posture_index import PostureIndex
from index.storage import store
from index.storage.commit import check_writable
from pose.embeddings.quality_gate import SMALLEST_HEIGHT_PX
from pose.embeddings.registry import DEFAULT_EMBEDDING
from pose.reason import Reason

__all__ = ["PEOPLE", "Estimator", "add_folder", "build_index"]

log = logging.getLogger(__name__)

PEOPLE: Final = ("best", "all")
_CHOICES: Final = ("people", "min_keypoints", "keypoint_threshold", "min_person_px", "merge_alike")
_NAMED: Final = 10


def build_index(
    folder: str | Path,
    estimator: Estimator | GivenKeypoints,
    *,
    prefix: str | Path | None = None,
    embedding: str = DEFAULT_EMBEDDING,
    replace: bool = False,
    device: str = "auto",
    **options: Any,
) -> tuple[PostureIndex, BuildReport]:
    """Build a new database from class folders of pictures, and save it at `prefix` if one is given.

        index, report = build_index("images_data", PoseEstimator(), prefix="pose_index")

    Until it is complete, what is finished lies at `PREFIX_partial`, saved every few seconds. However the build ends
    before, the same call continues it; a database that is to be replaced stays untouched.

    Args:
        folder: holds one folder per posture.
        estimator: finds people, or has them given; its `parts` go into the database's manifest.
        prefix: where to save; None to keep the database in memory.
        embedding: a name in the registry of `pose.embeddings.registry`.
        replace: build although a database is there.
        device: where to search.
        options: as for `add_folder`.

    Raises:
        DatabaseExists: a database is there, and `replace` is false.
        NothingAdded: nobody could be added; nothing was written.
        FolderMissing, FolderError: there are no pictures in class folders.
        DatabaseUnwritable: nothing can be saved at `prefix`.
        KeyboardInterrupt: ctrl-C; what was finished is saved.
    """
    index = PostureIndex(embedding, device=device)
    if prefix is None:
        return index, add_folder(index, folder, estimator, **options)
    path = store.normalise_prefix(prefix)
    if not replace and store.database_exists(path):
        raise DatabaseExists(
            f"There is already a database {path}. Add to it with `stance add {printable(folder)}`, or build anew with "
            f"`stance build {printable(folder)} --replace`."
        )
    choices: dict[str, Any] = {"folder": str(Path(folder).absolute()), "embedding": embedding}
    partial = PartialBuild(path, choices | {name: options[name] for name in _CHOICES if name in options})
    if partial.exists():
        pictures = _find(folder, (), bool(options.get("merge_alike"))).pictures
        index = partial.resume(pictures, estimator.parts, device) or index
    check_writable(path)
    if index.rows == 0:
        partial.begin()
    finished = frozenset(index.examples.digests)
    try:
        report = add_folder(index, folder, estimator, prefix=partial.prefix, replace=True, finished=finished, **options)
    except BaseException:
        if not store.database_exists(partial.prefix):
            partial.remove()
        raise
    index.save(path, replace=replace)
    partial.remove()
    return index, report


def add_folder(
    index: PostureIndex,
    folder: str | Path,
    estimator: Estimator | GivenKeypoints,
    *,
    prefix: str | Path | None = None,
    people: str = "best",
    min_keypoints: int = 5,
    keypoint_threshold: float = 0.5,
    min_person_px: float = SMALLEST_HEIGHT_PX,
    merge_alike: bool = False,
    progress: bool = True,
    replace: bool = False,
    finished: frozenset[str] = frozenset(),
    save_every_seconds: float = SAVE_EVERY_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> BuildReport:
    """Add the pictures of class folders to a database, and save it at `prefix` if one is given.

    A picture that is there already, by the content of its file, costs no network time. The database is saved every
    few seconds, at the end, and when anything ends it early, so that what was finished is kept and the same call goes
    on from there.

    Args:
        index: the database to add to.
        folder: holds one folder per posture.
        estimator: finds people, or has them given.
        prefix: where to save; None not to.
        people: "best", the most prominent person of every picture, or "all".
        min_keypoints: fewer confident keypoints than this, and a posture cannot be told.
        keypoint_threshold: score from which a keypoint is confident, 0–1.
        min_person_px: people whose box is smaller than this in both directions cannot be told, pixels.
        merge_alike: make names of postures one that differ only in case or spaces.
        progress: show a bar with elapsed and remaining time on standard error.
        replace: save over a database that `index` was not loaded from.
        finished: digests of pictures that an earlier part of the same build has added: they count as added.
        save_every_seconds: pause between saves, at least.
        clock: gives seconds; tests pass their own.

    Raises:
        NothingAdded: nobody could be added, and no picture was there already; nothing was written.
        FolderMissing, FolderError: there are no pictures in class folders.
        DatabaseUnwritable: nothing can be saved at `prefix`.
        ValueError: `people` is neither "best" nor "all".
        KeyboardInterrupt: ctrl-C; what was finished is saved.
    """
    if people not in PEOPLE:
        raise ValueError(f"people is {people!r}; it is one of {', '.join(PEOPLE)}.")
    path = None if prefix is None else store.normalise_prefix(prefix)
    found = _find(folder, index.classes, merge_alike)
    if path is not None:
        check_writable(path)
    report = BuildReport(
        [ClassReport(label) for label in found.classes],
        [str(path) for path in found.outside],
        left_out=[str(path) for path in found.left_out],
        warnings=_warnings(found, index.classes),
    )
    by_label = {entry.label: entry for entry in report.classes}
    for picture in found.pictures:
        by_label[picture.label].pictures += 1
    if path is not None:
        for warning in report.warnings:
            log.warning("%s", warning)
    begun = clock()
    add_pictures(
        index,
        found,
        str(folder),
        estimator,
        Selection(people, min_keypoints, keypoint_threshold, min_person_px),
        report,
        prefix=path,
        replace=replace,
        finished=finished,
        progress=progress,
        save_every_seconds=save_every_seconds,
        clock=clock,
    )
    report.rows, report.seconds = index.rows, clock() - begun
    if report.people == 0 and report.skipped(Reason.KNOWN) == 0:
        raise NothingAdded(f"Nobody in {printable(folder)} could be added: {report.reasons()}. Nothing was written.")
    return report


def _find(folder: str | Path, known: Iterable[str], merge_alike: bool) -> Folder:
    """The pictures of class folders, names of postures made one if that is wanted."""
    found = find_pictures(folder)
    return merge_names(found, known) if merge_alike else found


def _warnings(found: Folder, known: Iterable[str]) -> list[str]:
    """What somebody should know of the folders before the work."""
    warnings = name_warnings(dict.fromkeys(picture.label for picture in found.pictures), known)
    if found.left_out:
        warnings.append(
            f"{len(found.left_out)} link(s) lead out of their class folder, or nowhere, and are left out: "
            f"{_listed(found.left_out)}."
        )
    if found.unreadable:
        warnings.append(f"{len(found.unreadable)} folder(s) may not be read: {_listed(found.unreadable)}.")
    return warnings


def _listed(paths: Sequence[Path]) -> str:
    names = ", ".join(printable(path) for path in paths[:_NAMED])
    return names if len(paths) <= _NAMED else f"{names} and {len(paths) - _NAMED} more"
