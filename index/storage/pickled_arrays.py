"""NumPy's strings and arrays of strings in a pickle, rebuilt by stand-ins: nothing is imported, nothing of NumPy runs.

NumPy pickles an array as calls of its own functions with a dtype, a shape and bytes. The stand-ins take the same
arguments, keep what is needed for strings, and refuse the rest.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any, Final

__all__ = ["STAND_INS", "PickledArray", "Refused", "StandInUnpickler"]


class Refused(Exception):
    """Something in the pickle that no list of strings needs; the message names it."""


class _Dtype:
    """`numpy.dtype`: the letter and the byte order are all that counts."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str):
            raise Refused("a dtype of unknown form")
        self.code = code.lstrip("<>=|")
        self.order = ">" if code.startswith(">") else "<"

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
            raise Refused("a dtype of unknown form")
        self.order = ">" if state[1] == ">" else "<"


class PickledArray:
    """An array, or a single string of NumPy's, as its pickle describes it."""

    def __init__(self) -> None:
        self._dtype: _Dtype | None = None
        self._shape: tuple[int, ...] | None = ()
        self._content: object = b""

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Dtype):
            raise Refused("an array of unknown form")
        self._shape, self._dtype, self._content = state[1], state[2], state[4]

    @classmethod
    def scalar(cls, dtype: object, content: object = b"") -> PickledArray:
        """`numpy._core.multiarray.scalar`."""
        return cls.frombuffer(content, dtype, None)

    @classmethod
    def frombuffer(cls, content: object, dtype: object, shape: object, *_: object) -> PickledArray:
        """`numpy._core.numeric._frombuffer`."""
        array = cls()
        if not isinstance(dtype, _Dtype):
            raise Refused("an array of unknown form")
        array._content, array._dtype = content, dtype
        array._shape = shape  # type: ignore[assignment]  # checked when the strings are asked for
        return array

    def strings(self) -> list[Any] | str:
        """The strings: of a single one, or in a list.

        Raises:
            Refused: it is no array of strings with one dimension.
        """
        if self._dtype is None or not (self._shape is None or isinstance(self._shape, tuple)):
            raise Refused("an array of unknown form")
        if self._shape is not None and len(self._shape) != 1:
            raise Refused(f"an array of {len(self._shape)} dimensions")
        if self._dtype.code == "O" or self._dtype.code.startswith("O"):
            if not isinstance(self._content, list):
                raise Refused("an array of unknown form")
            return self._content
        if not self._dtype.code.startswith("U") or not isinstance(self._content, bytes | bytearray):
            raise Refused(f"an array of dtype {self._dtype.code}")
        length = 4 * int(self._dtype.code[1:] or 0)
        content = bytes(self._content)
        if self._shape is None:
            return self._text(content)
        if length == 0 or len(content) % length or (len(content) // length,) != self._shape:
            raise Refused("an array whose size and content differ")
        return [self._text(content[start : start + length]) for start in range(0, len(content), length)]

    def _text(self, content: bytes) -> str:
        assert self._dtype is not None
        return content.decode("utf-32-be" if self._dtype.order == ">" else "utf-32-le", "surrogatepass").rstrip("\0")


def _reconstruct(*_: object) -> PickledArray:
    return PickledArray()


def _encode(text: object, encoding: object = "latin1") -> bytes:
    """`_codecs.encode`, by which older protocols write bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise Refused("bytes of unknown form")
    return text.encode("latin1")


STAND_INS: Final[dict[str, Callable[..., object]]] = {
    "_codecs.encode": _encode,
    "numpy.dtype": _Dtype,
    "numpy.ndarray": _reconstruct,  # only named, as an argument
    **{
        f"numpy.{core}.{name}": stand_in
        for core in ("core", "_core")
        for name, stand_in in (
            ("multiarray._reconstruct", _reconstruct),
            ("multiarray.scalar", PickledArray.scalar),
            ("numeric._frombuffer", PickledArray.frombuffer),
        )
    },
}
"""What a pickle of strings may name, and what is called in its place."""


class StandInUnpickler(pickle.Unpickler):
    """Unpickles with stand-ins for what rebuilds NumPy's strings; every other global is refused by name.

    Raises:
        Refused: from `load`, for anything else.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))

    def find_class(self, module: str, name: str) -> Any:
        stand_in = STAND_INS.get(f"{module}.{name}")
        if stand_in is None:
            raise Refused(f"{module}.{name}")
        return lambda *arguments: stand_in(*arguments)  # the file gets no hold of an object of ours it could alter

    def persistent_load(self, identifier: Any) -> Any:
        raise Refused("a persistent object")
