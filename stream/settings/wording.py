"""What is wrong with a setting, in words that need no knowledge of the library that found it."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["shown", "wanted"]

_BY_KIND: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "bool_type": lambda _: "use true or false",
    "finite_number": lambda _: "use a finite number",
    "float_type": lambda _: "use a number",
    "greater_than": lambda limit: f"use more than {limit['gt']:g}",
    "greater_than_equal": lambda limit: f"use at least {limit['ge']:g}",
    "int_from_float": lambda _: "use a whole number",
    "int_type": lambda _: "use a whole number",
    "less_than": lambda limit: f"use less than {limit['lt']:g}",
    "less_than_equal": lambda limit: f"use at most {limit['le']:g}",
    "list_type": lambda _: "use a list, such as [1, 2]",
    "literal_error": lambda limit: f"use {limit['expected']}",
    "region": lambda _: "use [left, top, right, bottom] with left < right, top < bottom",
    "string_type": lambda _: "use text",
    "too_long": lambda limit: f"use a list of at most {limit['max_length']}",
    "too_short": lambda limit: f"use a list of at least {limit['min_length']}",
    "tuple_type": lambda _: "use a list, such as [1, 2]",
}

_BY_NAME: Final = {
    "device": "use auto, cpu or cuda:0",
    "name": "use letters, digits, points, - and _",
    "webcam_format": "use four letters or digits, such as MJPG",
}
"""Texts that must have a form."""


def wanted(name: str, kind: str, limits: Mapping[str, Any]) -> str:
    """What to use instead.

    Args:
        name: of the setting, without its section.
        kind: pydantic's name of the fault.
        limits: what pydantic says of the range.
    """
    if kind in ("string_pattern_mismatch", "string_type") and name in _BY_NAME:
        return _BY_NAME[name]
    return _BY_KIND[kind](limits) if kind in _BY_KIND else "see config.yaml for what it may be"


def shown(value: Any) -> str:
    """A value as a YAML file has it, cut short if it is long."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    try:
        text = _Short().repr(list(value) if isinstance(value, tuple) else value)
    except ValueError:  # a whole number of more digits than Python writes
        return "a number too large to write"
    return re.sub(r"://.*", "://…", text)  # an address may hold a password


class _Short(reprlib.Repr):
    """Writes little of a long value, and never follows references round in circles."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60
        self.maxlevel = 3
