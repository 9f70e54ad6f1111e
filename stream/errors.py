"""The error tree of `stream`."""

from pose.errors import StanceError

__all__ = ["ConfigurationError", "IntervalsError", "ReaderGone", "SinkError", "SourceError", "StreamError"]


class StreamError(StanceError):
    """Root of what `stream` raises."""


class ConfigurationError(StreamError, ValueError):
    """Settings that cannot be used; the message lists every fault, one a line."""


class IntervalsError(StreamError, ValueError):
    """A file of true postures that cannot be used."""


class SourceError(StreamError, OSError):
    """A file, camera or address that cannot be read."""


class SinkError(StreamError, OSError):
    """An output that cannot be written."""


class ReaderGone(SinkError):
    """Whoever read standard output has ended, as `head` does when it has seen enough: no fault."""
