"""How alike people are, between frames and within one."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.boxes import area_of, corners_of, iou_of_corners
from pose.evaluation.oks import mean_nearness
from pose.keypoints import SIGMAS
from pose.poses import Poses

__all__ = ["DECAY", "Bodies", "compare", "keypoint_similarity", "scores_apart"]

BUFFER: Final = 0.3  # boxes grow on every side by this share of the square root of their area before comparison
KEYPOINT_WEIGHT: Final = 0.5  # of the keypoints in the similarity; boxes have the rest
SEEN: Final = 0.5  # keypoints from this score on take part in a comparison
DOUBLE: Final = 0.5
"""Two skeletons in one frame more alike than this are mostly one person's. Looked at by eye in a street scene: of 24
pairs drawn from 0.5–0.7 one was two people, of 24 from above none; but two people who hug reach 0.7."""
DECAY: Final = 0.5
"""How fast a score fades with the overlap; the paper's σ."""
_MINUS_TWICE_VARIANCES: Final = -2 * (2 * np.array(SIGMAS)) ** 2

Pairs = list[tuple[int, int, float]]
"""Row of the one, row of the other, how alike they are, 0–1."""


@dataclass(slots=True, eq=False)
class Bodies:
    """N people as they are compared: what a comparison would have to do for every pair is done once for everybody.

    Attributes:
        points: float32 `[3, N, 17]`: x, y in px and 1 for a keypoint that is seen, zeros for any other.
        corners: of the boxes, `[4, N]` px, as `corners_of` gives them.
    """

    points: NDArray[np.float32]
    corners: NDArray[np.float64]

    @classmethod
    def of(cls, poses: Poses) -> Bodies:
        """The people of a frame."""
        points = poses.keypoints.transpose(2, 0, 1).copy(order="C")
        seen = points[2] >= SEEN
        points[2] = 1.0
        np.copyto(points, 0.0, where=~seen)
        return cls(points, corners_of(poses.boxes.astype(np.float64)))

    def __len__(self) -> int:
        return self.points.shape[1]


def compare(
    bodies: Bodies, scores: list[float], others: Bodies, slack: NDArray[np.float64], least: float = 0.0
) -> tuple[Pairs, Pairs]:
    """Who of N people of a frame is like whom of T others, and who of the N is perhaps one found twice.

    Like the others, most alike first: half by the boxes, half by the keypoints. Boxes are enlarged before their
    intersection over union is taken (buffered IoU, Yang et al., 2023), so that small, fast people still meet themselves
    at low frame rates. People whose enlarged boxes do not touch are not alike at all and left out.

    Found twice, the better score first and best first: by the keypoints. Suppression by boxes leaves them when the
    network sees a person once whole and once to the hips, or once with a neighbour.

    Both are told from one comparison of everybody with the N: with few people the steps cost, not the pairs.

    Args:
        bodies: the N people.
        scores: theirs, 0–1.
        others: the T others.
        slack: how far they may be from there, px `[T]`.
        least: others less alike are left out too.
    """
    people = len(bodies)
    points = np.concatenate((bodies.points, others.points), axis=1)  # [3, N + T, 17]
    corners = np.concatenate((bodies.corners, others.corners), axis=1)  # [4, N + T]
    area = area_of(corners)
    spread = np.maximum(area, 1.0)[:, None] * _MINUS_TWICE_VARIANCES  # [N + T, 17]
    spread[people:] -= (2 * slack * slack)[:, None]

    overlap = _overlap(corners, area, people)
    rows, columns = overlap.nonzero()
    among = np.count_nonzero(overlap[:people])  # so many pairs, the first ones, are two of the N
    alike = keypoint_similarity(
        points.take(columns, axis=1), points.take(rows, axis=1), spread.astype(np.float32).take(rows, axis=0)
    )
    touching = overlap[rows, columns][among:]
    similarity = touching + KEYPOINT_WEIGHT * (alike[among:] - touching)

    person, other = columns.tolist(), rows.tolist()
    met = zip(person[among:], other[among:], similarity.tolist(), strict=True)
    likely = [(one, another - people, value) for one, another, value in met if value >= least]
    likely.sort(key=itemgetter(2), reverse=True)
    met = zip(person[:among], other[:among], alike[:among].tolist(), strict=True)
    doubles = [pair for pair in met if pair[2] > DOUBLE]
    return likely, _better_first(doubles, bodies, scores) if doubles else []


def _overlap(corners: NDArray[np.float64], area: NDArray[np.float64], people: int) -> NDArray[np.float64]:
    """Buffered IoU of N + T people with the first N: `[N + T, N]`. Two of the N are compared once, in the row of the
    smaller one, and nobody with himself."""
    # The same margin on all sides: an upright person's box is narrow, but that is the way people walk.
    enlarged = corners + BUFFER * np.sqrt(area)
    outer = area_of(enlarged)
    overlap = iou_of_corners(enlarged, outer, enlarged[:, :people], outer[:people])
    among, inner = overlap[:people], area[:people]
    np.putmask(among, inner[:, None] > inner, 0.0)
    among.ravel()[:: people + 1] = 0.0  # the diagonal
    return overlap


def _better_first(pairs: Pairs, bodies: Bodies, scores: list[float]) -> Pairs:
    """Those of the pairs whose boxes overlap as they are, once each: the better score first, and best first."""
    corners = bodies.corners.T.tolist()

    def touch(a: int, b: int) -> bool:
        left, top, right, bottom = map(min, corners[a], corners[b])
        return bool(left + right > 0 and top + bottom > 0)

    def rank(person: int) -> tuple[float, int]:
        return -scores[person], person

    # A set, as two of equal area have been compared twice.
    once = {(a, b, alike) if rank(a) < rank(b) else (b, a, alike) for a, b, alike in pairs if touch(a, b)}
    return sorted(once, key=lambda pair: (rank(pair[0]), rank(pair[1])))


def keypoint_similarity(
    a: NDArray[np.float32], b: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Object keypoint similarity (COCO's OKS) of P pairs of people over the keypoints that both show: `[P]`, 0–1.

    0 where no keypoint is seen in both.

    Args:
        a: keypoints as in `Bodies`, `[3, P, 17]`.
        b: keypoints of the partners, `[3, P, 17]`.
        spread: minus twice the variance granted to each keypoint, square pixels, `[P, 17]`.
    """
    offset = a[:2] - b[:2]
    offset *= offset
    return mean_nearness(offset[0] + offset[1], spread, a[2] * b[2])


def scores_apart(bodies: Bodies, scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """What is left of everybody's score `[N]`, 0–1, beside the better ones in whose place they stand.

    `score · exp(-IoU² / σ)` with the better person whose box overlaps most (Gaussian Soft-NMS, Bodla et al., 2017).
    A weak network finds a person a second time with other limbs, a head lower or to the hips only: the keypoints
    are not alike then, but such a double has a poor score and stands in the place of the first. A child before an
    adult overlaps little by this measure, and of two who embrace each has a score of its own.
    """
    rank = (-scores).argsort(kind="stable").argsort()
    area = area_of(bodies.corners)
    overlap = iou_of_corners(bodies.corners, area, bodies.corners, area)
    overlap *= rank[:, None] < rank  # row of the better one, column of the other
    most = np.maximum.reduce(overlap, 0, initial=0.0)
    return scores.astype(np.float64) * np.exp(-(most**2) / DECAY)
