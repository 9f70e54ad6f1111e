"""`download`: a copy of a file behind HTTP, for what must be read from its end."""

from __future__ import annotations

import base64
import http.client
import shutil
import tempfile
import urllib.error
import urllib.request
from typing import IO
from urllib.parse import unquote, urlsplit, urlunsplit

from stream.errors import SourceError

__all__ = ["download"]

SPARE_BYTES = 256 * 1024 * 1024
"""So much of the disk stays free."""


def download(address: str, timeout_seconds: float) -> IO[bytes]:
    """The content of an HTTP address, in a temporary file that vanishes when it is closed.

    Args:
        address: `http://…` or `https://…`; a user name and password in it are given as HTTP's basic login.
        timeout_seconds: how long the server may be silent.

    Raises:
        SourceError: it cannot be had, or there is no room for it; the message is the middle of a sentence.
    """
    parts = urlsplit(address)
    login, at, place = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=place)))
    if at:
        request.add_header("Authorization", "Basic " + base64.b64encode(unquote(login).encode()).decode())
    copy = tempfile.TemporaryFile()  # noqa: SIM115, it is returned
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:
            size = int(answer.headers.get("Content-Length") or 0)
            free = shutil.disk_usage(tempfile.gettempdir()).free
            if size + SPARE_BYTES > free:
                raise SourceError(
                    f"must be copied before it can be read, and {tempfile.gettempdir()} has no room for its "
                    f"{size / 1e6:.0f} MB"
                )
            shutil.copyfileobj(answer, copy, 1 << 20)
    except SourceError:
        copy.close()
        raise
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as fault:
        copy.close()
        cause = getattr(fault, "reason", None) or fault
        raise SourceError(f"cannot be copied ({getattr(cause, 'strerror', None) or type(cause).__name__})") from None
    copy.seek(0)
    return copy
