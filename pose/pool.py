"""`EstimatorPool`: several batches in the network at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from pose.errors import StanceError

__all__ = ["EstimatorPool"]

Batch = TypeVar("Batch", bound=list)
Result = TypeVar("Result")


class EstimatorPool:
    """Runs the network on worker threads, several batches at once, and gives the results in order.

    On a CPU each worker computes on its share of the cores, down to one. Threads that work on one batch together wait
    for each other after every layer, and wait long whenever a decoder, an encoder or another program holds one of their
    cores; threads with a batch of their own do not. On a GPU there is one worker; it computes while Python deals with
    the batch before.

    For recordings and pictures: it adds throughput, and batches of latency.

    Args:
        workers: how many calls run at once, `PoseEstimator.concurrency`.
    """

    def __init__(self, workers: int) -> None:
        import torch

        self._workers = workers
        self._set_threads = torch.set_num_threads
        self._threads = torch.get_num_threads()
        share = max(self._threads // workers, 1)
        self._pool = ThreadPoolExecutor(workers, "network", self._set_threads, (share,))

    def in_order(self, take: Callable[[], Batch], find: Callable[[Batch], Result]) -> Iterator[tuple[Batch, Result]]:
        """Every batch with its result, in the order of the batches.

        Args:
            take: gives the next batch; an empty one is the end.
            find: gives a batch's result, on a worker.

        Raises:
            StanceError: `take` failed; the batches before it come first. An error of `find` rises in its batch's place.
        """
        waiting: deque[tuple[Batch, Future[Result]]] = deque()
        failure: StanceError | None = None
        ended = False
        while True:
            while not ended and len(waiting) <= self._workers:  # one more than can run, so that none has to wait
                try:
                    batch = take()
                except StanceError as error:
                    failure, ended = error, True
                    break
                if batch:
                    waiting.append((batch, self._pool.submit(find, batch)))
                else:
                    ended = True
            if not waiting:
                break
            batch, future = waiting.popleft()
            yield batch, future.result()
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Let the batches in work end and forget the others. Twice does no harm."""
        self._pool.shutdown(cancel_futures=True)
        self._set_threads(self._threads)  # PyTorch takes what a worker set as the value for every new thread

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
