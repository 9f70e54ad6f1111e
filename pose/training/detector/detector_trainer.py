"""`DetectorTrainer`: teaches a network where the people in a picture are."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from pose.datasets.labelled import LabelledPicture
from pose.errors import TrainingError
from pose.networks.picodet import Level, PicoDet, candidates
from pose.training.detector.box_hold_out import BoxHoldOut, detector_input
from pose.training.detector.detector_loss import DetectorLoss, turned_levels
from pose.training.detector.picture_batches import PictureBatches
from pose.training.detector.settings import DetectorTrainingSettings
from pose.training.fast_gradients import use_fast_gradients
from pose.training.loop import TrainingLoop
from pose.training.relative_adamw import RelativeAdamW

__all__ = ["DetectorTrainer"]


class DetectorTrainer(TrainingLoop[DetectorTrainingSettings]):
    """Trains a detector on labelled pictures; see `TrainingLoop` for what it keeps in its folder.

    Args:
        network: with the weights to begin with; changed in place.
        pictures: what to learn from; crowds are ignored.
        folder: where to keep it all; made if it is missing.
        settings: how.
        hold_out: pictures to judge by; None keeps the last weights as the best.
        teach_itself: whether the network as it is now is a teacher: its answer to the upright picture, turned with it.
        device: where to train.
        header: what weights files say of themselves.

    Raises:
        TrainingError: nobody is labelled, or the folder cannot be used.
    """

    PARTS: ClassVar[tuple[str, ...]] = DetectorLoss.PARTS
    OPTIMISER: ClassVar[type[torch.optim.AdamW]] = RelativeAdamW

    def __init__(
        self,
        network: PicoDet,
        pictures: Sequence[LabelledPicture],
        folder: str | Path,
        settings: DetectorTrainingSettings | None = None,
        *,
        hold_out: BoxHoldOut | None = None,
        teach_itself: bool = True,
        device: torch.device | None = None,
        header: Mapping[str, str] | None = None,
    ):
        if not any((~picture.crowd).any() for picture in pictures):
            raise TrainingError(
                f"Nobody is labelled in {len(pictures)} pictures. See `stance train --help` for formats."
            )
        super().__init__(network, len(pictures), folder, settings or DetectorTrainingSettings(), device, header)
        if self.device.type == "cpu":
            use_fast_gradients(self._network)
        self._teacher = copy.deepcopy(self._network).eval().requires_grad_(False) if teach_itself else None
        self._hold_out = hold_out
        own = self.settings
        self._batches = PictureBatches(pictures, own.batch, own.sides, own.augmentation, own.set_weights, own.seed)
        self._loss = DetectorLoss(own.loss)

    def _losses(self, step: int) -> tuple[Tensor, Tensor]:
        batch = self._batches[step]
        turns = torch.from_numpy(batch.quarter_turns).to(self.device)
        turned = np.stack([np.rot90(p, -k) for p, k in zip(batch.pixels, batch.quarter_turns, strict=True)])
        teacher = taught = None
        with self._half_precision():
            if self._teacher is not None:
                with torch.no_grad():
                    levels = self._teacher(detector_input(batch.pixels, self.device))
                teacher = candidates(_precise(turned_levels(levels, turns)))
                taught = torch.from_numpy(np.abs(batch.degrees) <= self.settings.teacher_degrees).to(self.device)
            levels = self._network(detector_input(turned, self.device))
        return self._loss(
            candidates(_precise(levels)), batch.boxes.to(self.device), batch.ignored.to(self.device), teacher, taught
        )

    def _figures(self, network: nn.Module) -> dict[str, float]:
        if self._hold_out is None:
            return {}
        figures = self._hold_out.judge(network)
        share = self.settings.upright_share
        return figures | {"figure": share * figures["ap_upright"] + (1 - share) * figures["ap_turned"]}


def _precise(levels: Sequence[Level]) -> list[Level]:
    return [Level(*(part.float() for part in level)) for level in levels]
