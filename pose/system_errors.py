"""`plain_reason`: why the operating system refused, in words."""

from __future__ import annotations

import errno
from typing import Final

__all__ = ["plain_reason"]

_REASONS: Final = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "a part of its path is no folder",
    errno.ENOENT: "there is no such file",
    errno.EEXIST: "something else has its name",
    errno.ENOSPC: "the disk is full",
    errno.EROFS: "the disk may only be read",
    errno.EIO: "the disk does not answer",
    errno.ENAMETOOLONG: "its name is too long",
    errno.ELOOP: "its links lead round in a circle",
    errno.EMFILE: "too many files are open",
}


def plain_reason(error: BaseException) -> str:
    """Why the operating system refused, without its numbers: "permission denied", "it is a folder"."""
    if isinstance(error, UnicodeError):
        return "its name cannot be written in this system's characters"
    known = _REASONS.get(getattr(error, "errno", None) or 0)
    words = getattr(error, "strerror", None)
    if known is not None or not words:
        return known or "the system does not say why"
    return str(words[0].lower() + words[1:])
