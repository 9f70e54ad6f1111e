"""`WorkerRuntime`: several calls at once on threads, the part that all runtimes share."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray

from pose.closing import Closing
from pose.inference.runtimes.runtime import Arrays, NetworkSpec, checked

__all__ = ["MAX_CONCURRENCY", "WorkerRuntime", "usable_cores"]

MAX_CONCURRENCY = 8  # every call under way holds its pictures and the network's maps


class WorkerRuntime(Closing):
    """A `Runtime` whose calls run on threads of its own; what runs on them is the subclass's.

    Args:
        concurrency, batch, precision: as in `Runtime`.
        initializer: called once on every thread.
        workers: what calls run on, shared with other networks so that all together do not take more cores than there
            are; None for threads of its own.
        stage: called on the thread of every call, gives a context in which it runs; for profiling.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        *,
        concurrency: int,
        batch: int,
        precision: str,
        initializer: Callable[[], None] | None = None,
        workers: ThreadPoolExecutor | None = None,
        stage: Callable[[], AbstractContextManager[object]] = nullcontext,
    ):
        self.spec = spec
        self.concurrency = concurrency
        self.batch = batch
        self.precision = precision
        self._stage = stage
        self._pool = workers or ThreadPoolExecutor(concurrency, spec.name, initializer)

    @abstractmethod
    def infer(self, pictures: NDArray[np.uint8]) -> Arrays:
        """The network's outputs for 1 to `batch` pictures, on the thread that calls."""

    @abstractmethod
    def describe(self) -> str:
        """One line for the log: what runs where and how."""

    def submit(self, pictures: NDArray[np.uint8]) -> Future[Arrays]:
        """Begin a call, see `Runtime.submit`."""
        return self._pool.submit(self._outputs, checked(pictures, self.spec))

    def __call__(self, pictures: NDArray[np.uint8]) -> Arrays:
        """The network's outputs, float32 `[B, …]` each, see `Runtime`."""
        starts = range(0, max(len(pictures), 1), self.batch)
        futures = [self.submit(pictures[start : start + self.batch]) for start in starts]
        return _joined([future.result() for future in futures])

    def close(self) -> None:
        """Let the calls that run end, cancel the others. Twice does no harm."""
        self._pool.shutdown(cancel_futures=True)  # of several networks, if they share it

    def _outputs(self, pictures: NDArray[np.uint8]) -> Arrays:
        if not len(pictures):
            height, width = pictures.shape[1:3]
            return tuple(output[:0] for output in self.infer(np.zeros((1, height, width, 3), np.uint8)))
        starts = range(0, len(pictures), self.batch)
        with self._stage():
            return _joined([self.infer(pictures[start : start + self.batch]) for start in starts])


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _joined(parts: list[Arrays]) -> Arrays:
    return parts[0] if len(parts) == 1 else tuple(np.concatenate(outputs) for outputs in zip(*parts, strict=True))
