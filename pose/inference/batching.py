"""`BatchingWorkers`: threads that run a function on whatever waits, several items at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from pose.closing import Closing

__all__ = ["BatchingWorkers"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class BatchingWorkers(Closing, Generic[Item, Result]):
    """Runs a function on worker threads. A worker that is free takes what waits, up to `batch` items, in one call.

    So nobody waits for a batch to fill, and batches grow by themselves while the device is busy.

    Args:
        run: from items to one result each, in order.
        workers: how many calls run at once.
        batch: items in one call, at most.
        begin: called first on every worker; its error rises where results are asked for.
        name: of the threads.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        workers: int = 1,
        batch: int = 1,
        begin: Callable[[], object] | None = None,
        name: str = "network",
    ) -> None:
        self._run = run
        self._batch = batch
        self._begin = begin
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Item, Future[Result]]] = deque()
        self._closed = False
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, item: Item) -> Future[Result]:
        """Queue one item.

        Raises:
            RuntimeError: the workers are closed.
        """
        future: Future[Result] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("the workers are closed")
            self._waiting.append((item, future))
            self._changed.notify()
        return future

    def _work(self) -> None:
        fault: BaseException | None = None
        try:
            if self._begin is not None:
                self._begin()
        except BaseException as error:  # a worker that ends here would leave everybody waiting
            fault = error
        while batch := self._take():
            try:
                if fault is not None:
                    raise fault
                results = self._run([item for item, _ in batch])
                answered = list(zip(batch, results, strict=True))
            except BaseException as error:  # rises where the result is asked for
                for _, future in batch:
                    future.set_exception(error)
                continue
            for (_, future), result in answered:
                future.set_result(result)

    def _take(self) -> list[tuple[Item, Future[Result]]]:
        """What waits, up to a batch; nothing at the end."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: bool(self._waiting) or self._closed)
                count = min(self._batch, len(self._waiting))
                batch = [self._waiting.popleft() for _ in range(count)]
                batch = [(item, future) for item, future in batch if future.set_running_or_notify_cancel()]
                if batch or self._closed:
                    return batch

    def close(self) -> None:
        """Let the calls in work end and cancel what waits. Twice does no harm."""
        with self._changed:
            self._closed = True
            waiting, self._waiting = self._waiting, deque()
            self._changed.notify_all()
        for _, future in waiting:
            future.cancel()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
