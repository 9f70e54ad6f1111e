"""`BatchingWorkers`, with functions in place of the network: who gets which result, errors, and the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError

import pytest

from pose.inference.batching import BatchingWorkers

PATIENCE = 10.0  # seconds until a test gives up


class Gate:
    """A function from numbers to their squares that waits to be let through, and keeps what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.open = threading.Semaphore(0), threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.begun.release()
        assert self.open.wait(PATIENCE)
        return [item * item for item in items]


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


def test_what_waits_goes_together_and_every_asker_gets_the_own_result(gate: Gate) -> None:
    with BatchingWorkers(gate, batch=3) as workers:
        first = workers.submit(0)
        assert gate.begun.acquire(timeout=PATIENCE)  # nobody waited for more to come
        futures = [first, *map(workers.submit, range(1, 6))]
        gate.open.set()
        assert [future.result(PATIENCE) for future in futures] == [0, 1, 4, 9, 16, 25]
    assert gate.batches == [[0], [1, 2, 3], [4, 5]]


def test_several_workers_run_at_once_and_each_begins_first() -> None:
    together, began = threading.Barrier(3), []

    def meet(items: Sequence[int]) -> list[tuple[int, bool]]:
        together.wait(PATIENCE)  # three calls under way, or the test fails
        return [(item, threading.current_thread() in began) for item in items]

    begin = lambda: began.append(threading.current_thread())  # noqa: E731
    with BatchingWorkers(meet, workers=3, begin=begin, name="meeting") as workers:
        futures = [workers.submit(n) for n in range(6)]
        assert [future.result(PATIENCE) for future in futures] == [(n, True) for n in range(6)]
    assert len(began) == 3
    assert not [thread for thread in threading.enumerate() if thread.name == "meeting"]


def test_an_error_rises_at_those_who_asked_and_the_worker_goes_on() -> None:
    def odd_only(items: Sequence[int]) -> list[int]:
        if items[0] % 2 == 0:
            raise ValueError(f"{items[0]} is even")
        return list(items)

    with BatchingWorkers(odd_only) as workers:
        futures = [workers.submit(n) for n in range(4)]
        for number in (0, 2):
            with pytest.raises(ValueError, match=f"{number} is even"):
                futures[number].result(PATIENCE)
        assert [futures[n].result(PATIENCE) for n in (1, 3)] == [1, 3]


def test_too_few_results_are_an_error_and_nobody_waits_for_ever() -> None:
    with BatchingWorkers(lambda items: [], batch=2) as workers:
        with pytest.raises(ValueError, match="zip"):
            workers.submit(1).result(PATIENCE)
        with pytest.raises(ValueError, match="zip"):
            workers.submit(2).result(PATIENCE)  # the worker is still there


def test_an_error_at_the_beginning_rises_at_those_who_ask() -> None:
    def begin() -> None:
        raise RuntimeError("no such device")

    with BatchingWorkers(list, begin=begin) as workers:
        for _ in range(2):
            with pytest.raises(RuntimeError, match="no such device"):
                workers.submit(1).result(PATIENCE)


def test_what_was_cancelled_is_not_run(gate: Gate) -> None:
    with BatchingWorkers(gate, batch=2) as workers:
        workers.submit(0)
        assert gate.begun.acquire(timeout=PATIENCE)
        dropped, kept = workers.submit(1), workers.submit(2)
        assert dropped.cancel()
        gate.open.set()
        assert kept.result(PATIENCE) == 4
    assert gate.batches == [[0], [2]]


def test_closing_ends_what_is_in_work_and_cancels_what_waits(gate: Gate) -> None:
    workers = BatchingWorkers(gate)
    in_work = workers.submit(3)
    assert gate.begun.acquire(timeout=PATIENCE)
    waiting = workers.submit(4)
    closer = threading.Thread(target=workers.close)
    closer.start()
    with pytest.raises(CancelledError):
        waiting.result(PATIENCE)
    assert closer.is_alive()  # it waits for the call in work
    gate.open.set()
    closer.join(PATIENCE)
    assert not closer.is_alive()
    assert in_work.result(0) == 9
    workers.close()
    with pytest.raises(RuntimeError, match="closed"):
        workers.submit(5)


def test_a_result_may_close_the_workers() -> None:
    workers = BatchingWorkers(lambda items: list(items))
    done = threading.Event()

    def close(_: object) -> None:
        workers.close()  # on the worker's own thread, which cannot wait for itself
        done.set()

    workers.submit(1).add_done_callback(close)
    assert done.wait(PATIENCE)
