"""Names of postures that people take for one name: `Standing ` beside `standing`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from index.building.pictures import Folder
from index.classification import OTHER_LABEL

__all__ = ["merge_names", "name_warnings"]


def merge_names(found: Folder, known: Iterable[str] = ()) -> Folder:
    """The same pictures, with names of classes that differ only in upper and lower case or in spaces made one.

    A name that a database has, or `other`, is kept; otherwise the one with the most pictures is, without spaces around
    it.

    Args:
        found: the class folders.
        known: the names that a database has already.
    """
    kept: dict[str, str] = {}
    for name in (OTHER_LABEL, *known):
        kept.setdefault(_key(name), name)
    count = Counter(picture.label for picture in found.pictures)
    for name in sorted(found.classes, key=lambda name: (-count[name], name.swapcase())):  # ties: small letters
        kept.setdefault(_key(name), " ".join(name.split()) or name)
    return replace(
        found,
        pictures=tuple(replace(picture, label=kept[_key(picture.label)]) for picture in found.pictures),
        classes=tuple(dict.fromkeys(kept[_key(name)] for name in found.classes)),
    )


def name_warnings(names: Iterable[str], known: Iterable[str] = ()) -> list[str]:
    """A sentence for every group of alike names, and one if there is a single posture.

    Args:
        names: of class folders with pictures.
        known: the names that a database has already.
    """
    given, there = list(names), list(known)
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys((*there, *given)):
        groups.setdefault(_key(name), []).append(name)
    if _key(OTHER_LABEL) in groups and OTHER_LABEL not in groups[_key(OTHER_LABEL)]:
        groups[_key(OTHER_LABEL)].append(OTHER_LABEL)
    warnings = [
        f"The postures {' and '.join(map(repr, alike))} differ only in case or spaces, and are learnt as "
        f"{len(alike)} postures. Rename a folder, or make them one with `stance build FOLDER --merge-alike`."
        for alike in groups.values()
        if len(alike) > 1 and not set(alike) <= set(there)
    ]
    postures = {*there, *given}
    if len(postures) == 1:
        (only,) = postures
        warnings.append(
            f"There is only one posture, {only!r}: everybody near enough will be called that. Add a folder of another "
            f"posture, or one called {OTHER_LABEL} that shows what it is not."
        )
    return warnings


def _key(name: str) -> str:
    return "".join(name.split()).casefold()
