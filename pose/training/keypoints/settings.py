"""`KeypointTrainingSettings`: everything about the training of a keypoint network that can be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pose.errors import TrainingError
from pose.training.keypoints.crop_augmentation import CropAugmentation
from pose.training.keypoints.heatmap_loss import HeatmapLossSettings

__all__ = ["KeypointTrainingSettings"]


@dataclass(frozen=True, slots=True)
class KeypointTrainingSettings:
    """How to train.

    Attributes:
        epochs: how many times as many samples as there are people.
        minutes: or how long, instead, evaluations and pauses included; the learning rate then falls with the time.
        batch: samples per step.
        learning_rate: the highest; it rises to it and falls as a cosine.
        last_share: of the learning rate at the end.
        warm_up_steps: steps it rises over.
        weight_decay: of convolutions' weights; AdamW's.
        clip: longest gradient, as the norm over all weights.
        average_decay: of the averaged weights, which are what is evaluated and kept.
        evaluations: how many times over the training to evaluate.
        upright_share: of the figure that the best weights are chosen by; the rest is the turned people's.
        teacher_degrees: samples turned by up to this much are also held to the network that training began with.
        set_weights: how often people are drawn, by the name of their set; others 1.
        seed: of all that is random.
        loss, augmentation: see there.

    Raises:
        TrainingError: values that make no training.
    """

    epochs: float = 5.0
    minutes: float | None = None
    batch: int = 16
    learning_rate: float = 4e-4
    last_share: float = 0.02
    warm_up_steps: int = 100
    weight_decay: float = 0.01
    clip: float = 1.0
    average_decay: float = 0.998
    evaluations: int = 10
    upright_share: float = 0.6
    teacher_degrees: float = 15.0
    set_weights: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    loss: HeatmapLossSettings = field(default_factory=HeatmapLossSettings)
    augmentation: CropAugmentation = field(default_factory=CropAugmentation)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise TrainingError(f"{name} is {getattr(self, name)}. Give a number above 0.")
        if self.minutes is not None and not self.minutes > 0:
            raise TrainingError(f"minutes is {self.minutes}. Give a number above 0.")
        if not 0 <= self.upright_share <= 1:
            raise TrainingError(f"upright_share is {self.upright_share}. Give a share from 0 to 1.")
