"""Addresses that are safe to print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

__all__ = ["display_name", "is_address", "redact"]

HIDDEN: Final = "***"

# What is harmless in a camera's query and tells one stream from another, e.g. "?channel=1&subtype=0".
# Every other value is hidden: a list of the names that passwords go by would never be complete.
HARMLESS: Final = frozenset(
    ("cam", "camera", "channel", "codec", "format", "fps", "height", "profile", "quality", "resolution", "stream",
     "streamtype", "subtype", "trackid", "transport", "type", "unicast", "video", "videocodec", "width")
)  # fmt: skip

_ADDRESS: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://(.*)$", re.DOTALL)


def is_address(text: str) -> bool:
    """Whether `text` is a network address (`scheme://…`) rather than a path. A `file://` address is a path."""
    match = _ADDRESS.match(text)
    return match is not None and match[1].lower() != "file"


def redact(address: str) -> str:
    """The address with passwords, tokens and fragments replaced by `***`; anything but an address comes back as it is.

    People paste passwords unescaped, with `@`, `/` and `?` in them. Where that makes an address ambiguous, too much is
    hidden rather than too little.

    >>> redact("rtsp://admin:p@ss@10.0.0.7:554/live?channel=1&token=abc")
    'rtsp://admin:***@10.0.0.7:554/live?channel=1&token=***'
    """
    match = _ADDRESS.match(address)
    if match is None:
        return address
    scheme, rest = match.groups()
    end = re.search(r"[?#]", rest)
    before_query = rest if end is None else rest[: end.start()]
    if "@" in before_query:
        at = before_query.rindex("@")
        # "u:p?x@host" and "u:p@x?y@host" look like this too
        later = rest.rfind("@")
        if later > at and "/" not in before_query[at:]:
            at = later
    elif "@" in rest and ":" in before_query:
        at = rest.rindex("@")
    else:
        at = -1
    userinfo = ""
    if at >= 0:
        user, colon, _ = rest[:at].partition(":")
        userinfo = f"{user}:{HIDDEN}@" if colon and "/" not in user else f"{HIDDEN}@"
        rest = rest[at + 1 :]
    place, question, query = rest.partition("?")
    place, hash_, _ = place.partition("#")
    query, query_hash, _ = query.partition("#")
    text = f"{scheme}://{userinfo}{place}"
    if question and not hash_:
        text += "?" + re.sub(r"[^&;]+", lambda part: _redact_parameter(part[0]), query)
    if hash_ or query_hash:
        text += f"#{HIDDEN}"
    return text


def _redact_parameter(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    if not equals:
        return HIDDEN
    return parameter if name.lower() in HARMLESS else f"{name}={HIDDEN}"


def display_name(source: str | int | Path) -> str:
    """What a source is called in logs, errors and on the page: `webcam 0`, a path, or a redacted address."""
    if isinstance(source, int) or (isinstance(source, str) and source.strip().isdecimal()):
        return f"webcam {int(source)}"
    return redact(str(source).strip()) if is_address(str(source).strip()) else str(source)
