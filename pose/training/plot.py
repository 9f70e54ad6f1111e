"""The curves of a training, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pose.errors import TrainingError

__all__ = ["plot_history"]

COLUMNS = 3


def plot_history(
    history: Sequence[Mapping[str, float]], losses: Sequence[str], figures: Mapping[str, str], file: Path
) -> None:
    """Draw losses and figures over the samples seen.

    Args:
        history: a row per evaluation.
        losses: columns with a panel each.
        figures: columns that share the last panel, and their titles.
        file: a `.png`, replaced.

    Raises:
        TrainingError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise TrainingError("Curves need matplotlib. Install it with pip install '.[cpu,train]'.") from None
    rows = -(-(len(losses) + 1) // COLUMNS)
    figure = Figure(figsize=(12, 3 * rows), layout="constrained")
    panels = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for panel, name in zip(panels, losses, strict=False):
        _draw(panel, history, {name: name})
        panel.set_title(name)
    last = panels[len(losses)]
    _draw(last, history, figures)
    last.set_title("judged")
    if last.lines:
        last.legend()
    for panel in panels[: len(losses) + 1]:
        panel.set_xlabel("samples")
        panel.grid(alpha=0.3)
    for panel in panels[len(losses) + 1 :]:
        panel.set_axis_off()
    figure.savefig(file, dpi=100)


def _draw(panel: Any, history: Sequence[Mapping[str, float]], names: Mapping[str, str]) -> None:
    for name, title in names.items():
        points = [(row["samples"], row[name]) for row in history if name in row]
        panel.plot(*zip(*points, strict=True), marker="o", label=title) if points else None
