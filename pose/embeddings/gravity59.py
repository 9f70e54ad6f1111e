"""`gravity59`: an embedding that sees which way is up, and that can be compared on the part of a person that is seen.

Its numbers are the places of the joints and the directions of the limbs in the upright picture, in units of the
person's size, so that lying and standing lie far apart. What a keypoint's score says is hidden becomes zero, and the
last 13 numbers say how well every joint is seen. Chosen on held-back parts of the training pictures of everyday and of
yoga postures; angles and heights beside these numbers made nothing better, a learned linear map made it worse.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import Keypoint as K

__all__ = ["DIMENSION", "VERSION", "gravity59", "mirrored", "seen"]

DIMENSION: Final = 59
VERSION: Final = 1

HIDDEN_SCORE: Final = 0.2
"""A keypoint of this score or less counts as not seen, …"""
SEEN_SCORE: Final = 0.5
"""… from this score on it counts fully; in between in part."""
SIZE_SHARE: Final = 0.6
"""The size is the 60th percentile of what the limbs say it is: limbs only ever look too short, but a keypoint that is
far off makes two of them too long."""
SEEN_WEIGHT: Final = 2.0
HIDDEN_COUNTS: Final = 0.2
"""How much it counts that a point is hidden. At 1 a person behind a desk is like whoever else has hidden legs: with the
legs of held-back people hidden, 34 % of them get the right label, instead of 73 %. It has a price, as some postures
hide legs: of people seen as they are, 87.4 % get the right label, 88.5 % at 1, 87.2 % at 0 (training pictures of
everyday postures, held back in turn)."""
EPSILON: Final = 1e-6

# The 13 points: the head, then left and right shoulder, elbow, wrist, hip, knee and ankle. Two more stand for the pairs
# at either end of the torso.
_POINTS: Final = 13
_LEFT, _RIGHT = list(range(1, _POINTS, 2)), list(range(2, _POINTS, 2))
_LEFT_OF_PAIRS, _RIGHT_OF_PAIRS = slice(1, 8, 6), slice(2, 9, 6)  # shoulder and hip
_SHOULDERS, _HIPS = _POINTS, _POINTS + 1

# From where to where: the places, the directions, and what else has a length that is known.
_LIMBS: Final = ((1, 3), (2, 4), (3, 5), (4, 6), (7, 9), (8, 10), (9, 11), (10, 12))
_LINES: Final = np.array(
    [
        *((_SHOULDERS, point) for point in range(_POINTS)),
        *((_HIPS, _SHOULDERS), (_SHOULDERS, 0), *_LIMBS),
        *((7, 1), (8, 2), (1, 2)),
    ]
)
_FROM, _TO = _LINES.T
_NUMBERS: Final = 23
"""So many lines give two numbers each."""
_MEASURED: Final = slice(14, None)
_LENGTHS: Final = np.array([0.5, 0.62, 0.62, 0.52, 0.52, 0.85, 0.85, 0.85, 0.85, 1.0, 1.0, 0.75])
"""Of neck, limbs, both sides of the torso and shoulders, seen in full, over the length of the torso."""

# Mean y, spread of x, spread of y of each pair of points and limbs, over the training pictures and their mirror images,
# so that every number weighs alike and zero means "as on average". Mean x of the left one; the right one has the other
# sign.
_POINT_STATISTICS: Final = (
    (0.00, -0.26, 0.21, 0.26),  # head
    (0.18, 0.00, 0.22, 0.10),  # shoulders
    (0.28, 0.28, 0.42, 0.46),  # elbows
    (0.27, 0.37, 0.60, 0.77),  # wrists
    (0.12, 0.75, 0.53, 0.65),  # hips
    (0.20, 1.26, 0.91, 0.74),  # knees
    (0.19, 1.81, 1.25, 0.89),  # ankles
)
_LIMB_STATISTICS: Final = (
    (0.00, -0.76, 0.51, 0.64),  # hips to shoulders
    (0.00, -0.27, 0.21, 0.25),  # shoulders to head
    (0.10, 0.28, 0.27, 0.43),  # upper arms
    (-0.01, 0.09, 0.31, 0.37),  # forearms
    (0.08, 0.51, 0.49, 0.36),  # thighs
    (-0.01, 0.57, 0.46, 0.35),  # shins
)


def _table(statistics: tuple[tuple[float, float, float, float], ...], single: int) -> tuple[NDArray[np.float64], ...]:
    """Mean and spread, each `[n, 2]`: the first `single` lines stand for one thing, the others for left and right."""
    mean, spread = [], []
    for number, (x, y, spread_x, spread_y) in enumerate(statistics):
        for side in (1, -1)[: 1 if number < single else 2]:
            mean.append((side * x, y))
            spread.append((spread_x, spread_y))
    return np.array(mean), np.array(spread)


_MEAN, _SPREAD = (
    np.concatenate(both) for both in zip(_table(_POINT_STATISTICS, 1), _table(_LIMB_STATISTICS, 2), strict=True)
)  # each [23, 2]


def _mirror_order() -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Where each number of the mirror image comes from, and its sign, each `[59]`."""
    swapped = np.arange(_POINTS)
    swapped[_LEFT], swapped[_RIGHT] = _RIGHT, _LEFT
    limbs = np.array([0, 1, 3, 2, 5, 4, 7, 6, 9, 8])
    lines = np.concatenate((swapped, limbs + _POINTS))  # [23]
    order = np.concatenate(((lines[:, None] * 2 + [0, 1]).ravel(), swapped + 2 * _NUMBERS))
    sign = np.concatenate((np.tile([-1.0, 1.0], _NUMBERS), np.ones(_POINTS)))
    return order, sign.astype(np.float32)


_MIRROR_FROM, _MIRROR_SIGN = _mirror_order()


def gravity59(keypoints: NDArray[np.floating]) -> NDArray[np.float32]:
    """Joints and limbs in the upright picture: 59 numbers per person, each about −3…3.

    In this order: x, y from the middle of the shoulders to the head, the shoulders, elbows, wrists, hips, knees and
    ankles (left before right), 26 numbers; x, y from the middle of the hips to that of the shoulders, from there to the
    head, and along the upper arms, forearms, thighs and shins, 20 numbers; how well each of the 13 points is seen, 0–2.
    The first 46 are in units of the person's size, less their mean over many postures, over their spread there, times
    how well the points that take part are seen. The head is the mean of nose, eyes and ears, weighted by score squared.

    The numbers do not change when the person is moved or scaled. Turning changes them: gravity matters. A keypoint that
    is not seen takes no part, wherever it is said to be.

    Args:
        keypoints: `[N, 17, 3]`: x, y in any one unit with y down, score in 0–1.

    Returns:
        float32 `[N, 59]`; NaN where neither shoulder or no limb is seen, as then there is no place or size to start
        from.
    """
    keypoints = np.asarray(keypoints, np.float64)
    people = len(keypoints)
    score = keypoints[..., 2]
    visible = np.minimum(np.maximum((score - HIDDEN_SCORE) / (SEEN_SCORE - HIDDEN_SCORE), 0.0), 1.0)  # [N, 17]
    finite = np.isfinite(keypoints)
    if not finite.all():
        visible = np.where(finite.all(-1), visible, 0.0)
    xy = np.where(visible[..., None] > 0, keypoints[..., :2], 0.0)
    of_head = slice(K.LEFT_SHOULDER)
    weight = np.where(visible[:, of_head] > 0, score[:, of_head], 0.0)[..., None]  # [N, 5, 1]
    weight *= weight

    points: NDArray[np.float64] = np.empty((people, _POINTS + 2, 2))
    points[:, 0] = (xy[:, of_head] * weight).sum(1) / np.maximum(weight.sum(1), EPSILON)
    points[:, 1:_POINTS] = xy[:, K.LEFT_SHOULDER :]
    certain = _certain(visible[:, of_head].max(1), visible[:, K.LEFT_SHOULDER :])  # [N, 15]
    # Where one of a pair is hidden, the other stands for both: seen from the side they are one place.
    left, right = certain[:, _LEFT_OF_PAIRS, None], certain[:, _RIGHT_OF_PAIRS, None]  # [N, 2, 1]
    both = points[:, _LEFT_OF_PAIRS] * left + points[:, _RIGHT_OF_PAIRS] * right
    points[:, _POINTS:] = both / np.maximum(left + right, EPSILON)

    lines = points.take(_TO, axis=1) - points.take(_FROM, axis=1)  # [N, 26, 2]
    lines_seen = np.minimum(certain.take(_TO, axis=1), certain.take(_FROM, axis=1))  # [N, 26]
    lengths = np.sqrt((lines[:, _MEASURED] ** 2).sum(-1)) / _LENGTHS
    size = _weighted_percentile(lengths, lines_seen[:, _MEASURED])
    size[certain[:, _SHOULDERS] == 0] = np.nan
    numbers = lines[:, :_NUMBERS] / size[:, None, None]
    numbers -= _MEAN
    numbers /= _SPREAD
    numbers *= lines_seen[:, :_NUMBERS, None]
    rows: NDArray[np.float32] = np.empty((people, DIMENSION), np.float32)
    rows[:, : 2 * _NUMBERS] = numbers.reshape(people, 2 * _NUMBERS)
    rows[:, 2 * _NUMBERS :] = SEEN_WEIGHT * certain[:, :_POINTS]
    rows[np.isnan(size)] = np.nan
    return rows


def mirrored(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows `[N, 59]` of the mirror images of these people."""
    return rows.take(_MIRROR_FROM, axis=1) * _MIRROR_SIGN


def seen(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each number counts, 0–1: how well what it is made of is seen. float32 `[N, 59]`, from the rows alone."""
    points = rows[:, -_POINTS:] / SEEN_WEIGHT  # [N, 13]
    certain = _certain(points[:, 0], points[:, 1:])
    lines = np.minimum(certain.take(_TO[:_NUMBERS], axis=1), certain.take(_FROM[:_NUMBERS], axis=1))  # [N, 23]
    return np.concatenate(
        (lines.repeat(2, axis=1), HIDDEN_COUNTS + (1.0 - HIDDEN_COUNTS) * points), axis=1, dtype=np.float32
    )


def _certain(head: NDArray[Any], body: NDArray[Any]) -> NDArray[Any]:
    """How well every point is seen, `[N, 15]`, from the head's `[N]` and that of the 12 others; a pair as its better
    half."""
    certain = np.empty((len(body), _POINTS + 2), body.dtype)
    certain[:, 0], certain[:, 1:_POINTS] = head, body
    certain[:, _POINTS:] = np.maximum(certain[:, _LEFT_OF_PAIRS], certain[:, _RIGHT_OF_PAIRS])
    return certain


def _weighted_percentile(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The `SIZE_SHARE` percentile of every row, `[N]`; NaN where nothing has weight or all lengths are zero."""
    row = np.arange(len(values))
    order = values.argsort(axis=1)
    order += values.shape[1] * row[:, None]  # places in the flattened array, as `take` is quick
    reached = weights.take(order).cumsum(axis=1)
    total = reached[:, -1]
    place = (reached >= SIZE_SHARE * total[:, None]).argmax(axis=1)
    found = values.take(order[row, place])
    found[(total <= 0) | (found <= EPSILON)] = np.nan
    return found
