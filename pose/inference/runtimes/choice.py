"""Choosing what runs a network: OpenVINO on a CPU where it is installed, PyTorch on a GPU and otherwise."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

from pose.errors import DeviceError
from pose.inference.runtimes.openvino_library import import_openvino, openvino_is_installed
from pose.inference.runtimes.runtime import NetworkSpec, Runtime

__all__ = ["RUNTIMES", "choose_runtime", "gpu_is_possible", "open_runtime"]

log = logging.getLogger(__name__)

RUNTIMES: Final = ("auto", "openvino", "torch")
GPU_DRIVERS: Final = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA's, Windows' for its Linux, AMD's


def gpu_is_possible() -> bool:
    """False where there can be no GPU for PyTorch, told without importing PyTorch, which takes a second or more."""
    if os.name == "nt":
        return (Path(os.environ.get("SYSTEMROOT", "C:\\Windows")) / "System32" / "nvcuda.dll").exists()
    return any(Path(driver).exists() for driver in GPU_DRIVERS)


def choose_runtime(wanted: str = "auto", device: str = "auto") -> str:
    """`openvino` or `torch`.

    Args:
        wanted: one of `RUNTIMES`; `auto` is OpenVINO on a CPU where it is installed, PyTorch otherwise.
        device: `auto`, `cpu` or `cuda:N`; `auto` is the GPU where there is one.

    Raises:
        RuntimeMissing: OpenVINO is wanted and not installed.
        DeviceError: the device is not to be had here, OpenVINO is wanted on a GPU, or the words are none of these.
    """
    if wanted not in RUNTIMES:
        raise DeviceError(f"There is no runtime {wanted!r}; use {', '.join(RUNTIMES[:-1])} or {RUNTIMES[-1]}.")
    if wanted == "torch":
        return wanted
    if wanted == "openvino":
        if device not in ("auto", "cpu"):
            raise DeviceError(f"The runtime openvino computes on the CPU, not on {device!r}. Set pose.runtime to auto.")
        import_openvino()
        return wanted
    if device != "cpu" and (device != "auto" or gpu_is_possible()):
        from pose.inference.device import choose_device

        if choose_device(device).type != "cpu":
            return "torch"
    if openvino_is_installed():
        return "openvino"
    log.info("OpenVINO is not installed, so networks run on PyTorch, several times slower; `pip install 'stance[cpu]'`")
    return "torch"


def open_runtime(
    spec: NetworkSpec,
    runtime: str = "auto",
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    concurrency: int | None = None,
) -> Runtime:
    """A network, ready to run.

    Args:
        runtime, device: as in `choose_runtime`.
        precision, threads, concurrency: as in `OpenVinoRuntime` and `TorchRuntime`.

    Raises:
        RuntimeMissing, DeviceError: as in `choose_runtime`, or the device does not compute in that precision.
        WeightsMissing, WeightsError: from `spec.build`.
    """
    opened: Runtime
    if choose_runtime(runtime, device) == "openvino":
        from pose.inference.runtimes.openvino_runtime import OpenVinoRuntime

        opened = OpenVinoRuntime(spec, precision=precision, threads=threads, concurrency=concurrency)
    else:
        from pose.inference.runtimes.torch_runtime import TorchRuntime

        opened = TorchRuntime(spec, device=device, precision=precision, threads=threads, concurrency=concurrency)
    log.info("%s", opened.describe())
    return opened
