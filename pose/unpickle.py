"""Reading PyTorch checkpoints without running anything in them.

The published checkpoint is a pickled module, so an ordinary load imports and runs whatever classes it names. Here every
global a file may name is in one of three short lists: a few that rebuild tensors, which are ours; a few that only
matter to bookkeeping and become inert objects; and layer classes, which become empty shells that hold attributes.
Anything else is refused by name before it is called.

Both containers are read: the zip file of torch 1.6 and later, and the five consecutive pickles before that.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import torch
from torch import Tensor

from pose.errors import WeightsError

__all__ = ["Shell", "load_pickled"]

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

    def __init__(self, *args: object, **kwargs: object):
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _Storage:
    """Flat memory of one dtype. In a legacy file it is filled after the objects that look into it were built."""

    __slots__ = ("flat",)

    def __init__(self, flat: Tensor):
        self.flat = flat


def _rebuild_tensor(storage: object, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Tensor:
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without storage")
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise pickle.UnpicklingError("a tensor of impossible shape")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if all(size) else offset - 1
    if last >= storage.flat.numel():
        raise pickle.UnpicklingError("a tensor reaches past its storage")
    return torch.as_strided(storage.flat, size, stride, offset)


def _rebuild_parameter(data: Tensor, *_: object) -> Tensor:
    return data


REBUILD: Final[dict[str, Callable[..., object]]] = {
    "collections.OrderedDict": OrderedDict,
    "__builtin__.set": set,
    "builtins.set": set,
    "torch.Size": tuple,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": _rebuild_parameter,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: BinaryIO, storage: Callable[[str, torch.dtype, int], _Storage]):
        super().__init__(stream, encoding="utf-8")
        self._storage = storage
        self._shells: dict[str, type[Shell]] = {}

    def find_class(self, module: str, name: str) -> Any:
        path = f"{module}.{name}"
        if path in REBUILD:
            return REBUILD[path]
        if path in LAYERS:
            return self._shells.setdefault(path, type(name, (Shell,), {"class_name": path}))
        if path in BOOKKEEPING:
            return _Inert
        if module in ("torch", "torch.storage") and name in DTYPES:
            return DTYPES[name]
        raise _Refused(path)

    def persistent_load(self, pid: Any) -> Any:
        if not isinstance(pid, tuple) or not pid:
            raise pickle.UnpicklingError("a reference of unknown form")
        if pid[0] == "module":  # legacy containers wrap every class with its source text
            return pid[1]
        if pid[0] != "storage" or len(pid) < 5 or not isinstance(pid[1], torch.dtype):
            raise pickle.UnpicklingError("a reference of unknown form")
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError("a storage that is a view of another")
        return self._storage(str(pid[2]), pid[1], int(pid[4]))


class _Refused(Exception):
    def __init__(self, path: str):
        super().__init__(path)
        self.path = path


def load_pickled(file: str | Path) -> Any:
    """The object in a `.pt` file, with layer objects as `Shell` and every tensor on the CPU.

    Raises:
        WeightsError: the file names a global that is not on the lists, or is damaged.
    """
    path = Path(file)
    try:
        with path.open("rb") as stream:
            if stream.read(4) == b"PK\x03\x04":
                return _load_zip(path)
            stream.seek(0)
            return _load_legacy(stream, path.stat().st_size)
    except _Refused as refused:
        raise WeightsError(
            f"{path} names {refused.path!r}, which no weights file of Stance needs. It was not run. "
            "Do not use this file unless you trust its origin; a state dict saved as safetensors is always safe."
        ) from None
    except WeightsError:
        raise
    except (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, struct.error) as error:
        raise WeightsError(f"{path} is not a whole PyTorch checkpoint ({error}). Fetch or copy it again.") from error
    except (AttributeError, IndexError, KeyError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        # A damaged pickle stream can fail in any of these ways inside the unpickler.
        raise WeightsError(f"{path} is damaged ({error}). Fetch or copy it again.") from error


def _load_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        roots = [name[: -len("data.pkl")] for name in names if name.endswith("/data.pkl") or name == "data.pkl"]
        if len(roots) != 1:
            raise pickle.UnpicklingError("no data.pkl inside")
        root = roots[0]
        if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
            raise pickle.UnpicklingError("big-endian numbers")
        storages: dict[str, _Storage] = {}

        def storage(key: str, dtype: torch.dtype, count: int) -> _Storage:
            if key not in storages:
                raw = archive.read(f"{root}data/{key}")
                if len(raw) != count * dtype.itemsize:
                    raise pickle.UnpicklingError(f"storage {key} has {len(raw)} bytes, not {count * dtype.itemsize}")
                flat = torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)
                storages[key] = _Storage(flat)
            return storages[key]

        return _Unpickler(io.BytesIO(archive.read(f"{root}data.pkl")), storage).load()


def _load_legacy(stream: BinaryIO, size: int) -> Any:
    storages: dict[str, _Storage] = {}

    def storage(key: str, dtype: torch.dtype, count: int) -> _Storage:
        if key not in storages:
            if not 0 <= count * dtype.itemsize <= size:
                raise pickle.UnpicklingError(f"storage {key} is larger than the file")
            storages[key] = _Storage(torch.empty(count, dtype=dtype))
        return storages[key]

    def next_pickle() -> Any:
        return _Unpickler(stream, storage).load()

    if next_pickle() != LEGACY_MAGIC:
        raise pickle.UnpicklingError("no PyTorch signature")
    if next_pickle() != LEGACY_PROTOCOL:
        raise pickle.UnpicklingError("unknown protocol")
    if not next_pickle().get("little_endian", True):
        raise pickle.UnpicklingError("big-endian numbers")
    loaded = next_pickle()
    for key in next_pickle():
        (count,) = struct.unpack("<q", stream.read(8))
        flat = storages[str(key)].flat
        raw = stream.read(flat.numel() * flat.element_size())
        if count != flat.numel() or len(raw) != flat.numel() * flat.element_size():
            raise pickle.UnpicklingError(f"storage {key} is cut short")
        if raw:
            flat.copy_(torch.frombuffer(bytearray(raw), dtype=flat.dtype))
    return loaded
