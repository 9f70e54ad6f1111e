"""Whether an output can be written where the user wants it, and what to say when it can no longer be."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stream.errors import ReaderGone, SinkError

__all__ = ["WholeWrites", "check_output", "write_fault"]


def check_output(path: str | Path, *, inputs: Iterable[Path | None] = ()) -> Path:
    """The path, if a file can be written there without harm. Creates nothing.

    Args:
        path: the file to be written.
        inputs: files that are being read, which it must not replace.

    Raises:
        SinkError: its folder is missing or read-only, it is a folder, or it is one of `inputs`.
    """
    path = Path(path)
    if path.is_dir():
        raise SinkError(f"{path} is a folder. Name a file in it.")
    if not path.parent.is_dir():
        raise SinkError(f"{path}: the folder {path.parent} does not exist. Create it, or choose another place.")
    for source in inputs:
        if source is not None and source.exists() and path.exists() and os.path.samefile(source, path):
            raise SinkError(f"{path} is the source itself and would be destroyed. Choose another name for the output.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise SinkError(f"{path} cannot be written: permission denied. Choose another place.")
    return path


def write_fault(name: str, error: OSError) -> SinkError:
    """What to raise when an output that was opened cannot be written any further.

    Args:
        name: the output, as the user knows it.
        error: what the system said.
    """
    if isinstance(error, BrokenPipeError):
        return ReaderGone(f"{name}: the program that reads it has ended.")
    return SinkError(f"{name} cannot be written any further ({error.strerror}). Is the disk full or gone?")


class WholeWrites(io.FileIO):
    """A file that takes everything or fails: FFmpeg takes a short write, which a full disk gives, for a whole one."""

    def write(self, data: Any) -> int:
        """Write all of it."""
        rest = memoryview(data)
        while rest:
            rest = rest[super().write(rest) or 0 :]
        return len(data)
