"""Reading PyTorch checkpoints without running anything in them.

The published checkpoint is a pickled module, so an ordinary load imports and runs whatever classes it names. Here every
global a file may name is in one of three short lists: a few that rebuild tensors, which are ours; a few that only
matter to bookkeeping and become inert objects; and layer classes, which become empty shells that hold attributes.
Anything else is refused by name before it is called.

Both containers are read: the zip file of torch 1.6 and later, and the five consecutive pickles before that.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import torch
from torch import Tensor

from pose.errors import WeightsError, reason_of

__all__ = ["Shell", "StoredTensor", "load_pickled"]

LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL: Final = 1001

DTYPES: Final = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

LAYERS: Final = frozenset(
    [f"models.yolo.{name}" for name in ("Model", "IKeypoint", "Detect", "IDetect")]
    + [
        f"models.common.{name}"
        for name in ("Conv", "DWConv", "RepConv", "Concat", "ReOrg", "SPPCSPC", "MP", "SP", "ImplicitA", "ImplicitM")
    ]
    + [
        f"torch.nn.modules.{name}"
        for name in (
            "activation.SiLU",
            "activation.LeakyReLU",
            "activation.ReLU",
            "activation.Sigmoid",
            "batchnorm.BatchNorm2d",
            "batchnorm.SyncBatchNorm",
            "container.ModuleList",
            "container.ParameterList",
            "container.Sequential",
            "conv.Conv2d",
            "linear.Identity",
            "pooling.MaxPool2d",
            "upsampling.Upsample",
        )
    ]
)

BOOKKEEPING: Final = frozenset(
    [
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "numpy.ndarray",
        "numpy.dtype",
        "_codecs.encode",
        "torch.serialization._get_layout",
        "torch.device",
        "torch._C._VariableFunctions.device",
    ]
)


class Shell:
    """Stands for an object of a layer class: the class's name and the attributes the file gave it, no behaviour."""

    class_name = ""


class _Inert:
    """Takes any arguments and any state, and is nothing."""

    __slots__ = ()

    def __init__(self, *args: object, **kwargs: object):
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _Mapping(dict[Any, Any]):
    """An OrderedDict without attributes, so that a file cannot replace its methods."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        pass


class _Storage:
    """Flat memory of one dtype. In a legacy file it is filled after the objects that look into it were built."""

    __slots__ = ("flat",)

    def __init__(self, flat: Tensor):
        self.flat = flat


class StoredTensor:
    """A tensor as the file describes it: a view of a storage, all still as the file claims."""

    __slots__ = ("offset", "size", "storage", "stride")

    def __init__(self, storage: object, offset: object, size: object, stride: object, *_: object):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def tensor(self) -> Tensor:
        """The tensor itself, after its claims were checked.

        Raises:
            UnpicklingError: it has no storage, reaches past it, or is larger than it.
        """
        storage, offset, size, stride = self.storage, self.offset, self.size, self.stride
        if not isinstance(storage, _Storage):
            raise pickle.UnpicklingError("a tensor has no storage")
        if not (isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride)):
            raise pickle.UnpicklingError("a tensor has an impossible shape")
        if not all(isinstance(n, int) and n >= 0 for n in (offset, *size, *stride)):
            raise pickle.UnpicklingError("a tensor has an impossible shape")
        assert isinstance(offset, int)
        available = storage.flat.numel()
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if all(size) else -1
        # Strides of zero make a tensor of any size from one number; no weights are like that.
        if last >= available or math.prod(size) > available:
            raise pickle.UnpicklingError("a tensor reaches past its storage")
        return torch.as_strided(storage.flat, size, stride, offset if all(size) else 0)


def _first(value: object, *_: object) -> object:
    return value


REBUILD: Final[dict[str, Callable[..., object]]] = {
    "collections.OrderedDict": _Mapping,
    "__builtin__.set": set,
    "builtins.set": set,
    "torch.Size": tuple,
    "torch._utils._rebuild_tensor_v2": StoredTensor,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: BinaryIO, storage: Callable[[str, torch.dtype, int], _Storage]):
        super().__init__(stream, encoding="utf-8")
        self._storage = storage
        self._shells: dict[str, type[Shell]] = {}

    def find_class(self, module: str, name: str) -> Any:
        path = f"{module}.{name}"
        if path in REBUILD:
            rebuild = REBUILD[path]
            return lambda *arguments: rebuild(*arguments)  # the file gets no hold of an object of ours it could alter
        if path in LAYERS:
            return self._shells.setdefault(path, type(name, (Shell,), {"class_name": path}))
        if path in BOOKKEEPING:
            return lambda *arguments: _Inert()
        if module in ("torch", "torch.storage") and name in DTYPES:
            return DTYPES[name]
        raise _Refused(path)

    def persistent_load(self, pid: Any) -> Any:
        if not isinstance(pid, tuple) or not pid:
            raise pickle.UnpicklingError("a reference of unknown form")
        if pid[0] == "module" and len(pid) > 1:  # legacy containers wrap every class with its source text
            return pid[1]
        if pid[0] != "storage" or len(pid) < 5 or not isinstance(pid[1], torch.dtype):
            raise pickle.UnpicklingError("a reference of unknown form")
        if not isinstance(pid[2], str) or not isinstance(pid[4], int) or pid[4] < 0:
            raise pickle.UnpicklingError("a storage of unknown form")
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError("a storage that is a view of another")
        return self._storage(pid[2], pid[1], pid[4])


def _unpickle(stream: BinaryIO, storage: Callable[[str, torch.dtype, int], _Storage]) -> Any:
    """Load one pickle, after a look at its opcodes.

    Python's unpickler trusts the lengths and memo numbers it reads and allocates what they ask for, so one wrong byte
    can cost all memory. Picklers number the memo consecutively and `genops` stumbles over false lengths.
    """
    start = stream.tell()
    remembered = 0
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT"):
            if not isinstance(argument, int) or not 0 <= argument <= remembered:
                raise pickle.UnpicklingError("a memo number out of order")
            remembered += 1
        elif opcode.name == "MEMOIZE":
            remembered += 1
    stream.seek(start)
    return _Unpickler(stream, storage).load()


class _Refused(Exception):
    def __init__(self, path: str):
        super().__init__(path)
        self.path = path


def load_pickled(file: str | Path) -> Any:
    """The object in a `.pt` file: layer objects as `Shell`, tensors as `StoredTensor`, mappings as dict.

    Raises:
        WeightsError: the file names a global that is not on the lists, or is damaged.
    """
    path = Path(file)
    try:
        with path.open("rb") as stream:
            if stream.read(4) == b"PK\x03\x04":
                return _load_zip(path, path.stat().st_size)
            stream.seek(0)
            return _load_legacy(stream, path.stat().st_size)
    except _Refused as refused:
        raise WeightsError(
            f"{path} names {refused.path!r}, which no weights file of Stance needs. It was not run. "
            "Do not use this file unless you trust its origin; a state dict saved as safetensors is always safe."
        ) from None
    except WeightsError:
        raise
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path} is not a whole PyTorch checkpoint ({error}). Fetch or copy it again.") from error
    except (zipfile.BadZipFile, EOFError, struct.error) as error:
        raise WeightsError(f"{path} is not a whole PyTorch checkpoint. Fetch or copy it again.") from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {reason_of(error)}.") from error
    except (AttributeError, LookupError, MemoryError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        # A damaged pickle stream can fail in any of these ways inside the unpickler.
        raise WeightsError(f"{path} is damaged. Fetch or copy it again.") from error


def _load_zip(path: Path, size: int) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        roots = [name[: -len("data.pkl")] for name in names if name.endswith("/data.pkl") or name == "data.pkl"]
        if len(roots) != 1:
            raise pickle.UnpicklingError("no data.pkl inside")
        root = roots[0]

        def read(name: str) -> bytes:
            # PyTorch compresses nothing, so what an entry holds is never more than the file.
            if archive.getinfo(root + name).compress_type != zipfile.ZIP_STORED:
                raise pickle.UnpicklingError(f"{name} is compressed")
            return archive.read(root + name)

        if f"{root}byteorder" in names and read("byteorder") != b"little":
            raise pickle.UnpicklingError("big-endian numbers")
        storages: dict[str, _Storage] = {}
        claimed = 0

        def storage(key: str, dtype: torch.dtype, count: int) -> _Storage:
            nonlocal claimed
            if key not in storages:
                claimed += count * dtype.itemsize
                if claimed > size:  # entries that overlap in the file could add up to any size
                    raise pickle.UnpicklingError(f"storage {key} is larger than the file")
                raw = read(f"data/{key}")
                if len(raw) != count * dtype.itemsize:
                    raise pickle.UnpicklingError(f"storage {key} has {len(raw)} bytes, not {count * dtype.itemsize}")
                flat = torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)
                storages[key] = _Storage(flat)
            return storages[key]

        return _unpickle(io.BytesIO(read("data.pkl")), storage)


def _load_legacy(stream: BinaryIO, size: int) -> Any:
    storages: dict[str, _Storage] = {}
    claimed = 0

    def storage(key: str, dtype: torch.dtype, count: int) -> _Storage:
        nonlocal claimed
        if key not in storages:
            claimed += count * dtype.itemsize
            if claimed > size:
                raise pickle.UnpicklingError(f"storage {key} is larger than the file")
            storages[key] = _Storage(torch.zeros(count, dtype=dtype))
        return storages[key]

    if _unpickle(stream, storage) != LEGACY_MAGIC:
        raise pickle.UnpicklingError("no PyTorch signature")
    if _unpickle(stream, storage) != LEGACY_PROTOCOL:
        raise pickle.UnpicklingError("unknown protocol")
    if not _unpickle(stream, storage).get("little_endian", True):
        raise pickle.UnpicklingError("big-endian numbers")
    loaded = _unpickle(stream, storage)
    filled = _unpickle(stream, storage)
    if not isinstance(filled, list) or not all(isinstance(key, str) for key in filled) or {*filled} != {*storages}:
        raise pickle.UnpicklingError("the list of storages is not that of the tensors")
    for key in filled:
        (count,) = struct.unpack("<q", stream.read(8))
        flat = storages[key].flat
        raw = stream.read(flat.numel() * flat.element_size())
        if count != flat.numel() or len(raw) != flat.numel() * flat.element_size():
            raise pickle.UnpicklingError(f"storage {key} is cut short")
        if raw:
            flat.copy_(torch.frombuffer(bytearray(raw), dtype=flat.dtype))
    return loaded
