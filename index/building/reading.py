"""Reading the pictures of class folders ahead of the network: from disk, digested, decoded."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.building.pictures import ClassPicture, printable
from index.posture_index import PostureIndex
from pose.datasets.picture_file import decode_picture
from pose.errors import PictureError
from pose.reason import Reason

__all__ = ["ReadPicture", "in_batches", "read_ahead"]


@dataclass(frozen=True, slots=True, eq=False)
class ReadPicture:
    """A picture as the reading threads hand it over: decoded, or the reason why not.

    Attributes:
        picture: the file and its posture.
        digest: SHA-256 of the file's content, in hex; "" if it could not be read.
        bgr: uint8 `[H, W, 3]`; None if it is skipped.
        skip: why it needs no network; None if it does.
    """

    picture: ClassPicture
    digest: str = ""
    bgr: NDArray[np.uint8] | None = None
    skip: Reason | None = None

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """`bgr` of a picture that is not skipped."""
        assert self.bgr is not None
        return self.bgr


def read_ahead(
    pictures: Sequence[ClassPicture], index: PostureIndex, people: str, ahead: int
) -> Generator[ReadPicture, None, None]:
    """Read, digest and decode on two threads, in order, at most `ahead` pictures in advance."""
    with ThreadPoolExecutor(2, "pictures") as threads:
        waiting: deque[Future[ReadPicture]] = deque()
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


def in_batches(
    reads: Iterable[ReadPicture], size: int, settle: Callable[[ReadPicture], bool]
) -> Iterator[list[ReadPicture]]:
    """Group what needs the network by `size`; the rest is settled on the way."""
    batch: list[ReadPicture] = []
    for read in reads:
        if settle(read):
            continue
        batch.append(read)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(picture: ClassPicture, index: PostureIndex, people: str) -> ReadPicture:
    try:
        data = picture.path.read_bytes()
    except OSError:
        return ReadPicture(picture, skip=Reason.UNREADABLE)
    digest = hashlib.sha256(data).hexdigest()
    if (skip := _known(index, digest, picture.label, people)) is not None:
        return ReadPicture(picture, digest, skip=skip)
    try:
        return ReadPicture(picture, digest, decode_picture(data, printable(picture.path)))
    except PictureError:
        return ReadPicture(picture, digest, skip=Reason.UNREADABLE)


def _known(index: PostureIndex, digest: str, label: str, people: str) -> Reason | None:
    """Why this picture needs no network; None if it does."""
    labels = index.labels_of_picture(digest)
    if not labels:
        return None
    if label not in labels:
        return Reason.CONFLICT
    if people == "all" and index.people_of_picture(digest) == (0,):
        return None  # built from its most prominent person only, or it shows only one: the network tells
    return Reason.KNOWN
