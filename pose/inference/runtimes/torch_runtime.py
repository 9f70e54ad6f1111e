"""`TorchRuntime`: a network on PyTorch; on a GPU, and on a CPU where nothing faster is installed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pose.errors import PoseError
from pose.inference.device import choose_device, choose_precision
from pose.inference.runtimes.preprocessed import Preprocessed
from pose.inference.runtimes.runtime import Arrays, NetworkSpec
from pose.inference.runtimes.workers import MAX_CONCURRENCY, WorkerRuntime

__all__ = ["TorchRuntime"]

GPU_BATCH = 16
CPU_BATCH = 4  # PyTorch spends a good part of its time between the small kernels of these networks


class TorchRuntime(WorkerRuntime):
    """A `Runtime` on PyTorch.

    Args:
        device: `auto`, `cpu` or `cuda:N`.
        precision: `auto`, `fp32`, `bf16` or `fp16`.
        threads: of all calls together on a CPU; None takes as many as PyTorch would.
        concurrency: calls at once; None takes one on a GPU, and on a CPU one per thread, which is the most there.
        stage: as in `WorkerRuntime`.

    Raises:
        DeviceError: the device or precision is not to be had here.
        WeightsMissing, WeightsError: from `spec.build`.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        *,
        device: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        concurrency: int | None = None,
        stage: Callable[[], AbstractContextManager[object]] = nullcontext,
    ):
        self.device = choose_device(device)
        self.dtype = choose_precision(precision, self.device)
        on_gpu = self.device.type == "cuda"
        network = spec.build().to(self.device, self.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = Preprocessed(network, spec.input_format, self.dtype).to(self.device).eval()
        self._threads_before = torch.get_num_threads()
        self.threads = threads or self._threads_before
        calls = (concurrency or 1) if on_gpu else min(concurrency or MAX_CONCURRENCY, self.threads)
        super().__init__(
            spec,
            concurrency=calls,
            batch=GPU_BATCH if on_gpu else CPU_BATCH,
            precision={torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[self.dtype],
            initializer=None if on_gpu else lambda: torch.set_num_threads(max(self.threads // calls, 1)),
            stage=stage,
        )

    def infer(self, pictures: NDArray[np.uint8]) -> Arrays:
        """The network's outputs for up to `batch` pictures, on the thread that calls."""
        try:
            with torch.inference_mode():
                return tuple(output.float().cpu().numpy() for output in self._network(self._upload(pictures)))
        except torch.OutOfMemoryError as error:
            raise PoseError(
                f"{self.device} has too little free memory for {len(pictures)} pictures in {self.spec.name}. "
                "Let other programs free some, or set pose.device to cpu."
            ) from error

    def _upload(self, pictures: NDArray[np.uint8]) -> Tensor:
        """The pictures on the device. Through page-locked memory, from which the copy to a GPU runs by itself."""
        if self.device.type == "cpu":
            # PyTorch takes read-only arrays only with a warning.
            return torch.from_numpy(pictures if pictures.flags.writeable else pictures.copy())
        host = torch.empty(pictures.shape, dtype=torch.uint8, pin_memory=True)
        np.copyto(host.numpy(), pictures)
        return host.to(self.device, non_blocking=True)

    def describe(self) -> str:
        """One line for the log."""
        where = f"{self.device}" if self.device.type == "cuda" else f"{self.threads} CPU threads"
        return (
            f"{self.spec.name} on PyTorch {torch.__version__} in {self.precision}, {where}, {self.concurrency} at once"
        )

    def close(self) -> None:
        """Let the calls that run end, cancel the others. Twice does no harm."""
        super().close()
        if self.device.type == "cpu":
            torch.set_num_threads(self._threads_before)  # PyTorch takes what a worker set for every new thread
