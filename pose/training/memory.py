"""Keeping freed memory, for training on the CPU."""

from __future__ import annotations

import contextlib
import ctypes
import platform
from typing import Final

__all__ = ["keep_freed_memory"]

M_TRIM_THRESHOLD: Final = -1  # numbers of the GNU C library's malloc.h
M_MMAP_MAX: Final = -4
LARGEST: Final = 2**31 - 1


def keep_freed_memory() -> None:
    """Tell the allocator of this process to keep what is freed instead of giving it back to the system.

    A training step takes and frees the same gigabyte over and over, and getting it fresh from the system each time
    costs a page fault per 4 KB. Does nothing where the C library is not GNU's.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    with contextlib.suppress(OSError, AttributeError):
        allocator = ctypes.CDLL(None)
        allocator.mallopt(M_MMAP_MAX, 0)  # large blocks come from the heap too, which keeps them
        allocator.mallopt(M_TRIM_THRESHOLD, LARGEST)
