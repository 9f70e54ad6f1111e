"""Small worlds for the database: a few clusters whose neighbours are known, and the real data where it lies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index import Examples


@pytest.fixture
def seed_prefix(shared: Path) -> Path:
    """A real pair that an earlier tool wrote: 61 rows."""
    return shared / "seed_index" / "pose_index"


@pytest.fixture
def clusters() -> tuple[np.ndarray, list[str]]:
    """Thirty rows in three tight clusters, ten each: standing around 0.2, sitting around 0.5, lying around 0.8."""
    random = np.random.default_rng(0)
    centres = np.repeat([0.2, 0.5, 0.8], 10)[:, None]
    rows = (centres + random.normal(0, 0.01, (30, 25))).astype(np.float32)
    return rows, ["standing"] * 10 + ["sitting"] * 10 + ["lying"] * 10


@pytest.fixture
def pictures_of():
    """Origins of rows, one picture each: `pictures_of(["a", "b"])`."""

    def make(names: list[str], people: list[int] | None = None) -> Examples:
        count = len(names)
        return Examples(
            tuple(f"pictures/{name}.jpg" for name in names),
            tuple(f"{name:0>64}" for name in names),
            np.array(people or [0] * count, np.int32),
            np.arange(count * 51, dtype=np.float32).reshape(count, 17, 3),
            np.tile(np.float32([1, 2, 30, 40]), (count, 1)),
            np.tile(np.int32([480, 640]), (count, 1)),
        )

    return make
