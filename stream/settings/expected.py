"""`expected`: in words, what a setting may be, told from the settings' own schema; and what was given instead."""

from __future__ import annotations

import functools
import json
import math
import re
import reprlib
from collections.abc import Sequence
from typing import Any, Final

from stream.settings.model import Settings

__all__ = ["expected", "shown"]

_COUNTS: Final = {2: "two", 3: "three", 4: "four"}
_SHOWN_CHARACTERS: Final = 80


def expected(path: Sequence[str]) -> str:
    """What the setting at `path` may be: "a number from 0 to 1", "auto, cpu or cuda:0".

    Args:
        path: sections and names; places in lists as digits.
    """
    schema = _schema()
    node: dict[str, Any] = schema
    for part in path:
        node = _below(_resolved(node, schema), part, schema) or {}
    return _words(_resolved(node, schema), schema)


def shown(value: object) -> str:
    """A value as YAML would have it, cut to one short line: "is 'gpu'", "has no value"."""
    if value is None:
        return "has no value"
    if isinstance(value, bool):
        return f"is {'true' if value else 'false'}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}"
    try:
        text = _Short().repr(value)
    except ValueError:  # a whole number of more digits than Python writes
        return "is a number too large to write"
    text = re.sub(r"://.*", "://…", text)  # an address may hold a password
    return f"is {text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + '…'}"


class _Short(reprlib.Repr):
    """Never follows references round, nor writes all of a long value."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60
        self.maxlevel = 3


@functools.cache
def _schema() -> dict[str, Any]:
    return Settings.model_json_schema()


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else node


def _below(node: dict[str, Any], part: str, schema: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of what is in a section under this name, or in a list at this place."""
    for one in (node, *node.get("anyOf", ())):
        one = _resolved(one, schema)
        if part in one.get("properties", {}):
            return dict(one["properties"][part])
        if part.isdecimal() and "prefixItems" in one:
            return dict(one["prefixItems"][min(int(part), len(one["prefixItems"]) - 1)])
        if part.isdecimal() and "items" in one:
            return dict(one["items"])
    return None


def _words(node: dict[str, Any], schema: dict[str, Any]) -> str:
    kind = node.get("type")
    if "anyOf" in node:
        branches = [_words(_resolved(one, schema), schema) for one in node["anyOf"]]
        return _or(list(dict.fromkeys(branches)))
    if "enum" in node:
        return _or([_yaml(value) for value in node["enum"]])
    if "const" in node:
        return _yaml(node["const"])
    if "description" in node and kind == "string":
        return str(node["description"])
    if kind in ("integer", "number"):
        return f"{'a whole number' if kind == 'integer' else 'a number'}{_bounds(node)}"
    if kind == "array":
        return _list(node, schema)
    return {
        "boolean": "true or false",
        "string": "text",
        "null": "null",
        "object": "a section, with settings below it",
    }.get(str(kind), "something else")


def _list(node: dict[str, Any], schema: dict[str, Any]) -> str:
    places = node.get("prefixItems")
    item = _words(_resolved(places[0] if places else node.get("items", {}), schema), schema)
    if item.startswith("a section"):
        return "a list of sections"
    several = item.removeprefix("a ").replace("number", "numbers", 1)
    if places:
        return f"a list of {_COUNTS.get(len(places), str(len(places)))} {several}"
    return f"a list of {several}"


def _bounds(node: dict[str, Any]) -> str:
    low, above = node.get("minimum"), node.get("exclusiveMinimum")
    high, below = node.get("maximum"), node.get("exclusiveMaximum")
    start = f" from {low:g}" if low is not None else f" above {above:g}" if above is not None else ""
    if high is not None:
        return f"{start} {'to' if low is not None else 'up to'} {_plain(high)}"
    return f"{start} and below {_plain(below)}" if below is not None else start


def _plain(number: float) -> str:
    return f"{number:.0f}" if float(number).is_integer() else f"{number:g}"


def _yaml(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _or(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"
