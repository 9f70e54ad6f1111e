"""The files that every training keeps in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = ["BEST", "HISTORY", "LAST", "STATE", "write_history"]

BEST: Final = "best.safetensors"
LAST: Final = "last.safetensors"
STATE: Final = "state.pt"
HISTORY: Final = "history.csv"


def write_history(rows: Sequence[Mapping[str, float]], folder: Path) -> None:
    """Write a line per evaluation; what an evaluation does not have stays empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, *([f"{row.get(name, '')}" for name in columns] for row in rows)] if columns else []
    (folder / HISTORY).write_text("".join(",".join(line) + "\n" for line in lines), encoding="utf-8")
