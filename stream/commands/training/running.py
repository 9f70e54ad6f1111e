"""`run_trainer`: a training from its first step, or the one it was stopped at, to what is said of it at its end."""

from __future__ import annotations

from typing import Any

from pose.training.kept_files import BEST, LAST
from pose.training.loop import TrainingLoop

__all__ = ["run_trainer"]


def run_trainer(trainer: TrainingLoop[Any], resume: bool, figure: str) -> None:
    """Train, and say what came out.

    Args:
        resume: whether a training in the folder that was stopped goes on.
        figure: name of what the best weights are chosen by.

    Raises:
        TrainingError: see `TrainingLoop`.
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
