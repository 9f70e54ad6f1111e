"""`LazyEstimator`: the network, loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from index import PostureIndex
from index.building.build import Estimator
from stream.assembly import make_estimator, warn_of_other_weights

if TYPE_CHECKING:
    from stream.settings.model import Settings

__all__ = ["LazyEstimator"]


class LazyEstimator:
    """The network, loaded when the first batch needs it: faults of folders and databases are told before that wait.

    Args:
        settings: what network, and where it runs.
        index: a database to warn about if other weights built it.
    """

    def __init__(self, settings: Settings, index: PostureIndex | None = None) -> None:
        self._settings = settings
        self._index = index
        self._estimator: Estimator | None = None

    def _loaded(self) -> Estimator:
        if self._estimator is None:
            estimator = make_estimator(self._settings)
            if self._index is not None:
                warn_of_other_weights(self._index, estimator)
            self._estimator = estimator
        return self._estimator

    @property
    def parts(self) -> Sequence[tuple[str, str]]:
        return self._loaded().parts

    @property
    def batch_size(self) -> int:
        return self._loaded().batch_size

    def __call__(self, frames: Any, /) -> Any:
        return self._loaded()(frames)
