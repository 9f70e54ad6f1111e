"""What FFmpeg's errors mean, in words for people."""

from __future__ import annotations

import errno
from typing import Final

__all__ = ["NO_PICTURE", "UNKNOWN_HOST", "WRONG_LOGIN", "cause_of"]

NO_PICTURE: Final = "holds no moving picture"
WRONG_LOGIN: Final = "refuses the user name or password"
UNKNOWN_HOST: Final = "cannot be reached: its host is not known, or the network is down"


def cause_of(fault: Exception, timeout_seconds: float) -> str:
    """What FFmpeg's error means, as the middle of a sentence. Never holds the address, as the error's own text does.

    Args:
        fault: PyAV's `FFmpegError`.
        timeout_seconds: the time-out that was in force.
    """
    from av import error

    match fault:
        case error.HTTPUnauthorizedError() | error.HTTPForbiddenError():
            return WRONG_LOGIN
        case error.HTTPNotFoundError():
            return "does not have this path"
        case error.HTTPClientError() | error.HTTPServerError():
            return f"answers with an error ({fault.strerror})"
        case error.InvalidDataError() | error.EOFError():
            return "is not video, or its end is missing"
        case error.ExitError() | TimeoutError():
            return f"does not answer within {timeout_seconds:g} s"
        case ConnectionRefusedError():
            return "refuses the connection: nothing listens at this address and port"
        case PermissionError():
            return "may not be read by you"
        case OSError(errno=errno.EIO):  # what FFmpeg makes of a host name that cannot be resolved
            return UNKNOWN_HOST
    return f"cannot be opened ({getattr(fault, 'strerror', None) or type(fault).__name__})"
