"""`KeypointTrainingSettings`: everything about the training of a keypoint network that can be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pose.errors import TrainingError
from pose.inference.crops import CROP_SIZE, SMALL_CROP_SIZE
from pose.training.keypoints.crop_augmentation import CropAugmentation
from pose.training.keypoints.heatmap_loss import HeatmapLossSettings
from pose.training.loop_settings import LoopSettings

__all__ = ["KeypointTrainingSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointTrainingSettings(LoopSettings):
    """How to train. An epoch is as many samples as there are people.

    Attributes:
        learning_rate: the highest. With 4e-4 and a teacher of 0.5, TinyPose's OKS of upright people fell from 0.787 to
            0.754 in 4,128 samples; with 8e-5 and a teacher of 1.5 it came back to 0.787 (12,320 samples).
        crop_size: width and height in pixels of what the network is shown, `CROP_SIZE` or `SMALL_CROP_SIZE`. Samples
            are made as large crops; small ones are these, shrunk.
        upright_share: of the figure that the best weights are chosen by; the rest is the turned people's.
        teacher_degrees: samples turned by up to this much are also held to the teacher's answer.
        teacher_covered: whether those in which something covers the person are held to it, too.
        set_weights: how often people are drawn, by the name of their set; others 1.
        loss, augmentation: see there.

    Raises:
        TrainingError: values that make no training.
    """

    learning_rate: float = 1e-4
    crop_size: tuple[int, int] = CROP_SIZE
    upright_share: float = 0.6
    teacher_degrees: float = 15.0
    teacher_covered: bool = False
    set_weights: Mapping[str, float] = field(default_factory=dict)
    loss: HeatmapLossSettings = field(default_factory=HeatmapLossSettings)
    augmentation: CropAugmentation = field(default_factory=CropAugmentation)

    def __post_init__(self) -> None:
        LoopSettings.__post_init__(self)  # super() does not work in a class with slots
        if self.crop_size not in (CROP_SIZE, SMALL_CROP_SIZE):
            raise TrainingError(f"crop_size is {self.crop_size}. Give {CROP_SIZE} or {SMALL_CROP_SIZE}.")
        if not 0 <= self.upright_share <= 1:
            raise TrainingError(f"upright_share is {self.upright_share}. Give a share from 0 to 1.")
