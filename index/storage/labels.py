"""The labels file: a pickled list of str, written plainly and read without trust."""

from __future__ import annotations

import pickle
import pickletools
from typing import Final

from index.errors import DatabaseDamaged, UnsafeLabels
from index.storage.pickled_arrays import STAND_INS, PickledArray, Refused, StandInUnpickler

__all__ = ["dump_labels", "load_labels"]

# All that lists, tuples and NumPy arrays of strings need, in every pickle protocol. What these opcodes import and call
# is nothing but the stand-ins of `pickled_arrays`.
_STRINGS: Final = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
_LISTS: Final = ("EMPTY_LIST", "LIST", "APPEND", "APPENDS")
_TUPLES: Final = ("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")
_ARRAYS: Final = (
    *("GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1"),
    *("BININT2", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)
_PUTS: Final = ("PUT", "BINPUT", "LONG_BINPUT")
_MEMO: Final = (*_PUTS, "MEMOIZE", "GET", "BINGET", "LONG_BINGET")
_ALLOWED: Final = frozenset(("PROTO", "FRAME", "MARK", "STOP", *_STRINGS, *_LISTS, *_TUPLES, *_ARRAYS, *_MEMO))


def dump_labels(labels: list[str]) -> bytes:
    """The bytes of a labels file; `pickle.load` gives the list back."""
    return pickle.dumps([str(label) for label in labels], protocol=4)


def load_labels(data: bytes, name: str = "the labels file") -> list[str]:
    """Read a pickled list, tuple or NumPy array of strings, and nothing else.

    The opcodes are looked through first, and only those that such a list needs are let pass. Nothing in the file is
    ever imported or run: what rebuilds arrays are stand-ins of ours. No crafted number makes the reader take memory out
    of proportion to the file.

    Args:
        data: the file's content.
        name: what to call the file in an error.

    Raises:
        UnsafeLabels: the file holds something else; the sentence names it.
        DatabaseDamaged: the file is no complete pickle.
    """
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in ("GLOBAL", "INST") and (path := str(argument).replace(" ", ".")) not in STAND_INS:
                raise Refused(path)
            if opcode.name not in _ALLOWED:
                raise Refused(f"pickle opcode {opcode.name}")
            if opcode.name in _PUTS and int(str(argument)) > len(data):
                raise Refused(f"a memo number of {argument}")
        found = StandInUnpickler(data).load()
        if isinstance(found, PickledArray):
            found = found.strings()
        if not isinstance(found, list | tuple):
            raise Refused(f"a {type(found).__name__}")
        labels: list[str] = []
        for entry in found:
            label = entry.strings() if isinstance(entry, PickledArray) else entry
            if type(label) is not str:
                raise Refused(f"a {type(label).__name__} in the list")
            labels.append(label)
        return labels
    except Refused as refused:
        raise UnsafeLabels(
            f"{name} holds {refused}, where only a list of str may be; it was refused and nothing from it was run. "
            "Get the file from whoever made the database, or rebuild it with `stance build --replace`."
        ) from None
    except (
        *(ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError),
        *(RecursionError, pickle.UnpicklingError, UnicodeError),
    ) as error:
        cure = "Restore it from a backup, or rebuild the database with `stance build --replace`"
        raise DatabaseDamaged(f"{name} is damaged and cannot be read. {cure}.") from error
