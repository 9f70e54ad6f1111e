"""The curves of a training, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pose.errors import TrainingError
from pose.training.loss import LOSS_PARTS

__all__ = ["plot_history"]


def plot_history(history: Sequence[Mapping[str, float]], file: Path) -> None:
    """Draw losses and average precision over the samples seen.

    Args:
        history: a row per evaluation, as `Trainer.history` has it.
        file: a `.png`, replaced.

    Raises:
        TrainingError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise TrainingError("Curves need matplotlib. Install it with pip install '.[cpu,train]'.") from None
    figure = Figure(figsize=(12, 6), layout="constrained")
    panels = figure.subplots(2, 3).flat
    for panel, name in zip(panels, LOSS_PARTS, strict=False):
        _draw(panel, history, {name: name})
    last = figure.axes[len(LOSS_PARTS)]
    _draw(last, history, {"ap": "AP", "ap50": "AP50", "ap_medium": "AP medium", "ap_large": "AP large"})
    last.legend()
    for panel in figure.axes:
        panel.set_xlabel("samples")
        panel.grid(alpha=0.3)
    figure.savefig(file, dpi=100)


def _draw(panel: object, history: Sequence[Mapping[str, float]], names: Mapping[str, str]) -> None:
    for name, title in names.items():
        points = [(row["samples"], row[name]) for row in history if name in row]
        panel.plot(*zip(*points, strict=True), marker="o", label=title) if points else None  # type: ignore[attr-defined]
    panel.set_title(" / ".join(names.values()) if len(names) == 1 else "average precision")  # type: ignore[attr-defined]
