"""`SmallCropTrainingSettings`: as `KeypointTrainingSettings`, with what suits the network for small crops."""

from __future__ import annotations

from dataclasses import dataclass, field

from pose.inference.crops import SMALL_CROP_SIZE
from pose.training.keypoints.crop_augmentation import CropAugmentation
from pose.training.keypoints.heatmap_loss import HeatmapLossSettings
from pose.training.keypoints.settings import KeypointTrainingSettings

__all__ = ["SmallCropTrainingSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallCropTrainingSettings(KeypointTrainingSettings):
    """How to train on small crops with the network for large ones as the teacher.

    That teacher knows more than the labels say, so it is asked about nearly every sample, and the learning rate is
    higher than where little must be forgotten. In video, crops of people who are turned are turned with them, so most
    samples are upright and the best weights are chosen by upright people alone.
    """

    crop_size: tuple[int, int] = SMALL_CROP_SIZE
    learning_rate: float = 4e-4
    batch: int = 32
    average_decay: float = 0.995
    upright_share: float = 1.0
    teacher_degrees: float = 60.0
    teacher_covered: bool = True
    loss: HeatmapLossSettings = field(
        default_factory=lambda: HeatmapLossSettings(sigma=1.5, teacher=1.0)  # 2 cells of a large crop are 1.5 here
    )
    augmentation: CropAugmentation = field(
        default_factory=lambda: CropAugmentation(any_turn=0.1, tilt=0.2, half_body=0.15, scale=(0.75, 1.25), shift=0.12)
    )
