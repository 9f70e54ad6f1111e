"""Whether an output can be written where the user wants it, and what to say when it can no longer be."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pose.errors import reason_of
from stream.errors import ReaderGone, SinkError

__all__ = ["WholeWrites", "check_folder", "check_output", "output_faults", "write_fault"]


def check_output(path: str | Path, *, inputs: Iterable[Path | None] = ()) -> Path:
    """The path, if a file can be written there without harm. Creates nothing.

    Args:
        path: the file to be written.
        inputs: files that are being read, which it must not replace.

    Raises:
        SinkError: its folder is missing or read-only, it is a folder, or it is one of `inputs`.
    """
    path = Path(path)
    with output_faults(path):
        if path.is_dir():
            raise SinkError(f"{path} is a folder. Name a file in it.")
        if not path.parent.is_dir():
            raise SinkError(f"{path}: the folder {path.parent} does not exist. Create it, or choose another place.")
        for source in inputs:
            if source is not None and source.exists() and path.exists() and os.path.samefile(source, path):
                raise SinkError(
                    f"{path} is the source itself and would be destroyed. Choose another name for the output."
                )
        try:
            path.stat()
            allowed = os.access(path, os.W_OK)
        except FileNotFoundError:  # perhaps a link to what will be made elsewhere
            allowed = os.access(Path(os.path.realpath(path)).parent, os.W_OK | os.X_OK)
        if not allowed:
            raise PermissionError(errno.EACCES, "Permission denied")
    return path


def check_folder(path: Path) -> None:
    """Refuse a folder in which nothing can be written.

    Raises:
        SinkError: the system does not allow it.
    """
    with output_faults(path):
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "Permission denied")


@contextlib.contextmanager
def output_faults(path: Path) -> Iterator[None]:
    """Inside, what the system says against an output is told as `SinkError`."""
    try:
        yield
    except SinkError:
        raise
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise SinkError(f"{path} cannot be written ({reason}). Choose another place.") from error


def write_fault(name: str, error: OSError) -> SinkError:
    """What to raise when an output that was opened cannot be written any further.

    Args:
        name: the output, as the user knows it.
        error: what the system said.
    """
    if isinstance(error, BrokenPipeError):
        return ReaderGone(f"{name}: the program that reads it has ended.")
    return SinkError(f"{name} cannot be written any further ({reason_of(error)}). Is the disk full or gone?")


class WholeWrites(io.FileIO):
    """A file that takes everything or fails: FFmpeg takes a short write, which a full disk gives, for a whole one."""

    def write(self, data: Any) -> int:
        """Write all of it."""
        rest = memoryview(data)
        while rest:
            rest = rest[super().write(rest) or 0 :]
        return len(data)
