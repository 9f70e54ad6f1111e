"""Decoding on the graphics card, where there is one."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel

__all__ = ["hardware_decoder"]

log = logging.getLogger(__name__)

KINDS: Final = ("cuda", "videotoolbox", "d3d11va", "vaapi")  # NVIDIA; Apple; Windows; Intel and AMD on Linux


@functools.cache
def hardware_decoder() -> HWAccel | None:
    """The first kind of graphics card that is here and decodes H.264; None without one."""
    import av
    from av.codec.hwaccel import HWAccel, hwdevices_available

    for kind in KINDS:
        if kind not in hwdevices_available():
            continue
        accelerator = HWAccel(kind, allow_software_fallback=True)
        try:
            accelerator.create(av.Codec("h264", "r"))
        except (av.error.FFmpegError, NotImplementedError) as fault:  # no such card, or no driver
            log.debug("no decoding by %s: %s", kind, fault)
            continue
        return accelerator
    return None
