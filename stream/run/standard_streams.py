"""Standard output and standard error as they are in life: in any encoding, closed by a reader, gone with a terminal.

What is said on standard error is never a reason to end a run; what cannot be written to standard output is.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["StatusStream", "discard_terminals", "flush", "log_on_standard_error", "prepare", "say"]

_STANDARD: Final = (1, 2)


def prepare() -> None:
    """Let both take every character: as UTF-8 in the C locale, which knows only ASCII, elsewhere as an escape where the
    encoding does not have it. Where one was closed before the start, no file may get its number by accident."""
    for descriptor in _STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            _discard(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding="utf-8" if ascii_only else None, errors="backslashreplace")


class StatusStream:
    """Standard error for progress bars: what nobody reads any more is left out."""

    def write(self, text: str) -> int:
        """Write, if somebody still reads it."""
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Pass on what waits."""
        with contextlib.suppress(OSError):
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


def say(text: str) -> None:
    """One line on standard error, if somebody still reads it."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def flush() -> None:
    """Write what still waits. Python would do it at its end, where a fault could only be complained about.

    Raises:
        OSError: standard output takes no more; BrokenPipeError: its reader is gone. What waits is thrown away.
    """
    for stream in (sys.stderr, sys.stdout):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except OSError as error:
            _discard(stream.fileno())
            if stream is sys.stdout:
                raise OSError(error.errno, error.strerror, "standard output") from error


def discard_terminals() -> None:
    """Throw away what would go to a terminal that has been closed."""
    for descriptor in _STANDARD:
        with contextlib.suppress(OSError):
            if _ON_TERMINAL[descriptor]:
                _discard(descriptor)


def _discard(descriptor: int) -> None:
    """Whatever is written to the descriptor from now on is thrown away."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    if nothing != descriptor:
        os.dup2(nothing, descriptor)
        os.close(nothing)


def _on_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


_ON_TERMINAL: Final = {descriptor: _on_terminal(descriptor) for descriptor in _STANDARD}
"""Asked at the start: a terminal that has been closed is none any more."""


@contextlib.contextmanager
def log_on_standard_error() -> Iterator[None]:
    """Inside, what is logged is written to standard error, above the progress bars if there are any."""
    handler, root = _StatusLog(), logging.getLogger()
    handler.setFormatter(logging.Formatter("%(message)s"))
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


class _StatusLog(logging.StreamHandler):
    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        bars = getattr(sys.modules.get("tqdm"), "tqdm", None)  # imported by whoever shows one
        if bars is None:
            self.stream = sys.stderr
            super().emit(record)
            return
        bars.write(self.format(record), file=StatusStream())
