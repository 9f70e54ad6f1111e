"""`NamedAddress`: which sources a run watches, what they are called, and how each is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.errors import SourceError
from stream.settings.model import NamedSource, Settings, SourceSettings
from stream.sources.address import display_name

__all__ = ["NamedAddress", "named_addresses"]

_NAMED: Final = re.compile(r"^([\w.-]+)=(.+)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class NamedAddress:
    """A source before it is opened.

    Attributes:
        name: what it is called in everything that is printed and written.
        address: what `open_source` takes.
        settings: how it is read.
        index: prefix of a database of its own, None for the run's.
    """

    name: str
    address: str | int
    settings: SourceSettings
    index: str | None = None


def named_addresses(given: Sequence[str], settings: Settings) -> list[NamedAddress]:
    """The sources of a run.

    Args:
        given: what the user typed: `NAME=ADDRESS`, an address, or the name of one in `settings.sources`; nothing means
            all of those.
        settings: `sources` holds named ones, `source` what is the same for all.

    Raises:
        SourceError: there is none.
    """
    configured = [_configured(source, settings.source) for source in settings.sources]
    by_name = {source.name: source for source in configured}
    sources = [by_name[text] if text in by_name else _typed(text, settings.source) for text in given] or configured
    if not sources:
        raise SourceError(
            "No source is named. Give a video, a picture, a folder, a webcam number or an address, or list some under "
            "`sources:` in config.yaml."
        )
    return sources


def _typed(text: str, settings: SourceSettings) -> NamedAddress:
    named = _NAMED.match(text)
    if named is None or Path(text).exists():  # a file may have = in its name
        return NamedAddress(display_name(text), text, settings)
    return NamedAddress(named[1], named[2], settings)


def _configured(source: NamedSource, common: SourceSettings) -> NamedAddress:
    own = {name: getattr(source, name) for name in source.model_fields_set if name in SourceSettings.model_fields}
    name = source.name or display_name(source.address)
    return NamedAddress(name, source.address, common.model_copy(update=own), source.index)
