"""`EstimatorPool`: several batches in the network at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from pose.closing import Closing
from pose.errors import StanceError

__all__ = ["EstimatorPool"]

Batch = TypeVar("Batch", bound=list)
Result = TypeVar("Result")


class EstimatorPool(Closing):
    """Runs the network on worker threads, several batches at once, and gives the results in order.

    On a CPU each worker computes on its share of the cores, down to one. Threads that work on one batch together wait
    for each other after every layer, and wait long whenever a decoder, an encoder or another program holds one of their
    cores; threads with a batch of their own do not. On a GPU there is one worker; it computes while Python deals with
    the batch before.

    Args:
        workers: how many calls run at once, at most `PoseEstimator.concurrency`.
    """

    def __init__(self, workers: int) -> None:
        import torch

        self._workers = workers
        self._set_threads = torch.set_num_threads
        self._threads = torch.get_num_threads()
        share = max(self._threads // workers, 1)
        self._pool = ThreadPoolExecutor(workers, "network", self._set_threads, (share,))

    def in_order(self, take: Callable[[], Batch], find: Callable[[Batch], Result]) -> Iterator[tuple[Batch, Result]]:
        """Every batch with its result, in the order of the batches. For recordings: it adds batches of latency.

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

    def freshest(
        self, take: Callable[[Callable[[], bool]], Batch], find: Callable[[Batch], Result], wake: Callable[[], None]
    ) -> Iterator[tuple[Batch, Result]]:
        """The same for live sources: a batch is taken when a worker is free for it and not before, so that it is fresh.

        Args:
            take: gives the next batch, and waits for it until the function it is called with says True; then it gives
                an empty one. An empty one otherwise is the end.
            find: gives a batch's result, on a worker.
            wake: makes `take` ask that function again; called from a worker.

        Raises:
            StanceError: as for `in_order`.
        """
        working: deque[tuple[Batch, Future[Result]]] = deque()
        failure: StanceError | None = None
        ended = False

        def first_is_done() -> bool:
            return bool(working) and working[0][1].done()

        while True:
            # A worker that has just become free gets what is there before its last result is dealt with.
            while not ended and sum(not future.done() for _, future in working) < self._workers:
                try:
                    batch = take(first_is_done)
                except StanceError as error:
                    failure, ended = error, True
                    break
                if not batch:
                    ended = not first_is_done()
                    break
                future = self._pool.submit(find, batch)
                working.append((batch, future))
                future.add_done_callback(lambda _: wake())
                if first_is_done():
                    break
            if not working:
                break
            batch, future = working.popleft()
            yield batch, future.result()
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Let the batches in work end and forget the others. Twice does no harm."""
        self._pool.shutdown(cancel_futures=True)
        self._set_threads(self._threads)  # PyTorch takes what a worker set as the value for every new thread
