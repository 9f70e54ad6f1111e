"""`TrainingSettings`: everything about a training that can be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pose.errors import TrainingError
from pose.training.yolo.augmentation import AugmentationSettings
from pose.training.yolo.loss import LossSettings

__all__ = ["TrainingSettings"]


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train.

    Attributes:
        epochs: how many times as many pictures as there are.
        minutes: or how long, instead; the learning rate then falls with the time.
        sizes: from which share of the training on which picture size, pixels: small pictures first, because they are
            cheap and teach most of it.
        batch: pictures per step at the first size; larger pictures come in smaller batches.
        jitter: the size varies from batch to batch by up to this share.
        learning_rate: the highest; it rises to it and falls as a cosine.
        last_share: of the learning rate at the end.
        warm_up_steps: steps it rises over.
        weight_decay: of convolutions' weights; AdamW's.
        clip: longest gradient, as the norm over all weights.
        average_decay: of the averaged weights, which are what is evaluated and kept.
        evaluations: how many times over the training to evaluate.
        evaluation_size: longest side in pixels at an evaluation.
        set_weights: how often pictures are drawn, by the part of the file name before the first `_`; others 1.
        lying_weight: and how often, besides, those in which somebody lies, bends down or is upside down: such people
            are rare in pictures of everyday life, and a network that sees few of them learns to score them low.
        incomplete: such parts of file names of pictures in which not everybody is labelled.
        seed: of all that is random.
        loss, augmentation: see there.

    Raises:
        TrainingError: values that make no training.
    """

    epochs: float = 30.0
    minutes: float | None = None
    sizes: tuple[tuple[float, int], ...] = ((0.0, 192), (0.5, 256), (0.85, 320))
    batch: int = 32
    jitter: float = 0.2
    learning_rate: float = 2e-3
    last_share: float = 0.02
    warm_up_steps: int = 300
    weight_decay: float = 0.02
    clip: float = 10.0
    average_decay: float = 0.999
    evaluations: int = 8
    evaluation_size: int = 640
    set_weights: Mapping[str, float] = field(default_factory=dict)
    lying_weight: float = 1.0
    incomplete: frozenset[str] = frozenset()
    seed: int = 0
    loss: LossSettings = field(default_factory=LossSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)

    def __post_init__(self) -> None:
        shares = [share for share, _ in self.sizes]
        if not shares or shares[0] != 0 or shares != sorted(shares) or shares[-1] >= 1:
            raise TrainingError(
                f"sizes {self.sizes}: give SHARE:PIXELS pairs with rising shares from 0 on, as in 0:192,0.5:256."
            )
        if any(size < 64 for _, size in self.sizes):
            raise TrainingError("A picture size is below 64 pixels. Give larger ones.")
        for name in ("epochs", "batch", "learning_rate", "evaluation_size"):
            if not getattr(self, name) > 0:
                raise TrainingError(f"{name} is {getattr(self, name)}. Give a number above 0.")
        if not self.lying_weight >= 0:
            raise TrainingError(f"lying_weight is {self.lying_weight}. Give 0 or more.")
        if self.minutes is not None and not self.minutes > 0:
            raise TrainingError(f"minutes is {self.minutes}. Give a number above 0.")
        if not 0 <= self.jitter < 0.5:
            raise TrainingError(f"jitter is {self.jitter}. Give a share from 0 to 0.5.")

    def size_at(self, progress: float) -> int:
        """Picture size at a share of the training, 0–1, in pixels."""
        return [size for share, size in self.sizes if progress >= share][-1]
