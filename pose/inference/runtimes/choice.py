"""Choosing what runs a network: OpenVINO on a CPU where it is installed, PyTorch on a GPU and otherwise."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from pose.errors import DeviceError
from pose.inference.device_name import find_device
from pose.inference.runtimes.openvino_library import import_openvino, openvino_is_installed
from pose.inference.runtimes.runtime import NetworkSpec, Runtime

__all__ = ["RUNTIMES", "choose_runtime", "open_runtime"]

log = logging.getLogger(__name__)

RUNTIMES: Final = ("auto", "openvino", "torch")


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
    if find_device(device) != "cpu":
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
    workers: ThreadPoolExecutor | None = None,
    stage: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Runtime:
    """A network, ready to run.

    Args:
        runtime, device: as in `choose_runtime`.
        precision, threads, concurrency, stage: as in `OpenVinoRuntime` and `TorchRuntime`.
        workers: threads that networks on OpenVINO share; PyTorch's have their own.

    Raises:
        RuntimeMissing, DeviceError: as in `choose_runtime`, or the device does not compute in that precision.
        WeightsMissing, WeightsError: from `spec.build`.
    """
    opened: Runtime
    if choose_runtime(runtime, device) == "openvino":
        from pose.inference.runtimes.openvino_runtime import OpenVinoRuntime

        opened = OpenVinoRuntime(
            spec, precision=precision, threads=threads, concurrency=concurrency, workers=workers, stage=stage
        )
    else:
        from pose.inference.runtimes.torch_runtime import TorchRuntime

        opened = TorchRuntime(
            spec, device=device, precision=precision, threads=threads, concurrency=concurrency, stage=stage
        )
    log.info("%s", opened.describe())
    return opened
