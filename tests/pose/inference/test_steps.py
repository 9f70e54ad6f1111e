"""Steps that wait for a network: carried out alone, and several together."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest

from pose.inference.steps import Answer, Steps, complete, together


def given(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def adding(*numbers: int) -> Steps[int]:
    """One question for each number, one after the other."""
    total = 0
    for number in numbers:
        future = given(number)
        yield (future,)
        total += future.result()
    return total


def rounds(steps: Steps[Any]) -> tuple[list[int], Any]:
    """How many futures every round waits for, and the result."""
    sizes: list[int] = []
    while True:
        try:
            sizes.append(len(next(steps)))
        except StopIteration as end:
            return sizes, end.value


def test_steps_go_on_when_their_answers_are_there() -> None:
    asked, answer = Event(), Event()

    def steps(pool: ThreadPoolExecutor) -> Steps[str]:
        first = pool.submit(lambda: "a")
        second = pool.submit(lambda: answer.wait(10) and "b")
        asked.set()
        yield (first, second)
        assert first.done()
        assert second.done()
        return first.result() + second.result()

    with ThreadPoolExecutor(3) as pool:
        carried_out = pool.submit(complete, steps(pool))
        assert asked.wait(10)
        assert not carried_out.done()
        answer.set()
        assert carried_out.result(10) == "ab"


def test_steps_that_ask_nothing() -> None:
    assert complete(adding()) == 0

    def no_answer_needed() -> Steps[int]:
        yield ()
        return 7

    assert complete(no_answer_needed()) == 7


def test_an_error_of_the_network_rises_where_the_steps_read_it() -> None:
    def steps() -> Steps[str]:
        future: Future[None] = Future()
        future.set_exception(MemoryError("full"))
        yield (future,)
        try:
            future.result()
        except MemoryError as error:
            return f"told: {error}"
        return "nothing"

    assert complete(steps()) == "told: full"


def test_together_keeps_the_order_and_asks_round_by_round() -> None:
    sizes, results = rounds(together([adding(1, 2, 3), adding(), adding(10), adding(20, 30)]))
    assert results == [6, 0, 10, 50]
    assert sizes == [3, 2, 1]  # all that is asked in a round is under way at once


def test_together_has_everything_under_way_at_once() -> None:
    meeting = Barrier(3)

    def steps(pool: ThreadPoolExecutor) -> Steps[int]:
        future = pool.submit(meeting.wait, 10)
        yield (future,)
        return future.result()

    with ThreadPoolExecutor(3) as pool:
        assert sorted(complete(together([steps(pool) for _ in range(3)]))) == [0, 1, 2]


def test_together_of_none() -> None:
    assert complete(together([])) == []


def test_together_of_together() -> None:
    assert complete(together([together([adding(1), adding(2, 3)]), together([adding(4)])])) == [[1, 5], [4]]


def test_an_error_of_one_of_several_rises() -> None:
    def broken() -> Steps[int]:
        yield (given(1),)
        raise ValueError("a picture of no size")

    with pytest.raises(ValueError, match="of no size"):
        complete(together([adding(1, 2), broken()]))


def test_an_answer_reads_its_calls_in_order() -> None:
    def read(outputs: Sequence[int]) -> str:
        return "".join(map(str, outputs))

    assert Answer(tuple(map(given, (3, 1, 2))), read).result() == "312"
    assert Answer((), read).result() == ""
