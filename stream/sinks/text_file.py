"""`TextFile`: a text file that grows and is whole after every write, and after one that failed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from stream.sinks.paths import WholeWrites, write_fault

__all__ = ["TextFile"]


class TextFile:
    """Opened with the first `append`, so that a run in which nothing happens leaves an older file as it is. Not
    thread-safe; use one per thread.

    Args:
        path: the file, replaced if it exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: WholeWrites | None = None
        self._opened = False
        self._end = 0
        self._tail = b""

    @property
    def opened(self) -> bool:
        """Whether anything has been written."""
        return self._opened

    @property
    def lost(self) -> bool:
        """Whether the file was there and is no more, after a fault: the next piece is the first in a new one."""
        return self._opened and self._file is None and not os.path.exists(self.path)

    @property
    def empty(self) -> bool:
        """Whether the next piece is the first in the file."""
        return self._end == 0 or self.lost

    def append(self, text: str, tail: str = "") -> None:
        """Write the next piece in the place of the tail of the one before, and its own tail behind it.

        Raises:
            SinkError: it cannot be written. The file ends with the piece before, and its tail.
        """
        data = text.encode(errors="backslashreplace")
        try:
            file = self._file or self._open()
            if self._tail:
                file.seek(self._end)
            file.write(data + tail.encode())
        except OSError as error:
            self._let_go()
            raise write_fault(str(self.path), error) from error
        self._end += len(data)
        self._tail = tail.encode()

    def _open(self) -> WholeWrites:
        if not self._opened or self.lost:
            self._file, self._end, self._tail = WholeWrites(self.path, "w"), 0, b""
        else:
            self._file = WholeWrites(self.path, "r+")
            self._file.seek(self._end)
        self._opened = True
        return self._file

    def _let_go(self) -> None:
        """Close the file after a fault, with what was in it before."""
        file, self._file = self._file, None
        if file is None:
            return
        with contextlib.suppress(OSError), contextlib.closing(file):
            file.truncate(self._end)
            file.seek(self._end)
            file.write(self._tail)

    def close(self) -> None:
        """Close the file. Twice does no harm.

        Raises:
            SinkError: the end cannot be written.
        """
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError as error:
            raise write_fault(str(self.path), error) from error
