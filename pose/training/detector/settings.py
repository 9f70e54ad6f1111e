"""`DetectorTrainingSettings`: everything about the training of a detector that can be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pose.errors import TrainingError
from pose.networks.picodet import STRIDES
from pose.training.detector.detector_loss import DetectorLossSettings
from pose.training.detector.picture_augmentation import DetectorAugmentation
from pose.training.loop_settings import LoopSettings

__all__ = ["DetectorTrainingSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorTrainingSettings(LoopSettings):
    """How to train.

    Attributes:
        learning_rate: the highest, in shares of a filter's size a step. The noise of gradients alone moves filters by
            about √steps of it: PicoDet bears 1 %, at 4 % its AP falls by 0.11.
        sides: of the samples in pixels, multiples of 64, with the share of batches that have it.
        upright_share: of the figure that the best weights are chosen by; the rest is the turned pictures'.
        teacher_degrees: the teacher is followed in samples turned by up to this much before their quarter turns.
        set_weights: how often pictures are drawn, by the name of their set; others 1.
        loss, augmentation: see there.
    """

    learning_rate: float = 5e-4
    warm_up_steps: int = 50
    sides: Mapping[int, float] = field(default_factory=lambda: {320: 0.7, 256: 0.15, 384: 0.1, 192: 0.05})
    upright_share: float = 0.6
    teacher_degrees: float = 15.0
    set_weights: Mapping[str, float] = field(default_factory=dict)
    loss: DetectorLossSettings = field(default_factory=DetectorLossSettings)
    augmentation: DetectorAugmentation = field(default_factory=DetectorAugmentation)

    def __post_init__(self) -> None:
        LoopSettings.__post_init__(self)  # super() does not work in a class with slots
        for side in self.sides:
            if side <= 0 or side % STRIDES[-1]:
                raise TrainingError(f"A side of samples is {side}. Give multiples of {STRIDES[-1]}.")
        if not 0 <= self.upright_share <= 1:
            raise TrainingError(f"upright_share is {self.upright_share}. Give a share from 0 to 1.")
