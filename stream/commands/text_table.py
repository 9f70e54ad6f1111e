"""Tables for people's eyes, on standard output."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["print_table"]


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns wide enough, those of figures to the right."""
    columns = list(zip(head, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    figures = [all(re.fullmatch(r"[\d.,%+–·-]*", cell) for cell in column[1:]) for column in columns]
    for row in (head, *rows):
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, figures, strict=True)
        ]
        print("  ".join(cells).rstrip())
