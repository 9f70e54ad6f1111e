"""Near-duplicate pictures: the same picture in another size, recompressed, slightly cut, or mirrored.

A network must not be judged on a picture that it was trained on, and public sets are full of copies of each other.
A picture's fingerprint is its 32×32 grey version less the same blurred; two pictures are compared by normalised
correlation, all pairs in a few matrix products.

Without the blurred part taken away, every landscape with a bright sky above dark ground correlates to 0.9 with every
other. A perceptual hash of 64 bits (pHash) would be smaller, but has the same fault and needs this step after it; a
million pairs take 0.04 s as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.datasets.picture_file import read_picture
from pose.errors import PictureError

__all__ = ["MIN_CORRELATION", "fingerprints", "near_duplicates"]

MIN_CORRELATION: Final = 0.7
"""From this correlation on, two pictures are near-duplicates. Looked at by eye, 24,941 training pictures against 1,189:
above 0.83 all pairs show one picture or the next frame of one series; between 0.7 and 0.83 half of them do, and the
others are strangers in one yoga pose before a white wall; below, few do. It drops 0.4 % of the pictures."""

_SIDE: Final = 32
_BLUR_SIGMA: Final = 3.0
_LEAST_CONTRAST: Final = 1.0  # grey values, root mean square: a picture of one colour is nobody's duplicate
_ROWS_AT_ONCE: Final = 2048


def near_duplicates(pictures: Sequence[Path], against: Sequence[Path]) -> dict[Path, Path]:
    """Those of `pictures` that show a picture of `against`, mirrored or not, each with the one it is most like.

    A file that is no picture is nobody's duplicate. Every file is decoded once, a few milliseconds each.

    >>> copies = near_duplicates(training, judging)
    >>> training = [path for path in training if path not in copies]
    """
    asked, asked_prints = _read(pictures)
    known, known_prints = _read(against)
    if not known:
        return {}
    either_way = np.concatenate((known_prints, _mirrored(known_prints)))
    copies = {}
    for start in range(0, len(asked), _ROWS_AT_ONCE):
        correlation = asked_prints[start : start + _ROWS_AT_ONCE] @ either_way.T
        nearest = correlation.argmax(axis=1)
        for row in np.flatnonzero(correlation.max(axis=1) >= MIN_CORRELATION).tolist():
            copies[asked[start + row]] = known[nearest[row] % len(known)]
    return copies


def fingerprints(pictures: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """What N pictures, uint8 BGR `[H, W, 3]` of any size, look like from afar: float32 `[N, 1024]`.

    The product of two rows is the normalised correlation of the two pictures, −1 to 1. The row of a picture of one
    colour is zero.
    """
    import cv2

    greys = [
        cv2.resize(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        for bgr in pictures
    ]
    small = np.array(greys, np.float32).reshape(-1, _SIDE, _SIDE)
    rows = (small - _BLUR @ small @ _BLUR.T).reshape(-1, _SIDE * _SIDE)
    rows -= rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > _LEAST_CONTRAST * _SIDE)


def _mirrored(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The fingerprints of the same pictures in a looking-glass."""
    return rows.reshape(-1, _SIDE, _SIDE)[:, :, ::-1].reshape(rows.shape)


def _read(paths: Sequence[Path]) -> tuple[list[Path], NDArray[np.float32]]:
    """The paths that are pictures, and their fingerprints."""
    readable: list[Path] = []

    def decoded() -> Iterator[NDArray[np.uint8]]:
        for path in paths:
            try:
                bgr = read_picture(path)
            except PictureError:
                continue
            readable.append(path)
            yield bgr

    rows = fingerprints(decoded())
    return readable, rows


def _blur() -> NDArray[np.float32]:
    """A Gaussian along one side as a matrix, float32 `[32, 32]`; each row sums to 1, also at the edge."""
    place = np.arange(_SIDE)
    weight = np.exp(-((place[:, None] - place[None]) ** 2) / (2 * _BLUR_SIGMA**2))
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


_BLUR: Final = _blur()
