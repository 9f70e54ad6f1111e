"""`Matches`: the nearest rows that a search found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEAREST", "Matches"]

NEAREST: Final = 5
"""So many of the neighbours are named in a classification, and their median distance is its distance."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The nearest rows of a database for N people. Read-only.

    Attributes:
        entries: int64 `[N, k]`: rows of the database, nearest first; −1 where there is none.
        distances: float32 `[N, k]`: Euclidean, in units of the embedding; NaN where there is none.
        mutual: float32 `[N, k, k]`: squared distances between a person's neighbours, NaN where there is none; None
            where nobody measured them.

    Raises:
        ValueError: the arrays do not have these shapes.
    """

    entries: NDArray[np.int64]
    distances: NDArray[np.float32]
    mutual: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for name, dtype in (("entries", np.int64), ("distances", np.float32), ("mutual", np.float32)):
            given = getattr(self, name)
            if given is None:
                continue
            array = np.ascontiguousarray(given, dtype=dtype)
            if array is given:
                array = array.view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if self.entries.ndim != 2 or self.entries.shape != self.distances.shape:
            raise ValueError(f"entries {self.entries.shape} and distances {self.distances.shape}, expected [N, k]")
        if self.mutual is not None and self.mutual.shape != (*self.entries.shape, self.entries.shape[1]):
            raise ValueError(f"mutual {self.mutual.shape}, expected [N, k, k] with entries {self.entries.shape}")

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"Matches(people={self.entries.shape[0]}, k={self.entries.shape[1]})"
