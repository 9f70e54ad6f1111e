"""`KeypointTrainingSettings`: everything about the training of a keypoint network that can be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pose.errors import TrainingError
from pose.training.keypoints.crop_augmentation import CropAugmentation
from pose.training.keypoints.heatmap_loss import HeatmapLossSettings
from pose.training.loop_settings import LoopSettings

__all__ = ["KeypointTrainingSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointTrainingSettings(LoopSettings):
    """How to train. An epoch is as many samples as there are people.

    Attributes:
        upright_share: of the figure that the best weights are chosen by; the rest is the turned people's.
        teacher_degrees: samples turned by up to this much are also held to the network that training began with.
        set_weights: how often people are drawn, by the name of their set; others 1.
        loss, augmentation: see there.

    Raises:
        TrainingError: values that make no training.
    """

    upright_share: float = 0.6
    teacher_degrees: float = 15.0
    set_weights: Mapping[str, float] = field(default_factory=dict)
    loss: HeatmapLossSettings = field(default_factory=HeatmapLossSettings)
    augmentation: CropAugmentation = field(default_factory=CropAugmentation)

    def __post_init__(self) -> None:
        LoopSettings.__post_init__(self)  # super() does not work in a class with slots
        if not 0 <= self.upright_share <= 1:
            raise TrainingError(f"upright_share is {self.upright_share}. Give a share from 0 to 1.")
