"""Batches of training pictures without end, prepared ahead by worker processes."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pose.datasets.labelled import LabelledPicture
from pose.keypoints import Keypoint
from pose.training.yolo.augmentation import AugmentationSettings, Recipe, make_recipe
from pose.training.yolo.rendering import render
from pose.training.yolo.targets import Targets

__all__ = ["Batch", "Batches", "picture_weights"]

PREPARED_AHEAD = 4  # batches per worker
SHOULDERS: Final = [Keypoint.LEFT_SHOULDER, Keypoint.RIGHT_SHOULDER]
HIPS: Final = [Keypoint.LEFT_HIP, Keypoint.RIGHT_HIP]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Pictures and the people in them.

    Attributes:
        recipes: one per picture.
        canvases: uint8 `[B, S, S, 3]` RGB; None when they are painted elsewhere. An array, because tensors travel
            between processes through files that a process which is interrupted leaves half handed over.
    """

    recipes: tuple[Recipe, ...]
    canvases: NDArray[np.uint8] | None

    @property
    def targets(self) -> Targets:
        """The people."""
        recipes = self.recipes
        corners = torch.from_numpy(np.concatenate([recipe.boxes for recipe in recipes]))
        return Targets(
            torch.from_numpy(np.repeat(np.arange(len(recipes)), [len(recipe.boxes) for recipe in recipes])),
            torch.cat([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], 1),
            torch.from_numpy(np.concatenate([recipe.keypoints for recipe in recipes])),
            torch.tensor([recipe.complete for recipe in recipes]),
        )

    def __len__(self) -> int:
        return len(self.recipes)


class Batches(IterableDataset[Batch]):
    """Random batches. Iterate over `loader()`.

    Args:
        pictures: all training pictures.
        batch: pictures per batch at `side`; larger pictures come in proportionally smaller batches, so that a batch
            takes the same memory at every size.
        side: of the first batches, pixels. `resize` changes it for those that are not prepared yet.
        stride: sides are multiples of it.
        settings: of the augmentation.
        weights: float `[P]`: how often each picture is drawn, relative to the others.
        incomplete: places of pictures in which not everybody is labelled.
        jitter: the side varies from batch to batch by up to this share, up and down.
        paint: whether to paint the canvases here.
        seed: of all that is random.
    """

    def __init__(
        self,
        pictures: Sequence[LabelledPicture],
        *,
        batch: int,
        side: int,
        stride: int,
        settings: AugmentationSettings,
        weights: NDArray[np.float64] | None = None,
        incomplete: frozenset[int] = frozenset(),
        jitter: float = 0.0,
        paint: bool = True,
        seed: Sequence[int] = (0,),
    ):
        self._pictures = pictures
        self._batch, self._first_side, self._stride = batch, side, stride
        self._settings, self._incomplete, self._jitter, self._paint = settings, incomplete, jitter, paint
        self._seed = tuple(seed)
        chances = np.ones(len(pictures)) if weights is None else np.asarray(weights, np.float64)
        self._cumulative = np.cumsum(chances / chances.sum())
        self._side = torch.tensor([side]).share_memory_()  # seen by the workers

    def resize(self, side: int) -> None:
        """Make the batches that are not begun yet of this size."""
        self._side[0] = side

    def loader(self, workers: int) -> DataLoader[Batch]:
        """Batches from so many worker processes; 0 prepares each one when it is asked for."""
        return DataLoader(
            self,
            batch_size=None,
            num_workers=workers,
            prefetch_factor=PREPARED_AHEAD if workers else None,
            multiprocessing_context="spawn" if workers else None,  # a fork of a process that ran torch can hang
            worker_init_fn=_start_worker,
            collate_fn=_as_it_is,
        )

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        rng = np.random.default_rng([*self._seed, info.id if info else 0])
        while True:
            yield self._make(rng)

    def _make(self, rng: np.random.Generator) -> Batch:
        wanted = int(self._side[0]) * (1 + rng.uniform(-self._jitter, self._jitter))
        side = max(self._stride, round(wanted / self._stride) * self._stride)
        count = max(1, round(self._batch * (self._first_side / side) ** 2))

        def pick() -> int:
            return min(int(np.searchsorted(self._cumulative, rng.random())), len(self._pictures) - 1)

        recipes = tuple(
            make_recipe(self._pictures, pick, side, rng, self._settings, self._incomplete) for _ in range(count)
        )
        canvases = None
        if self._paint:
            canvases = np.stack([render(recipe, self._pictures) for recipe in recipes])
        return Batch(recipes, canvases)


def picture_weights(
    pictures: Sequence[LabelledPicture], by_prefix: Mapping[str, float], lying: float = 1.0
) -> NDArray[np.float64]:
    """How often each picture is drawn, relative to the others.

    Args:
        by_prefix: by the part of the file name before the first `_`; 1 where that is not named.
        lying: and so many times as often where somebody lies, bends down or is upside down.
    """
    return np.array(
        [
            by_prefix.get(picture.path.name.partition("_")[0], 1.0) * (lying if _somebody_lies(picture) else 1.0)
            for picture in pictures
        ]
    )


def _somebody_lies(picture: LabelledPicture) -> bool:
    """Whether the way from somebody's shoulders to the hips is nearer to level than to straight down, or goes up."""
    seen = picture.keypoints[..., 2] > 0  # [N, 17]
    both = seen[:, SHOULDERS].any(1) & seen[:, HIPS].any(1)
    points = np.where(seen[..., None], picture.keypoints[..., :2], np.nan)[both]
    way = np.nanmean(points[:, HIPS], 1) - np.nanmean(points[:, SHOULDERS], 1)  # [M, 2] pixels
    return bool((way[:, 1] < np.abs(way[:, 0])).any())


def _as_it_is(batch: Any) -> Any:
    return batch


def _start_worker(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C reaches the whole group; the trainer ends its workers
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
