"""`WrappedSource`: a source that passes another one on."""

from __future__ import annotations

from pathlib import Path

from pose.closing import Closing
from stream.sources.base import Source, SourceInfo
from stream.sources.status import SourceStatus

__all__ = ["WrappedSource"]


class WrappedSource(Closing):
    """What a source says of itself, said of the one within. Its frames are for the derived class to give.

    Args:
        source: what to read. This source closes it.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def name(self) -> str:
        """See `Source`."""
        return self._source.name

    @property
    def status(self) -> SourceStatus:
        """See `Source`."""
        return self._source.status

    @property
    def live(self) -> bool:
        """See `Source`."""
        return self._source.live

    @property
    def still(self) -> bool:
        """See `Source`."""
        return self._source.still

    @property
    def path(self) -> Path | None:
        """See `Source`."""
        return self._source.path

    @property
    def info(self) -> SourceInfo:
        """See `Source`."""
        return self._source.info

    def close(self) -> None:
        """Close the source."""
        self._source.close()
