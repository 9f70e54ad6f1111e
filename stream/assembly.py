"""From settings to parts: the estimator and the database a run needs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from index import PostureIndex, choose_prefix
from index.storage.store import DEFAULT_PREFIX
from stream.errors import SourceError
from stream.settings.model import Settings

if TYPE_CHECKING:
    from pose.estimator import PoseEstimator
    from stream.reading.scheduler import Scheduler
    from stream.sources.base import Source

__all__ = [
    "database_prefix",
    "make_estimator",
    "make_scheduler",
    "open_from_settings",
    "open_index",
    "warn_of_other_weights",
]

log = logging.getLogger(__name__)


def make_estimator(
    settings: Settings,
    stage: Callable[[str], AbstractContextManager[object]] | None = None,
    *,
    judging: bool = False,
) -> PoseEstimator:
    """A `PoseEstimator` as the settings want it.

    Args:
        stage: see `PoseEstimator`.
        judging: whether average precision is to be measured, see `PoseEstimator`.

    Raises:
        WeightsMissing, WeightsError, DeviceError: see `PoseEstimator`.
    """
    from pose.estimator import PoseEstimator

    wanted = settings.pose
    options = {} if stage is None else {"stage": stage}
    return PoseEstimator(
        wanted.weights,
        network=wanted.network,
        device=wanted.device,
        precision=wanted.precision,
        runtime=wanted.runtime,
        threads=wanted.threads,
        image_size=wanted.image_size,
        person_threshold=wanted.person_threshold,
        high_score_threshold=wanted.high_score_threshold,
        iou_threshold=wanted.iou_threshold,
        max_people=wanted.max_people,
        batch_size=wanted.batch_size,
        judging=judging,
        **options,
    )


def database_prefix(settings: Settings, given: str | None = None) -> Path:
    """The database to read: `given`, else the one the settings name, else the starter database."""
    if given is None and settings.index.path != DEFAULT_PREFIX:
        given = settings.index.path
    return choose_prefix(given)


def open_index(settings: Settings, given: str | None = None) -> PostureIndex:
    """The database to read, loaded.

    Raises:
        DatabaseError: it is missing or damaged.
    """
    return PostureIndex.load(database_prefix(settings, given), device=settings.index.device)


def open_from_settings(address: str | int | Path, settings: Settings, *, sources: int = 1) -> Source:
    """Open a source as the settings want it; see `open_source`.

    Raises:
        SourceError: see `open_source`.
    """
    from stream.sources.opening import open_source

    return open_source(address, settings.source, sources=sources)


def make_scheduler(
    sources: Sequence[Source], stage: Callable[[str], AbstractContextManager[object]] | None = None
) -> Scheduler:
    """A `Scheduler` of open sources, which reads them as soon as it is entered.

    Raises:
        SourceError: two sources have one name.
    """
    from stream.reading.scheduler import Scheduler

    names = [source.name for source in sources]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SourceError(f"Two sources are called {twice}. Give them names: left={twice} right=….")
    return Scheduler(sources, stage=stage or nullcontext)


def warn_of_other_weights(index: PostureIndex, estimator: PoseEstimator) -> None:
    """Say it in one line when the rows of the database come from other weights: distances then mean less."""
    if index.networks and not set(estimator.parts) <= set(index.networks):
        built_with = ", ".join(f"{name} ({digest[:12]})" for name, digest in index.networks)
        in_use = ", ".join(f"{name} ({digest[:12]})" for name, digest in estimator.parts)
        log.warning(
            "The database was built with %s, in use are %s: probabilities may be less certain.", built_with, in_use
        )
