"""The labels file: a pickled list of str, written plainly and read without trust."""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any, Final

from index.errors import DatabaseDamaged, UnsafeLabels

__all__ = ["dump_labels", "load_labels"]

# All that a list of str needs, in every pickle protocol. No opcode here can import, build or call anything.
_STRINGS: Final = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
_LISTS: Final = ("EMPTY_LIST", "LIST", "APPEND", "APPENDS")
_PUTS: Final = ("PUT", "BINPUT", "LONG_BINPUT")
_MEMO: Final = (*_PUTS, "MEMOIZE", "GET", "BINGET", "LONG_BINGET")
_ALLOWED: Final = frozenset(("PROTO", "FRAME", "MARK", "STOP", *_STRINGS, *_LISTS, *_MEMO))


class _Namer(pickle.Unpickler):
    """Refuses every global by name, before anything is imported."""

    def find_class(self, module: str, name: str) -> Any:
        raise UnsafeLabels(f"{module}.{name}")

    def persistent_load(self, identifier: Any) -> Any:
        raise UnsafeLabels("a persistent object")


def dump_labels(labels: list[str]) -> bytes:
    """The bytes of a labels file; `pickle.load` gives the list back."""
    return pickle.dumps([str(label) for label in labels], protocol=4)


def load_labels(data: bytes, name: str = "the labels file") -> list[str]:
    """Read a pickled list of str, and nothing else.

    The opcodes are looked through first, and only those that a list of str needs are let pass, so nothing in the file
    is ever imported or run, and no crafted number makes the reader take memory out of proportion to the file.

    Args:
        data: the file's content.
        name: what to call the file in an error.

    Raises:
        UnsafeLabels: the file holds something else; the sentence names it.
        DatabaseDamaged: the file is no complete pickle.
    """
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name not in _ALLOWED:
                raise UnsafeLabels(_refusal(name, _offender(data, opcode.name)))
            if opcode.name in _PUTS and int(str(argument)) > len(data):
                raise UnsafeLabels(_refusal(name, f"a memo number of {argument}"))
        labels = pickle.loads(data)
    except UnsafeLabels:
        raise
    except (ValueError, EOFError, IndexError, KeyError, TypeError, pickle.UnpicklingError, UnicodeError) as error:
        cure = "Restore it from a backup, or rebuild the database with `stance build --replace`"
        raise DatabaseDamaged(f"{name} is damaged and cannot be read. {cure}.") from error
    if type(labels) is not list:
        raise UnsafeLabels(_refusal(name, f"a {type(labels).__name__}"))
    for label in labels:
        if type(label) is not str:
            raise UnsafeLabels(_refusal(name, f"a {type(label).__name__} in the list"))
    return labels


def _offender(data: bytes, opcode: str) -> str:
    """The global that the pickle would import, or else the opcode that is out of place."""
    if opcode in ("GLOBAL", "INST", "STACK_GLOBAL"):  # all before it has been let pass, so reading up to it is safe
        try:
            _Namer(io.BytesIO(data)).load()
        except (UnsafeLabels, ValueError, IndexError, TypeError, pickle.UnpicklingError) as error:
            if isinstance(error, UnsafeLabels):
                return str(error)
    return f"pickle opcode {opcode}"


def _refusal(name: str, found: str) -> str:
    return (
        f"{name} holds {found}, where only a list of str may be; it was refused and nothing from it was run. "
        "Get the file from whoever made the database, or rebuild it with `stance build --replace`."
    )
