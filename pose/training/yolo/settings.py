"""`TrainingSettings`: everything about a training that can be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pose.errors import TrainingError
from pose.training.loop_settings import LoopSettings
from pose.training.yolo.augmentation import AugmentationSettings
from pose.training.yolo.loss import LossSettings

__all__ = ["TrainingSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings(LoopSettings):
    """How to train. An epoch is as many samples as there are pictures.

    Attributes:
        sizes: from which share of the training on which picture size, pixels: small pictures first, because they are
            cheap and teach most of it.
        batch: pictures per step at the first size; larger pictures come in smaller batches.
        jitter: the size varies from batch to batch by up to this share.
        evaluation_size: longest side in pixels at an evaluation.
        set_weights: how often pictures are drawn, by the part of the file name before the first `_`; others 1.
        lying_weight: and how often, besides, those in which somebody lies, bends down or is upside down: such people
            are rare in pictures of everyday life, and a network that sees few of them learns to score them low.
        incomplete: such parts of file names of pictures in which not everybody is labelled.
        loss, augmentation: see there.

    Raises:
        TrainingError: values that make no training.
    """

    epochs: float = 30.0
    sizes: tuple[tuple[float, int], ...] = ((0.0, 192), (0.5, 256), (0.85, 320))
    batch: int = 32
    jitter: float = 0.2
    learning_rate: float = 2e-3
    warm_up_steps: int = 300
    weight_decay: float = 0.02
    clip: float = 10.0
    average_decay: float = 0.999
    evaluations: int = 8
    evaluation_size: int = 640
    set_weights: Mapping[str, float] = field(default_factory=dict)
    lying_weight: float = 1.0
    incomplete: frozenset[str] = frozenset()
    loss: LossSettings = field(default_factory=LossSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)

    def __post_init__(self) -> None:
        LoopSettings.__post_init__(self)  # super() does not work in a class with slots
        shares = [share for share, _ in self.sizes]
        if not shares or shares[0] != 0 or shares != sorted(shares) or shares[-1] >= 1:
            raise TrainingError(
                f"sizes {self.sizes}: give SHARE:PIXELS pairs with rising shares from 0 on, as in 0:192,0.5:256."
            )
        if any(size < 64 for _, size in self.sizes):
            raise TrainingError("A picture size is below 64 pixels. Give larger ones.")
        if not self.evaluation_size > 0:
            raise TrainingError(f"evaluation_size is {self.evaluation_size}. Give a number above 0.")
        if not self.lying_weight >= 0:
            raise TrainingError(f"lying_weight is {self.lying_weight}. Give 0 or more.")
        if not 0 <= self.jitter < 0.5:
            raise TrainingError(f"jitter is {self.jitter}. Give a share from 0 to 0.5.")

    def size_at(self, progress: float) -> int:
        """Picture size at a share of the training, 0–1, in pixels."""
        return [size for share, size in self.sizes if progress >= share][-1]
