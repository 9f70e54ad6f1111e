"""`KeypointTrainer`: teaches a network to find the keypoints of the person in a crop."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from pose.inference.crops import SMALL_CROP_SIZE
from pose.training.keypoints.crop_batches import CropBatch, CropBatches, normalised
from pose.training.keypoints.heatmap_loss import HeatmapLoss
from pose.training.keypoints.hold_out import HoldOut
from pose.training.keypoints.packed_crops import PackedCrops
from pose.training.keypoints.settings import KeypointTrainingSettings
from pose.training.keypoints.small_crops import shrunk
from pose.training.loop import TrainingLoop

__all__ = ["KeypointTrainer"]


class KeypointTrainer(TrainingLoop[KeypointTrainingSettings]):
    """Trains a network on packed crops; see `TrainingLoop` for what it keeps in its folder.

    Batches are made in this process, a tenth of a step's time. The network computes in float32: bfloat16 makes its
    backward pass slower (Zen 5, one thread). The teacher has none, and answers in half precision where that is quicker.

    Args:
        network: from crops of `settings.crop_size` to heat maps, with the weights to begin with; changed in place.
        crops: what to learn from.
        folder: where to keep it all; made if it is missing.
        settings: how.
        hold_out: who to judge by; None keeps the last weights as the best.
        teacher: from large crops, `[B, 3, 256, 192]`, to the maps that the network should give where
            `settings.teacher_degrees` asks for them; the network itself, as it is now, so that little is forgotten, or
            `AtSmallCells` of another. None: there are labels only. A copy is kept, on `device`.
        device: where to train.
        header: what weights files say of themselves.

    Raises:
        TrainingError: the folder cannot be used, or the crops and the settings do not fit.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("labels", "teacher")

    def __init__(
        self,
        network: nn.Module,
        crops: PackedCrops,
        folder: str | Path,
        settings: KeypointTrainingSettings | None = None,
        *,
        hold_out: HoldOut | None = None,
        teacher: nn.Module | None = None,
        device: torch.device | None = None,
        header: Mapping[str, str] | None = None,
    ):
        super().__init__(network, len(crops), folder, settings or KeypointTrainingSettings(), device, header)
        self._teacher = None
        if teacher is not None:
            copied = copy.deepcopy(teacher).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._teacher = copied.eval().requires_grad_(False)
        self._hold_out = hold_out
        own = self.settings
        self._batches = CropBatches(crops, own.batch, own.augmentation, own.set_weights, own.seed)
        self._loss = HeatmapLoss(own.loss)

    def _losses(self, step: int) -> tuple[Tensor, Tensor]:
        return self._losses_of(self._batches[step])

    def _losses_of(self, batch: CropBatch) -> tuple[Tensor, Tensor]:
        settings = self.settings
        shown = shrunk(batch) if settings.crop_size == SMALL_CROP_SIZE else batch
        maps = self._network(normalised(shown.pixels, self.device))
        loss = self._loss(maps, torch.from_numpy(shown.keypoints).to(self.device))
        parts = [loss.detach(), torch.zeros_like(loss)]
        asked = np.flatnonzero(
            (np.abs(batch.turns) <= settings.teacher_degrees) & (batch.whole | settings.teacher_covered)
        )
        if self._teacher is not None and len(asked):
            with torch.no_grad(), self._half_precision():
                wanted = self._teacher(normalised(batch.pixels[asked], self.device))
            parted = self._loss.to_teacher(maps[asked], wanted.float()) * (len(asked) / len(maps))
            loss = loss + settings.loss.teacher * parted
            parts[1] = parted.detach()
        return loss, torch.stack(parts)

    def _figures(self, network: nn.Module) -> dict[str, float]:
        if self._hold_out is None:
            return {}
        figures = self._hold_out.judge(network)
        share = self.settings.upright_share
        return figures | {"figure": share * figures["oks_upright"] + (1 - share) * figures["oks_turned"]}
