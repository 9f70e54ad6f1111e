"""`KeypointTrainer`: teaches a network to find the keypoints of the person in a crop."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from pose.training.keypoints.crop_batches import CropBatch, CropBatches, normalised
from pose.training.keypoints.heatmap_loss import HeatmapLoss
from pose.training.keypoints.hold_out import HoldOut
from pose.training.keypoints.packed_crops import PackedCrops
from pose.training.keypoints.settings import KeypointTrainingSettings
from pose.training.loop import TrainingLoop

__all__ = ["KeypointTrainer"]


class KeypointTrainer(TrainingLoop[KeypointTrainingSettings]):
    """Trains a network on packed crops; see `TrainingLoop` for what it keeps in its folder.

    Batches are made in this process, a tenth of a step's time. Computes in float32: bfloat16 makes the network's
    backward pass slower (Zen 5, one thread).

    Args:
        network: from crops to heat maps, with the weights to begin with; changed in place.
        crops: what to learn from.
        folder: where to keep it all; made if it is missing.
        settings: how.
        hold_out: who to judge by; None keeps the last weights as the best.
        teach_itself: whether the network as it is now is the teacher of upright samples, so that little is forgotten.
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
        teach_itself: bool = True,
        device: torch.device | None = None,
        header: Mapping[str, str] | None = None,
    ):
        super().__init__(network, len(crops), folder, settings or KeypointTrainingSettings(), device, header)
        self._teacher = copy.deepcopy(self._network).eval().requires_grad_(False) if teach_itself else None
        self._hold_out = hold_out
        own = self.settings
        self._batches = CropBatches(crops, own.batch, own.augmentation, own.set_weights, own.seed)
        self._loss = HeatmapLoss(own.loss)

    def _losses(self, step: int) -> tuple[Tensor, Tensor]:
        return self._losses_of(self._batches[step])

    def _losses_of(self, batch: CropBatch) -> tuple[Tensor, Tensor]:
        x = normalised(batch.pixels, self.device)
        maps = self._network(x)
        loss = self._loss(maps, torch.from_numpy(batch.keypoints).to(self.device))
        parts = [loss.detach(), torch.zeros_like(loss)]
        upright = np.flatnonzero((np.abs(batch.turns) <= self.settings.teacher_degrees) & batch.whole)
        if self._teacher is not None and len(upright):
            with torch.no_grad():
                wanted = self._teacher(x[upright])
            parted = self._loss.to_teacher(maps[upright], wanted) * (len(upright) / len(x))
            loss = loss + self.settings.loss.teacher * parted
            parts[1] = parted.detach()
        return loss, torch.stack(parts)

    def _figures(self, network: nn.Module) -> dict[str, float]:
        if self._hold_out is None:
            return {}
        figures = self._hold_out.judge(network)
        share = self.settings.upright_share
        return figures | {"figure": share * figures["oks_upright"] + (1 - share) * figures["oks_turned"]}
