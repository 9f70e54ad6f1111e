"""Which device a network runs on, and in which precision."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

import torch

from pose.errors import DeviceError

__all__ = ["choose_device", "choose_precision", "cpu_has_bf16"]


def choose_device(wanted: str) -> torch.device:
    """The device for `auto`, `cpu`, `cuda` or `cuda:N`; `auto` is the first GPU where there is one, else the CPU.

    Raises:
        DeviceError: no such device here, or the words are none of these.
    """
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    if wanted == "cpu":
        return torch.device("cpu")
    kind, _, number = wanted.partition(":")
    if kind != "cuda" or (number and not number.isdecimal()):
        raise DeviceError(f"There is no device {wanted!r}; use auto, cpu or cuda:0.")
    if not torch.cuda.is_available():
        why = "this PyTorch is built without CUDA" if torch.version.cuda is None else "PyTorch finds no CUDA GPU"
        raise DeviceError(f"pose.device is {wanted!r}, but {why}. Set pose.device to auto or cpu.")
    index = int(number or 0)
    if index >= torch.cuda.device_count():
        raise DeviceError(f"pose.device is {wanted!r}, but there are {torch.cuda.device_count()} GPUs, from cuda:0.")
    return torch.device("cuda", index)


@cache
def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware (AVX-512 BF16 or AMX), where it is faster than float32."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return torch.backends.mkldnn.is_available() and ("avx512_bf16" in flags or "amx_bf16" in flags)


def choose_precision(wanted: str, device: torch.device) -> torch.dtype:
    """The number format for `auto`, `fp32`, `bf16` or `fp16`.

    `auto` is fp16 on a GPU, bf16 on a CPU that has it, fp32 elsewhere.

    Raises:
        DeviceError: the device cannot compute in it, or the words are none of these.
    """
    if wanted == "auto":
        wanted = "fp16" if device.type == "cuda" else "bf16" if cpu_has_bf16() else "fp32"
    if wanted == "fp16" and device.type != "cuda":
        raise DeviceError("pose.precision fp16 needs a GPU. Set pose.precision to auto, bf16 or fp32.")
    try:
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[wanted]
    except KeyError:
        raise DeviceError(f"There is no precision {wanted!r}; use auto, fp32, bf16 or fp16.") from None
