"""Which device a network runs on, told without PyTorch where there can be no GPU: importing it takes seconds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["find_device", "gpu_is_possible"]

GPU_DRIVERS: Final = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA's, Windows' for its Linux, AMD's


def gpu_is_possible() -> bool:
    """False where there can be no GPU for PyTorch."""
    if os.name == "nt":
        return (Path(os.environ.get("SYSTEMROOT", "C:\\Windows")) / "System32" / "nvcuda.dll").exists()
    return any(Path(driver).exists() for driver in GPU_DRIVERS)


def find_device(wanted: str) -> str:
    """`cpu` or `cuda:N` for `auto`, `cpu`, `cuda` or `cuda:N`; `auto` is the first GPU where there is one.

    Raises:
        DeviceError: no such device here, or the words are none of these.
    """
    if wanted == "cpu" or (wanted == "auto" and not gpu_is_possible()):
        return "cpu"
    from pose.inference.device import choose_device

    return str(choose_device(wanted))
