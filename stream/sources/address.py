"""Addresses that are safe to print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

__all__ = ["display_name", "is_address", "readings", "redact"]

HIDDEN: Final = "***"

# What is harmless in a camera's query and tells one stream from another, e.g. "?channel=1&subtype=0".
# Every other value is hidden: a list of the names that passwords go by would never be complete.
HARMLESS: Final = frozenset(
    ("cam", "camera", "channel", "codec", "format", "fps", "height", "profile", "quality", "resolution", "stream",
     "streamtype", "subtype", "trackid", "transport", "type", "unicast", "video", "videocodec", "width")
)  # fmt: skip

_ADDRESS: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://(.*)$", re.DOTALL)
_PLACE: Final = re.compile(r"^([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?$")  # a host, perhaps with a port
_UNRESERVED: Final = "!$&'()*+,;=-._~"


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
    at = _end_of_login(rest)
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


def _end_of_login(rest: str) -> int:
    """Where the `@` behind user name and password is, in an address without its scheme; -1 without one.

    Where more than one `@` could be it, the later one.
    """
    end = re.search(r"[?#]", rest)
    before_query = rest if end is None else rest[: end.start()]
    if "@" in before_query:
        at = before_query.rindex("@")
        # "u:p?x@host" and "u:p@x?y@host" look like this too
        later = rest.rfind("@")
        return later if later > at and "/" not in before_query[at:] else at
    return rest.rindex("@") if "@" in rest and ":" in before_query else -1


def readings(address: str) -> list[str]:
    """The addresses that one with an unescaped password may mean, the likeliest first.

    `#`, `/`, `?` and `@` in a password end it for whoever reads the address by the rules, so they are escaped. `%41`
    may be an escaped `A`, or be meant as it stands.

    >>> readings("rtsp://bob:a/b#c@10.0.0.7/live")
    ['rtsp://bob:a%2Fb%23c@10.0.0.7/live']
    """
    match = _ADDRESS.match(address)
    if match is None:
        return [address]
    scheme, rest = match.groups()
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    ends = [_end_of_login(rest)]
    if "@" in authority:
        ends.append(authority.rindex("@"))
    elif _PLACE.match(authority):  # complete without a login
        ends.insert(0, -1)
    found = []
    for at in ends:
        user, colon, password = rest[:at].partition(":") if at >= 0 else ("", "", "")
        for percent in ("%", ""):
            login = quote(user, safe=_UNRESERVED + percent) + colon + quote(password, safe=_UNRESERVED + percent)
            login = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", login)
            found.append(f"{scheme}://{login}@{rest[at + 1 :]}" if at >= 0 else address)
    return list(dict.fromkeys(found))


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
