"""What a database says about distances in it, by leaving out one row at a time: `Calibration`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.search.backend import Neighbours
from index.search.matches import NEAREST
from index.search.nearest import nearest
from index.search.ridge_weights import BANDWIDTH_FACTOR, BANDWIDTH_NEIGHBOUR
from pose.embeddings.registry import Embedding

__all__ = ["Calibration", "calibrate"]

FACTOR: Final = 1.2
PERCENTILE: Final = 98.0
MIN_DISTINCT_ROWS: Final = 10
SAMPLE: Final = 2048
MIRROR_LOSS: Final = 0.1
MIRROR_DEVIATIONS: Final = 1.5
_COPIES: Final = 8
_COPY: Final = 1e-4
_BATCH: Final = 256  # rows asked about at once; bounds the memory


@dataclass(frozen=True, slots=True)
class Calibration:
    """How distances of one database are to be read.

    Attributes:
        radius: the median distance of the nearest five beyond which a posture is unknown; None to accept any.
        bandwidth: distance over which rows say the same, see `ridge_weights`; None to weigh by distance alone.
        mirror: whether a mirror image counts as the same posture.
    """

    radius: float | None = None
    bandwidth: float | None = None
    mirror: bool = True


def calibrate(neighbours: Neighbours, embedding: Embedding, codes: NDArray[np.integer]) -> Calibration:
    """Ask about every row as if it were not there.

    The radius is 1.2 times the 98th percentile of the median distance to the nearest five other rows. The bandwidth is
    0.85 times the median distance to the tenth other row, in databases under 50 rows to that at a fifth of them.
    Mirror images count as the same posture unless the nearest other row then has the wrong label for a tenth more of
    the rows of some class, as where one class leans left and another right.

    Copies of a row say nothing about how far apart postures lie, so rows that do not differ are passed over, up to
    eight. Above 2,048 rows an evenly spaced sample of 2,048 is measured against all: a percentile then moves by about
    one percent.

    Args:
        neighbours: the rows.
        embedding: what they are.
        codes: `[R]`: a number per label.

    Returns:
        Radius None (reject nobody) with fewer than ten distinct rows, which are too few to say; bandwidth None where no
        two rows differ.
    """
    vectors = neighbours.vectors()
    chosen = np.arange(len(vectors))
    if len(vectors) > SAMPLE:
        chosen = np.linspace(0, len(vectors) - 1, SAMPLE).astype(np.int64)
    sample = np.array(vectors[chosen])
    if len(sample) == 0:
        return Calibration()
    k = min(len(vectors), _COPIES + 1 + BANDWIDTH_NEIGHBOUR)
    mirror = embedding.mirrored is not None
    distances, labels = _others(neighbours, embedding, sample, codes, k, mirror)
    if mirror:
        plain_distances, plain_labels = _others(neighbours, embedding, sample, codes, k, False)
        if _loses(labels[:, 0], plain_labels[:, 0], codes[chosen]):
            mirror, distances = False, plain_distances
    differing = np.isfinite(distances[:, 0])
    if not differing.any():
        return Calibration(mirror=mirror)
    distances = distances[differing]
    count = np.isfinite(distances).sum(axis=1)
    tenth = np.minimum(count, min(BANDWIDTH_NEIGHBOUR, max(1, len(vectors) // 5))) - 1
    bandwidth = float(BANDWIDTH_FACTOR * np.median(distances[np.arange(len(distances)), tenth]))
    radius = None
    if len(np.unique(sample, axis=0)) >= MIN_DISTINCT_ROWS:
        five = np.where(np.isfinite(distances[:, :NEAREST]), distances[:, :NEAREST], np.nan)
        radius = float(FACTOR * np.percentile(np.nanmedian(five, axis=1), PERCENTILE))
    return Calibration(radius, bandwidth, mirror)


def _others(
    neighbours: Neighbours,
    embedding: Embedding,
    sample: NDArray[np.float32],
    codes: NDArray[np.integer],
    k: int,
    mirror: bool,
) -> tuple[NDArray[np.float32], NDArray[np.integer]]:
    """Distances and labels `[S, k]` of the nearest rows that differ; infinite and −1 where there are no more."""
    distances = np.full((len(sample), k), np.inf, np.float32)
    labels = np.full((len(sample), k), -1, np.int64)
    for start in range(0, len(sample), _BATCH):
        part = slice(start, start + _BATCH)
        matches = nearest(neighbours, embedding, sample[part], k, mirror=mirror, mutual=False)
        differs = matches.distances > _COPY
        order = np.argsort(~differs, axis=1, kind="stable")
        sorted_differs = np.take_along_axis(differs, order, axis=1)
        distances[part] = np.where(sorted_differs, np.take_along_axis(matches.distances, order, axis=1), np.inf)
        labels[part] = np.where(sorted_differs, codes[np.take_along_axis(matches.entries, order, axis=1)], -1)
    return distances, labels


def _loses(with_mirror: NDArray[np.integer], without: NDArray[np.integer], codes: NDArray[np.integer]) -> bool:
    """Whether mirror images cost some class more than a tenth of its rows, and more than chance would."""
    for code in np.unique(codes):
        own = codes == code
        right, right_in_mirror = without[own] == code, with_mirror[own] == code
        worse, better = int((right & ~right_in_mirror).sum()), int((right_in_mirror & ~right).sum())
        if worse - better > max(MIRROR_LOSS * own.sum(), MIRROR_DEVIATIONS * (worse + better) ** 0.5):
            return True
    return False
