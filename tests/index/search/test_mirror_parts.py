"""Both sides of every row from the even and odd parts, against a plain reading in double precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from index.search.mirror_parts import MirrorParts
from pose.embeddings.gravity59 import mirrored, seen
from pose.embeddings.registry import get_embedding
from tests.index.search.test_nearest import people

DIMENSION = get_embedding("gravity59").dimension


def swapped(rows: np.ndarray) -> np.ndarray:
    """Another mirror: the two halves of the numbers change places, one with the other sign; the last number stays."""
    side = rows.shape[1] // 2
    return np.concatenate((-rows[:, side : 2 * side], -rows[:, :side], rows[:, 2 * side :]), axis=1)


@pytest.mark.parametrize("mirror", [mirrored, swapped, None])
@pytest.mark.parametrize("rows", [1, 33, 500])
@pytest.mark.parametrize("count", [1, 2, 5, 20, 300])
def test_a_plain_reading_agrees(count: int, rows: int, mirror: Callable[[np.ndarray], np.ndarray] | None) -> None:
    known, queries = people(rows, 0, 0.3), people(count, 1, 0.3)
    weights = seen(queries)
    middle, lean, noise = MirrorParts.of(known, mirror).compared(queries, weights)
    assert middle.shape == lean.shape == (count, rows)
    own = (weights.astype(float) ** 2 * queries.astype(float) ** 2).sum(axis=1)[:, None]
    as_it_is, in_mirror = (
        (((side[None].astype(float) - queries[:, None]) * weights[:, None]) ** 2).sum(axis=-1) - own
        for side in (known, known if mirror is None else mirror(known))
    )
    np.testing.assert_allclose(middle + lean, as_it_is, atol=2e-4)  # of sums of some 100
    np.testing.assert_allclose(middle - lean, in_mirror, atol=2e-4)
    assert (np.abs(lean - (as_it_is - in_mirror) / 2) <= noise[:, None]).all()


@pytest.mark.parametrize("mirror", [mirrored, swapped, None])
def test_both_sides_cost_what_one_side_has(mirror: Callable[[np.ndarray], np.ndarray] | None) -> None:
    parts = MirrorParts.of(people(10, 0), mirror)
    assert len(parts.even) + len(parts.odd) == 2 * DIMENSION
    assert (len(parts.odd) == 0) == (mirror is None)
    np.testing.assert_allclose(parts.directions.T @ parts.directions, np.eye(2 * DIMENSION), atol=1e-6)
