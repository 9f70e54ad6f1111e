"""From folders of pictures to a database: find, read ahead, run the network in batches, embed, add, save."""

from __future__ import annotations

import hashlib
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from index.building.given_keypoints import GivenKeypoints
from index.building.interrupt import held_interrupt
from index.building.pictures import ClassPicture, decode_picture, find_pictures, printable
from index.building.report import BuildReport, ClassReport, Skip
from index.errors import DatabaseExists, NothingAdded
from index.posture_index import PostureIndex
from index.rows import Outcome
from index.storage import store
from index.storage.commit import check_writable
from index.storage.examples import Examples
from pose.embeddings.quality_gate import SMALLEST_HEIGHT_PX, reject_reasons
from pose.embeddings.registry import DEFAULT_EMBEDDING
from pose.errors import PictureError
from pose.poses import Poses

__all__ = ["Estimator", "add_folder", "build_index"]

log = logging.getLogger(__name__)

SAVE_EVERY_SECONDS: Final = 60.0
PEOPLE: Final = ("best", "all")


class Estimator(Protocol):
    """What is asked of `pose.PoseEstimator`."""

    @property
    def parts(self) -> Sequence[tuple[str, str]]: ...
    @property
    def batch_size(self) -> int: ...
    def __call__(self, frames: Sequence[NDArray[np.uint8]], /) -> list[Poses]: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A picture as the reading threads hand it over: decoded, or the reason why not."""

    picture: ClassPicture
    digest: str = ""
    bgr: NDArray[np.uint8] | None = None
    skip: Skip | None = None


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

    With `replace`, the old database stays untouched until the new one is complete; until then what is finished lies at
    `PREFIX_partial`, where an interrupted build leaves it.

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
        KeyboardInterrupt: ctrl-C; what was finished is saved.
    """
    index = PostureIndex(embedding, device=device)
    if prefix is None or not store.database_exists(prefix):
        return index, add_folder(index, folder, estimator, prefix=prefix, **options)
    path = store.normalise_prefix(prefix)
    if not replace:
        raise DatabaseExists(
            f"There is already a database {path}. Add to it with `stance add {printable(folder)}`, or build anew with "
            f"`stance build {printable(folder)} --replace`."
        )
    partial = path.with_name(path.name + "_partial")
    try:
        report = add_folder(index, folder, estimator, prefix=partial, replace=True, **options)
    except KeyboardInterrupt:
        if index.rows:
            log.warning("%s is unchanged; the %d rows finished are in %s.", path, index.rows, partial)
        raise
    index.save(path, replace=True)
    for file in store.files_of(partial):
        file.unlink(missing_ok=True)
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
    progress: bool = True,
    replace: bool = False,
    save_every_seconds: float = SAVE_EVERY_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> BuildReport:
    """Add the pictures of class folders to a database, and save it at `prefix` if one is given.

    A picture that is there already, by the content of its file, costs no network time. The database is saved every
    `save_every_seconds`, at the end, and when anything ends it early, so that what was finished is kept.

    Args:
        index: the database to add to.
        folder: holds one folder per posture.
        estimator: finds people, or has them given.
        prefix: where to save; None not to.
        people: "best", the most prominent person of every picture, or "all".
        min_keypoints: fewer confident keypoints than this, and a posture cannot be told.
        keypoint_threshold: score from which a keypoint is confident, 0–1.
        min_person_px: people whose box is smaller than this in both directions cannot be told, pixels.
        progress: show a bar with elapsed and remaining time on standard error.
        replace: save over a database that `index` was not loaded from.
        save_every_seconds: pause between saves.
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
    found = find_pictures(folder)
    if prefix is not None:
        check_writable(store.normalise_prefix(prefix))
    report = BuildReport([ClassReport(label) for label in found.classes], [str(path) for path in found.outside])
    by_label = {entry.label: entry for entry in report.classes}
    for picture in found.pictures:
        by_label[picture.label].pictures += 1
    begun = saved = clock()
    rows_saved = index.rows

    def save() -> None:
        nonlocal rows_saved, saved, replace
        if prefix is not None and index.rows > rows_saved:
            for part, digest in estimator.parts:
                index.note_network(part, digest)
            index.note_source(str(folder))
            index.save(prefix, replace=replace)
            rows_saved, replace = index.rows, False
        saved = clock()

    def find(batch: list[_Read]) -> list[Poses]:
        if isinstance(estimator, GivenKeypoints):
            return estimator.people([read.picture.path for read in batch])
        return estimator([_bgr(read) for read in batch])

    size = max(1, estimator.batch_size)
    bar = tqdm(
        total=len(found.pictures),
        unit=" pictures",
        mininterval=0.5 if sys.stderr.isatty() else 10.0,  # a log need not hold every step
        disable=not progress,
        dynamic_ncols=True,
    )
    reads = _read_ahead(found.pictures, index, people, 2 * size)
    batches = _batches(reads, size, lambda read: _settle(read, by_label, bar))
    with held_interrupt() as interrupt:
        try:
            for batch in batches:
                for read, poses in zip(batch, find(batch), strict=True):
                    entry = by_label[read.picture.label]
                    _add_picture(index, entry, read, poses, people, min_keypoints, keypoint_threshold, min_person_px)
                bar.update(len(batch))
                if interrupt.asked:
                    raise KeyboardInterrupt
                if clock() - saved >= save_every_seconds:
                    save()
        finally:
            reads.close()
            bar.close()
            if not interrupt.insisted:  # else the interrupt may have come in the middle of an addition
                save()
        if interrupt.asked:
            raise KeyboardInterrupt
    report.rows, report.seconds = index.rows, clock() - begun
    if report.people == 0 and report.skipped(Skip.KNOWN) == 0:
        raise NothingAdded(f"Nobody in {printable(folder)} could be added: {report.reasons()}. Nothing was written.")
    return report


def _read_ahead(
    pictures: Sequence[ClassPicture], index: PostureIndex, people: str, ahead: int
) -> Generator[_Read, None, None]:
    """Read, digest and decode on two threads, in order, at most `ahead` pictures in advance."""
    with ThreadPoolExecutor(2, "pictures") as threads:
        waiting: deque[Future[_Read]] = deque()
        try:
            for picture in pictures:
                waiting.append(threads.submit(_read, picture, index, people))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _read(picture: ClassPicture, index: PostureIndex, people: str) -> _Read:
    try:
        data = picture.path.read_bytes()
    except OSError:
        return _Read(picture, skip=Skip.UNREADABLE)
    digest = hashlib.sha256(data).hexdigest()
    if (skip := _known(index, digest, picture.label, people)) is not None:
        return _Read(picture, digest, skip=skip)
    try:
        return _Read(picture, digest, decode_picture(data, printable(picture.path)))
    except PictureError:
        return _Read(picture, digest, skip=Skip.UNREADABLE)


def _known(index: PostureIndex, digest: str, label: str, people: str) -> Skip | None:
    """Why this picture needs no network; None if it does."""
    labels = index.labels_of_picture(digest)
    if not labels:
        return None
    if label not in labels:
        return Skip.CONFLICT
    if people == "all" and index.people_of_picture(digest) == (0,):
        return None  # built from its most prominent person only, or it shows only one: the network tells
    return Skip.KNOWN


def _batches(reads: Iterable[_Read], size: int, settle: Callable[[_Read], bool]) -> Iterator[list[_Read]]:
    """Group what needs the network by `size`; the rest is settled on the way."""
    batch: list[_Read] = []
    for read in reads:
        if settle(read):
            continue
        batch.append(read)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _settle(read: _Read, by_label: dict[str, ClassReport], bar: Any) -> bool:
    if read.skip is None:
        return False
    by_label[read.picture.label].skip(read.skip, str(read.picture.path))
    bar.update()
    return True


def _bgr(read: _Read) -> NDArray[np.uint8]:
    assert read.bgr is not None  # settled otherwise
    return read.bgr


def _add_picture(
    index: PostureIndex,
    entry: ClassReport,
    read: _Read,
    poses: Poses,
    people: str,
    min_keypoints: int,
    keypoint_threshold: float,
    min_person_px: float,
) -> None:
    """Embed the people asked for and add them under the picture's label."""
    name = str(read.picture.path)
    if len(poses) == 0:
        entry.skip(Skip.NO_PERSON, name)
        return
    order = poses.by_prominence()
    if people == "best":  # the most prominent of those who show enough, if anybody does
        reasons = reject_reasons(poses, min_keypoints, keypoint_threshold, min_person_px)
        order = np.array(sorted(order.tolist(), key=lambda row: reasons[row] is not None)[:1])
    chosen = poses.select(order)
    count = len(chosen)
    examples = Examples(
        (name,) * count,
        (read.digest,) * count,
        np.arange(count, dtype=np.int32),
        chosen.keypoints,
        chosen.boxes,
        np.tile(np.array(_bgr(read).shape[:2], np.int32), (count, 1)),
    )
    rows = index.embedding(chosen, min_keypoints, keypoint_threshold, min_person_px)
    added = index.add(rows, [read.picture.label] * count, examples)
    entry.people += added.count
    if added.count:
        return
    for outcome, reason in (
        (Outcome.CONFLICT, Skip.CONFLICT),
        (Outcome.DUPLICATE, Skip.KNOWN),
        (Outcome.UNTELLABLE, Skip.TOO_FEW_KEYPOINTS),
    ):
        if outcome in added.outcomes:
            if reason is Skip.TOO_FEW_KEYPOINTS:
                (why,) = reject_reasons(chosen.select([0]), min_keypoints, keypoint_threshold, min_person_px)
                reason = reason if why is None else Skip(why)
            entry.skip(reason, name)
            return
