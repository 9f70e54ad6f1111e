"""`run_trainer`: a training from its first step, or the one it was stopped at, to what is said of it at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pose.training.kept_files import BEST, LAST

__all__ = ["AnyTrainer", "run_trainer"]


class AnyTrainer(Protocol):
    """What the trainers of all networks have in common."""

    folder: Path
    seconds: float
    best: float
    history: list[dict[str, float]]

    @property
    def samples(self) -> int:
        """How many were shown."""

    def resume(self) -> None:
        """Go on where a training in the folder was stopped."""

    def run(self) -> None:
        """Train to the end."""


def run_trainer(trainer: AnyTrainer, resume: bool, figure: str) -> None:
    """Train, and say what came out.

    Args:
        resume: whether a training in the folder that was stopped goes on.
        figure: name of what the best weights are chosen by.

    Raises:
        TrainingError: see the trainers.
        KeyboardInterrupt: ctrl-C; what was learnt is kept, and it was said how to go on.
    """
    if resume:
        trainer.resume()
    try:
        trainer.run()
    except KeyboardInterrupt:
        print(f"stopped after {trainer.samples} samples; go on with --resume. Weights: {trainer.folder / LAST}")
        raise
    best = f"; best {figure} {trainer.best:.3f}: {trainer.folder / BEST}" if trainer.best >= 0 else ""
    print(f"{trainer.samples} samples in {trainer.seconds / 60:.0f} minutes; {trainer.folder / LAST}{best}")
