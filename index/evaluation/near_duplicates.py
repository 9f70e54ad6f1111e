"""Near-duplicates: the same picture twice, the same picture in another size or mirrored, the next frame of one clip."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.search.backend import Neighbours
from index.storage.examples import Examples
from pose.keypoints import FLIP

__all__ = ["NEAR_DUPLICATE_DISTANCE", "families", "near_duplicates_between"]

NEAR_DUPLICATE_DISTANCE: Final = 0.02
"""Two people whose keypoints lie nearer than this are one: root mean square distance of the 17 keypoints, both people
moved and scaled onto each other, in units of the person's own spread (about 1 px for somebody 200 px tall). Looked at
by eye on 523 everyday pictures against 2,056 others, with good keypoints: all 22 pairs below 0.02 show one picture;
from 0.023 on, standing people begin to resemble other people."""

_NEAREST: Final = 8


def near_duplicates_between(
    asked: Examples, known: Examples, own: NDArray[np.integer] | None = None
) -> NDArray[np.int64]:
    """For each of N people a row of `known` that shows the same; −1 where there is none: int64 `[N]`.

    The same is a picture file of the same content, or keypoints that match up to a shift, a scale and a mirror image.
    People of unknown origin have no near-duplicates.

    Args:
        asked: N people.
        known: R rows.
        own: int `[N]`: the row of `known` that each of the people is; it and its picture's others do not count.
    """
    near_duplicate = np.full(len(asked), -1, np.int64)
    if own is None:
        by_digest = {digest: row for row, digest in enumerate(known.digests) if digest}
        near_duplicate = np.array([by_digest.get(digest, -1) for digest in asked.digests], np.int64)
    for person, row in _near(asked, known, _NEAREST).tolist():
        same_picture = asked.digests[person] == known.digests[row] != ""
        if near_duplicate[person] < 0 and (own is None or not (row == own[person] or same_picture)):
            near_duplicate[person] = row
    return near_duplicate


def families(examples: Examples) -> NDArray[np.int64]:
    """For each of R rows the first row of its family, itself if it has none: int64 `[R]`.

    A family is what may not be torn apart when a database is split: all people of one picture, and near-duplicates of
    each other, also by way of a third.
    """
    head = np.arange(len(examples), dtype=np.int64)

    def find(row: int) -> int:
        while head[row] != row:
            head[row] = head[head[row]]
            row = int(head[row])
        return row

    def join(a: int, b: int) -> None:
        first, second = sorted((find(a), find(b)))
        head[second] = first

    by_digest: dict[str, int] = {}
    for row, digest in enumerate(examples.digests):
        if digest:
            join(by_digest.setdefault(digest, row), row)
    for a, b in _near(examples, examples, _NEAREST).tolist():
        join(a, b)
    return np.array([find(row) for row in range(len(head))], np.int64)


def _near(asked: Examples, known: Examples, nearest: int) -> NDArray[np.int64]:
    """Pairs (place in `asked`, row of `known`) with matching keypoints, int64 `[P, 2]`."""
    shapes = _shapes(known.keypoints)
    rows = np.flatnonzero(np.isfinite(shapes).all(axis=1))
    search = Neighbours(shapes.shape[1], "cpu")
    search.add(shapes[rows])
    pairs = []
    for keypoints in (asked.keypoints, _mirrored(asked.keypoints)):
        entries, distances = search.search(_shapes(keypoints), nearest)
        person, place = np.nonzero(distances < NEAR_DUPLICATE_DISTANCE)
        pairs.append(np.stack((person, rows[entries[person, place]]), axis=1))
    return np.concatenate(pairs).astype(np.int64)


def _shapes(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keypoints `[N, 17, 3]` as float32 `[N, 34]`: centred and of length one; NaN where the person has no extent."""
    xy = keypoints[..., :2].astype(np.float64)
    xy = (xy - xy.mean(axis=1, keepdims=True)).reshape(len(xy), 2 * keypoints.shape[1])
    spread = np.linalg.norm(xy, axis=1, keepdims=True)
    return np.divide(xy, spread, out=np.full_like(xy, np.nan), where=spread > 0).astype(np.float32)


def _mirrored(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same people in a looking-glass: x turned round, left and right exchanged."""
    return keypoints[:, FLIP] * np.array([-1, 1, 1], np.float32)
