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
from stream.reading.batcher import FrameBatcher
from stream.settings.model import Settings
from stream.sources.base import Source, open_source

if TYPE_CHECKING:
    from pose.estimator import PoseEstimator

__all__ = [
    "database_prefix",
    "make_batcher",
    "make_estimator",
    "open_from_settings",
    "open_index",
    "warn_of_other_weights",
]

log = logging.getLogger(__name__)


def make_estimator(
    settings: Settings, stage: Callable[[str], AbstractContextManager[object]] | None = None
) -> PoseEstimator:
    """A `PoseEstimator` as the settings want it.

    Args:
        stage: see `PoseEstimator`.

    Raises:
        WeightsMissing, WeightsError, DeviceError: see `PoseEstimator`.
    """
    import torch

    from pose.estimator import PoseEstimator

    wanted = settings.pose
    if wanted.threads is not None:
        torch.set_num_threads(wanted.threads)
    options = {} if stage is None else {"stage": stage}
    return PoseEstimator(
        wanted.weights,
        network=wanted.network,
        device=wanted.device,
        precision=wanted.precision,
        image_size=wanted.image_size,
        person_threshold=wanted.person_threshold,
        iou_threshold=wanted.iou_threshold,
        batch_size=wanted.batch_size,
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


def open_from_settings(address: str | int | Path, settings: Settings) -> Source:
    """Open a source as the settings want it.

    Raises:
        SourceError: see `open_source`.
    """
    return open_source(address, settings.source)


def make_batcher(
    sources: Sequence[Source], stage: Callable[[str], AbstractContextManager[object]] | None = None
) -> FrameBatcher:
    """A `FrameBatcher` of open sources, which reads them as soon as it is entered.

    Raises:
        SourceError: two sources have one name.
    """
    names = [source.name for source in sources]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SourceError(f"Two sources are called {twice}. Give them names: left={twice} right=….")
    return FrameBatcher(sources, stage=stage or nullcontext)


def warn_of_other_weights(index: PostureIndex, estimator: PoseEstimator) -> None:
    """Say it in one line when the rows of the database come from other weights: distances then mean less."""
    if index.networks and (estimator.network, estimator.weights_digest) not in index.networks:
        built_with = ", ".join(f"{name} ({digest[:12]})" for name, digest in index.networks)
        log.warning(
            "The database was built with %s, the network in use is %s (%s): classifications may be less certain.",
            built_with,
            estimator.network,
            estimator.weights_digest[:12],
        )
