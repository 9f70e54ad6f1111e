"""Work that waits for a network on its way.

A function that needs answers of a network is written top to bottom as a generator: it yields the futures that it waits
for and goes on when they are done. `complete` carries one out on the spot; `stream.reading.scheduler` carries out many
at a time, so that the network is busy with one picture while Python deals with another.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["Answer", "Steps", "complete", "together"]

Result = TypeVar("Result")

Steps = Generator["Sequence[Future[Any]]", None, Result]
"""Yields futures that must be done before it goes on; returns its result."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[Result]):
    """What a network was asked, and how its output is to be read.

    Attributes:
        futures: the calls that are under way.
        read: from their results, in order, to what was asked for; called once they are done.
    """

    futures: tuple[Future[Any], ...]
    read: Callable[[list[Any]], Result]

    def result(self) -> Result:
        """What was asked for; waits where a call is not done."""
        return self.read([future.result() for future in self.futures])


def complete(steps: Steps[Result]) -> Result:
    """Carry out `steps` on this thread and give its result."""
    while True:
        try:
            futures = next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
        wait(futures)


def together(several: Sequence[Steps[Result]]) -> Steps[list[Result]]:
    """Several at once: what all of them ask goes to the network together. Their results, in order."""
    results: dict[int, Result] = {}
    left = dict(enumerate(several))
    while left:
        futures: list[Future[Any]] = []
        for number, steps in list(left.items()):
            try:
                futures += next(steps)
            except StopIteration as end:
                results[number] = end.value
                del left[number]
        if left:
            yield futures
    return [results[number] for number in range(len(several))]
