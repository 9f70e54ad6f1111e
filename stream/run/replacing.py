"""What outputs may take the place of: no other output, and no file that a run has not written for the same sources."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from index.building.pictures import is_picture
from stream.errors import SinkError
from stream.sinks.mark import carries
from stream.sinks.paths import output_faults

__all__ = ["check_apart", "check_replaceable"]

CURE: Final = "Add --replace to write over it, or choose another name for the output."


def check_apart(outputs: Iterable[tuple[str, Path]]) -> None:
    """Refuse two outputs in one file.

    Args:
        outputs: the option that names each, and its path.

    Raises:
        SinkError: two are the same file, whatever it is called.
    """
    taken: dict[str | tuple[int, int], str] = {}
    for option, path in outputs:
        place = _place(path)
        if place is None:
            continue
        if place in taken:
            both = option if taken[place] == option else f"{taken[place]} and {option}"
            raise SinkError(
                f"{path} is named for two outputs ({both}), which would destroy each other. Name two files."
            )
        taken[place] = option


def _place(path: Path) -> str | tuple[int, int] | None:
    """What two names of one file have in common; None for what holds nothing, such as /dev/null and pipes."""
    with output_faults(path):
        if not path.exists():
            return os.path.realpath(path)
        if not (path.is_file() or path.is_dir()):
            return None
        status = path.stat()
        return status.st_dev, status.st_ino


def check_replaceable(outputs: Iterable[tuple[Path, str]]) -> None:
    """Refuse to write over files that no run wrote for the same sources.

    Args:
        outputs: the path and the mark (`mark_of`) of each; of a folder, the pictures in it count.

    Raises:
        SinkError: there are such files; one line for each output.
    """
    faults = []
    for path, mark in outputs:
        with output_faults(path):
            faults += _fault(path, mark)
    if faults:
        raise SinkError("\n".join(faults))


def _fault(path: Path, mark: str) -> list[str]:
    """What speaks against writing there, if anything does."""
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if is_picture(file) and not carries(file, mark):
                return [f"{path} holds other pictures already, such as {file.name}. {CURE}"]
        return []
    if path.is_file() and path.stat().st_size > 0 and not carries(path, mark):
        return [f"{path} exists already. {CURE}"]
    return []
