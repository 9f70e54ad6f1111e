"""`LoopSettings`: what can be chosen about any training, whatever is learnt."""

from __future__ import annotations

from dataclasses import dataclass

from pose.errors import TrainingError

__all__ = ["LoopSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How to train.

    Attributes:
        epochs: how many times as many samples as there are.
        minutes: or how long, instead, evaluations and pauses included; the learning rate then falls with the time.
        batch: samples per step.
        learning_rate: the highest; it rises to it and falls as a cosine.
        last_share: of the learning rate at the end.
        warm_up_steps: steps it rises over.
        weight_decay: of convolutions' weights; AdamW's.
        clip: longest gradient, as the norm over all weights.
        average_decay: of the averaged weights, which are what is evaluated and kept.
        evaluations: how many times over the training to evaluate.
        seed: of all that is random.

    Raises:
        TrainingError: values that make no training.
    """

    epochs: float = 5.0
    minutes: float | None = None
    batch: int = 16
    learning_rate: float = 1e-4
    last_share: float = 0.02
    warm_up_steps: int = 100
    weight_decay: float = 0.01
    clip: float = 1.0
    average_decay: float = 0.998
    evaluations: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise TrainingError(f"{name} is {getattr(self, name)}. Give a number above 0.")
        if self.minutes is not None and not self.minutes > 0:
            raise TrainingError(f"minutes is {self.minutes}. Give a number above 0.")
