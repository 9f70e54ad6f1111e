"""Moments of a recording as people write them: `90`, `1:30`, `1:02:03.5`."""

from __future__ import annotations

import re

__all__ = ["parse_moment"]


def parse_moment(text: str) -> float:
    """The seconds from the beginning.

    >>> parse_moment("1:30")
    90.0

    Raises:
        ValueError: it is no moment; the message says how to write one.
    """
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)", text.strip())
    if match is None or (match[2] and float(match[3]) >= 60) or (match[1] and int(match[2]) >= 60):
        raise ValueError(f"{text!r} is no moment of a recording. Write seconds (90) or minutes and seconds (1:30)")
    return 3600 * float(match[1] or 0) + 60 * float(match[2] or 0) + float(match[3])
