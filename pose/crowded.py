"""`say_crowded`: that more people are in a picture than are looked at."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["say_crowded"]

log = logging.getLogger(__name__)

LIKELY: Final = 0.3  # of lower scores most are nobody, and there are some of those in every street


def say_crowded(left_out: NDArray[np.floating[Any]], max_people: int, which: str = "largest") -> None:
    """Say once in the log that `max_people` leaves somebody out.

    Args:
        left_out: the scores of those who are left out, `[N]`.
        max_people: the bound.
        which: who stays: the `largest`, or the `best`.
    """
    if (left_out >= LIKELY).any():
        _say(max_people, which)


@cache
def _say(max_people: int, which: str) -> None:
    log.warning(
        "There are more than %d people in a picture, and the %s %d are looked at. Raise pose.max_people for more.",
        max_people, which, max_people,
    )  # fmt: skip
