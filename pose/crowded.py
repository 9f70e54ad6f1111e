"""`say_crowded`: that more people are in a picture than are looked at."""

from __future__ import annotations

import logging
from functools import cache

__all__ = ["say_crowded"]

log = logging.getLogger(__name__)


@cache
def say_crowded(max_people: int, which: str = "largest") -> None:
    """Say once in the log that `max_people` leaves somebody out, and who stays: the `largest`, or the `best`."""
    log.warning(
        "There are more than %d people in a picture, and the %s %d are looked at. Raise pose.max_people for more.",
        max_people, which, max_people,
    )  # fmt: skip
