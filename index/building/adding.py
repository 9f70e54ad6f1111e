"""`add_pictures`: the loop that teaches a database pictures, and saves it as it goes."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from index.building.given_keypoints import GivenKeypoints
from index.building.interrupt import held_interrupt
from index.building.pictures import Folder
from index.building.reading import ReadPicture, in_batches, read_ahead
from index.building.report import BuildReport, ClassReport
from index.posture_index import PostureIndex
from index.storage.examples import Examples
from pose.embeddings.quality_gate import reject_reasons
from pose.poses import Poses
from pose.reason import Reason

__all__ = ["SAVE_EVERY_SECONDS", "Estimator", "Selection", "add_pictures"]

log = logging.getLogger(__name__)

SAVE_EVERY_SECONDS: Final = 2.0
_PAUSE_FACTOR: Final = 20
"""A save is followed by so many times its duration without one: saving takes 5 % of the time at most."""


class Estimator(Protocol):
    """What is asked of `pose.PoseEstimator`."""

    @property
    def parts(self) -> Sequence[tuple[str, str]]: ...
    @property
    def batch_size(self) -> int: ...
    def __call__(self, frames: Sequence[NDArray[np.uint8]], /) -> list[Poses]: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """Which people of a picture are learnt.

    Attributes:
        people: "best", the most prominent person of every picture, or "all".
        min_keypoints: fewer confident keypoints than this, and a posture cannot be told.
        keypoint_threshold: score from which a keypoint is confident, 0–1.
        min_person_px: people whose box is smaller than this in both directions cannot be told, pixels.
    """

    people: str
    min_keypoints: int
    keypoint_threshold: float
    min_person_px: float

    @property
    def limits(self) -> tuple[int, float, float]:
        """What the quality gate asks for."""
        return self.min_keypoints, self.keypoint_threshold, self.min_person_px


def add_pictures(
    index: PostureIndex,
    found: Folder,
    folder: str,
    estimator: Estimator | GivenKeypoints,
    selection: Selection,
    report: BuildReport,
    *,
    prefix: Path | None,
    replace: bool,
    finished: frozenset[str],
    progress: bool,
    save_every_seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Add the pictures that were found, and save the database at `prefix`, if there is one, as it goes.

    Args:
        index: the database.
        found: the pictures.
        folder: noted as the source of the rows.
        estimator: finds people, or has them given.
        selection: whom to learn.
        report: what becomes of the pictures is counted there.
        prefix: where to save.
        replace: save over a database that `index` was not loaded from.
        finished: digests of pictures that an earlier part of this very build has added: they count as added.
        progress: show a bar.
        save_every_seconds: pause between saves, at least; long saves are followed by longer pauses.
        clock: gives seconds.

    Raises:
        KeyboardInterrupt: ctrl-C; what was finished is saved, and a line in the log says how much that is.
    """
    by_label = {entry.label: entry for entry in report.classes}
    counted: set[str] = set()
    rows_saved, saved_pictures, done = index.rows, len(finished), 0
    next_save = clock() + save_every_seconds

    def save() -> None:
        nonlocal rows_saved, saved_pictures, next_save, replace
        begun = time.perf_counter()
        if prefix is not None and index.rows > rows_saved:
            for part, digest in estimator.parts:
                index.note_network(part, digest)
            index.note_source(folder)
            index.save(prefix, replace=replace)
            rows_saved, replace = index.rows, False
        if rows_saved:
            saved_pictures = max(saved_pictures, done)
        next_save = clock() + max(save_every_seconds, _PAUSE_FACTOR * (time.perf_counter() - begun))

    def settle(read: ReadPicture) -> bool:
        nonlocal done
        if read.skip is None:
            return False
        entry = by_label[read.picture.label]
        if read.skip is Reason.KNOWN and read.digest in finished and read.digest not in counted:
            counted.add(read.digest)
            entry.people += len(index.people_of_picture(read.digest))
        else:
            entry.skip(read.skip, str(read.picture.path))
        done += 1
        bar.update()
        return True

    def find(batch: list[ReadPicture]) -> list[Poses]:
        if isinstance(estimator, GivenKeypoints):
            return estimator.people([read.picture.path for read in batch])
        return estimator([read.pixels for read in batch])

    with held_interrupt() as interrupt:
        try:
            size = max(1, estimator.batch_size)
            interrupt.obey()
            bar = tqdm(
                total=len(found.pictures),
                unit=" pictures",
                mininterval=0.5 if sys.stderr.isatty() else 10.0,  # a log need not hold every step
                disable=not progress,
                dynamic_ncols=True,
            )
            reads = read_ahead(found.pictures, index, selection.people, 2 * size)
            try:
                for batch in in_batches(reads, size, settle):
                    for read, poses in zip(batch, find(batch), strict=True):
                        _add_picture(index, by_label[read.picture.label], read, poses, selection)
                    done += len(batch)
                    bar.update(len(batch))
                    interrupt.obey()
                    if clock() >= next_save:
                        save()
            finally:
                reads.close()
                bar.close()
                if not interrupt.insisted:  # else the interrupt may have come in the middle of an addition
                    save()
            interrupt.obey()
        except KeyboardInterrupt:
            if prefix is not None:
                log.warning(
                    "interrupted: %s of %s pictures saved; run the same command to continue",
                    f"{saved_pictures:,}",
                    f"{len(found.pictures):,}",
                )
            raise


def _add_picture(
    index: PostureIndex, entry: ClassReport, read: ReadPicture, poses: Poses, selection: Selection
) -> None:
    """Embed the people asked for and add them under the picture's label."""
    name = str(read.picture.path)
    if len(poses) == 0:
        entry.skip(Reason.NO_PERSON, name)
        return
    order = poses.by_prominence()
    if selection.people == "best":  # the most prominent of those who show enough, if anybody does
        reasons = reject_reasons(poses, *selection.limits)
        order = np.array(sorted(order.tolist(), key=lambda row: reasons[row] is not None)[:1])
    chosen = poses.select(order)
    count = len(chosen)
    examples = Examples(
        (name,) * count,
        (read.digest,) * count,
        np.arange(count, dtype=np.int32),
        chosen.keypoints,
        chosen.boxes,
        np.tile(np.array(read.pixels.shape[:2], np.int32), (count, 1)),
    )
    rows = index.embedding(chosen, *selection.limits)
    added = index.add(rows, [read.picture.label] * count, examples)
    entry.people += added.count
    if added.count:
        return
    (rejected,) = reject_reasons(chosen.select([0]), *selection.limits)
    for reason in (Reason.CONFLICT, Reason.KNOWN):
        if reason in added.reasons:
            entry.skip(reason, name)
            return
    entry.skip(rejected or Reason.TOO_FEW_KEYPOINTS, name)
