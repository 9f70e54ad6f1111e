"""Reading `config.yaml` and `--set`, with every fault reported at once, by line."""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from index.building.pictures import printable
from pose.errors import reason_of
from stream.errors import ConfigurationError
from stream.settings.model import Settings
from stream.settings.wording import shown, wanted

__all__ = ["load_settings"]

KeyPath = tuple[str, ...]

log = logging.getLogger(__name__)

_DEEPEST: Final = 4

RENAMED: Final[dict[KeyPath, KeyPath]] = {
    ("steadying",): ("keypoint_filter",),
    ("keypoint_filter", "resting_cutoff_hz"): ("keypoint_filter", "min_cutoff_hz"),
    ("keypoint_filter", "moving_cutoff_hz"): ("keypoint_filter", "beta"),
    ("index", "min_share"): ("index", "min_probability"),
    ("smoothing", "unknown_share"): ("smoothing", "unknown_probability"),
    ("smoothing", "look_ahead_seconds"): ("smoothing", "lag_seconds"),
    ("tracking", "sure_score"): ("pose", "high_score_threshold"),
    ("tracking", "high_score_threshold"): ("pose", "high_score_threshold"),
}
"""Settings that had another name until version 0.2; a section comes before what is in it."""


def load_settings(file: str | Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Settings from a YAML file and from overrides like `pose.device=cpu`, later ones winning.

    Args:
        file: None reads `config.yaml` in the current folder if there is one.

    Raises:
        ConfigurationError: what is given cannot be used; the message has one line for every fault.
    """
    path = Path(file) if file is not None else Path("config.yaml")
    faults: list[str] = []
    values: dict[str, Any] = {}
    places: dict[KeyPath, str] = {}
    if file is not None or os.path.isfile(path):
        values = _read(path, places, faults)
    for override in overrides:
        _apply(override, values, places, faults)
    _rename(values, places, faults)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        faults += _sentences(error, places)
    if faults:
        raise ConfigurationError("\n".join(faults))
    return settings


def _read(path: Path, places: dict[KeyPath, str], faults: list[str]) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        faults.append(f"{path} is missing. Name a file that exists, or none for the defaults.")
        return {}
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{path} cannot be read ({reason_of(error)}).")
        return {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line = f" line {mark.line + 1}" if mark else ""
        why = problem or "a character that YAML does not allow"
        faults.append(f"{path}{line}: not YAML: {why}. Check the colons, quotes and spaces there.")
        return {}
    except RecursionError:
        faults.append(f"{path}: lists or sections are nested too deeply. Settings have two levels.")
        return {}
    except ValueError:  # a number or date that Python does not make: 5,000 digits, 30 February
        faults.append(f"{path}: a number or date in it is impossible. Put text in quotes.")
        return {}
    if values is None:
        return {}
    if not isinstance(values, dict):
        faults.append(f"{path} line 1: expected sections such as `pose:` with settings below them.")
        return {}
    _note_places(node, (), str(path), places, faults)
    return values


def _note_places(node: Any, at: KeyPath, file: str, places: dict[KeyPath, str], faults: list[str]) -> None:
    if len(at) > _DEEPEST:  # no setting is so deep, and aliases may lead round in circles
        return
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            places[*at, str(number)] = f"{file} line {item.start_mark.line + 1}"
            _note_places(item, (*at, str(number)), file, places, faults)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        path = (*at, str(key.value))
        place = f"{file} line {key.start_mark.line + 1}"
        if path in places:
            faults.append(f"{place}: {'.'.join(path)} stands there twice (first at {places[path]}).")
        places[path] = place
        _note_places(value, path, file, places, faults)


def _apply(override: str, values: dict[str, Any], places: dict[KeyPath, str], faults: list[str]) -> None:
    name, equals, text = override.partition("=")
    path = tuple(name.strip().split("."))
    place = f"setting {name.strip()}"
    if not equals or not all(path):
        faults.append(f"setting {override}: expected SECTION.NAME=VALUE, for instance pose.device=cpu.")
        return
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        value = text
    section = values
    for part in path[:-1]:
        below = section.setdefault(part, {})
        if not isinstance(below, dict):
            faults.append(f"{place}: {part} is not a section.")
            return
        section = below
    section[path[-1]] = value
    for depth in range(1, len(path)):
        places.setdefault(path[:depth], place)
    places[path] = place


def _rename(values: dict[str, Any], places: dict[KeyPath, str], faults: list[str]) -> None:
    """Settings under their old names move to the new ones, with a line each."""
    for old, new in RENAMED.items():
        section, target = _section(values, old[:-1]), values
        if section is None or old[-1] not in section:
            continue
        place, before, after = places.get(old, "settings"), ".".join(old), ".".join(new)
        value = section.pop(old[-1])
        for part in new[:-1]:
            target = target.setdefault(part, {})
            if not isinstance(target, dict):  # which is told as its own fault
                break
        else:
            given = target.get(new[-1])
            if isinstance(given, dict) and isinstance(value, dict) and not given.keys() & value.keys():
                value = given | value
            elif new[-1] in target:
                faults.append(f"{place}: {before} is the old name of {after}, which is set as well. Keep {after}.")
                continue
            log.warning("%s: %s is now called %s.", place, before, after)
            target[new[-1]] = value
            for path in [path for path in places if path[: len(old)] == old]:
                places.setdefault((*new, *path[len(old) :]), places[path])


def _section(values: dict[str, Any], path: KeyPath) -> dict[str, Any] | None:
    """What is below a path; None where nothing is."""
    section: Any = values
    for part in path:
        section = section.get(part) if isinstance(section, dict) else None
    return section if isinstance(section, dict) else None


def _sentences(error: ValidationError, places: dict[KeyPath, str]) -> Iterable[str]:
    """One sentence for a setting, not one for every form it might have had: the fault that lies deepest."""
    deepest: dict[KeyPath, ErrorDetails] = {}
    for fault in error.errors():
        # Behind the setting's own name pydantic adds the branch of a union it tried.
        path: KeyPath = tuple(str(part) for part in fault["loc"])
        while path and path not in places:
            path = path[:-1]
        if path not in deepest or _depth(fault) > _depth(deepest[path]):
            deepest[path] = fault
    for path, fault in deepest.items():
        place = places.get(path, "settings")
        name = printable(".".join(path))
        if fault["type"] == "invalid_key":
            yield f"{place}: {fault['loc'][-1]!r} is not a setting; names are text."
        elif fault["type"] == "extra_forbidden":
            yield f"{place}: {name} is not a setting; {_near(path)}"
        elif fault["type"] in ("model_type", "model_attributes_type"):
            yield f"{place}: {name} is a section, with settings below it."
        elif fault["type"] == "missing" and isinstance(fault["loc"][-1], int):
            yield f"{place}: {name} is {shown(fault['input'])}; use a list of {_length(fault, error)}."
        elif fault["type"] == "missing":
            yield f"{place}: {name} needs {fault['loc'][-1]}."
        else:
            instead = wanted(path[-1] if path else "", fault["type"], fault.get("ctx", {}))
            yield f"{place}: {name} is {shown(fault['input'])}; {instead}."


def _depth(fault: ErrorDetails) -> tuple[int, bool]:
    """How near a value came to what was wanted: something is wrong in it, or with it, or it is of the wrong kind."""
    return len(fault["loc"]), not fault["type"].endswith("_type")


def _length(fault: ErrorDetails, error: ValidationError) -> int:
    """How many values a list of fixed length must have: pydantic names every one that is missing."""
    own = fault["loc"][:-1]
    return 1 + max(last for one in error.errors() if one["loc"][:-1] == own and isinstance(last := one["loc"][-1], int))


def _near(path: KeyPath) -> str:
    model: type[BaseModel] | None = Settings
    for part in path[:-1]:
        if part.isdecimal():  # a place in a list of the model
            continue
        field = model.model_fields.get(part) if model else None
        annotation = field.annotation if field else None
        annotation = next(iter(get_args(annotation)), annotation)
        model = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    if model is None:
        return "it has nothing below it."
    names = list(model.model_fields)
    near = difflib.get_close_matches(path[-1], names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}."
