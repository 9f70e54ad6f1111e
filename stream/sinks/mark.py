"""The mark by which a run knows again what an earlier run wrote for the same sources, and may replace unasked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stream.sources.base import Source

__all__ = ["MARKED_PICTURES", "carries", "mark_of", "xmp_of"]

MARKED_PICTURES: Final = frozenset({".avif", ".jpeg", ".jpg", ".png", ".webp"})
"""The kinds of pictures that can hold a mark."""

FIRST_LINE_BYTES: Final = 10_000_000


def mark_of(*sources: Source) -> str:
    """The mark of what is written for these sources: the files by their place, cameras by their name.

    It is a digest, so that whoever is given the output does not learn where the source lies.
    """
    places = sorted(source.name if source.path is None else os.path.realpath(source.path) for source in sources)
    return f"stance-run-{hashlib.sha256(os.fsencode(chr(0).join(places))).hexdigest()[:16]}"


def carries(path: Path, mark: str) -> bool:
    """Whether a file has the mark: a video in its comment, JSON lines in the first line, a picture in its XMP."""
    suffix = path.suffix.lower()
    try:
        return _READERS.get(suffix, _in_picture if suffix in MARKED_PICTURES else _in_json)(path, mark)
    except (OSError, ValueError):
        return False


def xmp_of(mark: str) -> bytes:
    """The mark as a picture's metadata."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Stance" '
        f'xmp:Label="{mark}"/></rdf:RDF></x:xmpmeta>'
    ).encode()


def _in_video(path: Path, mark: str) -> bool:
    import av

    try:
        with av.open(str(path.absolute())) as container:
            return mark in container.metadata.get("comment", "")
    except av.error.FFmpegError:
        return False


def _in_json(path: Path, mark: str) -> bool:
    with path.open("rb") as file:
        record = json.loads(file.readline(FIRST_LINE_BYTES))
    return isinstance(record, Mapping) and record.get("written_by") == mark


def _in_picture(path: Path, mark: str) -> bool:
    return mark.encode() in path.read_bytes()


_READERS: Final[Mapping[str, Callable[[Path, str], bool]]] = dict.fromkeys((".m4v", ".mov", ".mp4"), _in_video)
