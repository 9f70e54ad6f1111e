"""Files made to do harm, and files that are damaged: nothing is run, every fault is a `WeightsError`.

Harmful files try to leave a mark on the disk; the mark must not be there afterwards.
"""

from __future__ import annotations

import contextlib
import copyreg
import io
import os
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pose.errors import WeightsError
from pose.networks.yolov7_pose import YoloPose
from pose.weight_files import unpickle
from pose.weight_files.checkpoint import read_checkpoint
from pose.weight_files.unpickle import Shell, StoredTensor, load_pickled
from tests.pose.weight_files.official import save_official


class Evil:
    """Pickles as a call of any function."""

    def __init__(self, function: Callable, *arguments: object):
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


def harmless_state() -> dict[str, torch.Tensor]:
    return {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2, dtype=torch.float16)}


def raw_zip(file: Path, data: bytes, storages: dict[str, bytes] | None = None, compression: int = 0) -> Path:
    """A zip container around any pickle."""
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data)
        for key, content in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", content)
    return file


def raw_legacy(file: Path, data: bytes) -> Path:
    """A legacy container around any pickle."""
    start = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    file.write_bytes(b"".join(pickle.dumps(part, 2) for part in start) + data + pickle.dumps([], 2))
    return file


def tensor_pickle(size: object, stride: object, *, count: int = 6, offset: int = 0) -> bytes:
    """The pickle of a float32 tensor over storage 0, with whatever claims about itself."""
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
        b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
        + pickle.dumps(count, 2)[2:-1]
        + b"tQ"
        + pickle.dumps(offset, 2)[2:-1]
        + pickle.dumps(size, 2)[2:-1]
        + pickle.dumps(stride, 2)[2:-1]
        + b"\x89ccollections\nOrderedDict\n)RtR."
    )


@pytest.mark.parametrize("protocol", [2, 4], ids=["GLOBAL", "STACK_GLOBAL"])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("place", ["alone", "in the dictionary", "in ema", "in a list"])
def test_a_command_is_refused_by_name(
    place: str, legacy: bool, protocol: int, small_tiny: YoloPose, tmp_path: Path
) -> None:
    mark, file = tmp_path / "mark", tmp_path / "evil.pt"
    evil = Evil(os.system, f"touch {mark}")
    if place == "alone":
        torch.save(evil, file, _use_new_zipfile_serialization=not legacy, pickle_protocol=protocol)
    else:
        extra = {"in ema": {"ema": evil}, "in a list": {"hyp": [[evil]]}}.get(place, {"wandb_id": evil})
        save_official(small_tiny, file, legacy=legacy, protocol=protocol, extra=extra)
    with pytest.raises(WeightsError, match=r"names '(posix|nt)\.system', which no weights file of Stance needs"):
        read_checkpoint(file)
    assert not mark.exists()
    torch.load(file, weights_only=False) if place == "alone" else None  # the file would do it
    assert mark.exists() == (place == "alone")


@pytest.mark.parametrize(
    "function",
    [eval, exec, getattr, open, os.unlink, torch.load, pickle.loads, copyreg._reconstructor, np.load],
    ids=lambda function: function.__name__,
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_other_functions_are_refused_by_name(function: Callable, protocol: int, tmp_path: Path) -> None:
    data = pickle.dumps(Evil(function, "1"), protocol)
    for file in (raw_zip(tmp_path / "evil.pt", data), raw_legacy(tmp_path / "evil_legacy.pt", data)):
        # The module's name depends on the protocol: eval is of `__builtin__` in protocol 2.
        with pytest.raises(WeightsError, match=rf"names '\w+(\.\w+)*\.{function.__name__}', which no weights file"):
            load_pickled(file)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cmodels.yolo\nModel.__init__.__globals__\n.",  # dotted names reach into allowed classes
        b"\x80\x04\x8c\x0bmodels.yolo\x8c\x0eModel.__init__\x93.",
        b"\x80\x02(S'touch mark'\nios\nsystem\n.",  # INST
        b"\x80\x02(cos\nsystem\nS'touch mark'\no.",  # OBJ
        b"\x80\x02cos\nsystem\n)\x81.",  # NEWOBJ
        b"\x80\x04\x8c\x02os\x8c\x06system\x93)}\x92.",  # NEWOBJ_EX
    ],
)
def test_every_opcode_that_names_a_global(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="which no weights file of Stance needs"):
        load_pickled(raw_zip(tmp_path / "evil.pt", data))


def test_a_bare_pickle_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Evil(os.system, f"touch {tmp_path / 'mark'}"), 2))
    with pytest.raises(WeightsError, match="system"):
        load_pickled(tmp_path / "bare.pt")
    assert not (tmp_path / "mark").exists()


def test_a_file_cannot_alter_what_the_next_file_meets(tmp_path: Path) -> None:
    """BUILD on an allowed global would set attributes of an object that belongs to us."""
    for name in (
        b"collections\nOrderedDict",
        b"torch._utils\n_rebuild_parameter",
        b"torch._utils\n_rebuild_tensor_v2",
        b"numpy\nndarray",
    ):
        data = b"\x80\x02c" + name + b"\n(N}X\x05\x00\x00\x00spoil\x88stb."
        with contextlib.suppress(WeightsError):
            load_pickled(raw_zip(tmp_path / "evil.pt", data))
    torch.save(OrderedDict(harmless_state()), tmp_path / "good.pt")
    ours = [*vars(unpickle).values(), *unpickle.REBUILD.values()]
    assert not any(hasattr(thing, "spoil") for thing in ours)
    loaded = load_pickled(tmp_path / "good.pt")
    assert {name: type(value) for name, value in loaded.items()} == dict.fromkeys(harmless_state(), StoredTensor)


@pytest.mark.parametrize(
    ("size", "stride", "options", "words"),
    [
        ((2, 3), (3, 1), {"count": 7}, "storage 0 has 24 bytes, not 28"),
        ((2, 3), (3, 1), {"count": 10**18}, "storage 0 is larger than the file"),
        ((2, 3), (3, 1), {"count": -6}, "storage of unknown form"),
        ((2, 4), (4, 1), {}, "reaches past its storage"),
        ((2, 3), (3, 1), {"offset": 1}, "reaches past its storage"),
        ((2, 3), (2**62, 1), {}, "reaches past its storage"),
        ((2**40,), (0,), {}, "reaches past its storage"),  # one number, seen a million million times
        ((2, 3), (-3, 1), {}, "impossible shape"),
        ((2, 3), (1,), {}, "impossible shape"),
        ((2, 3), (3, 1), {"offset": -1}, "impossible shape"),
        ("23", "31", {}, "impossible shape"),
    ],
)
def test_tensors_that_lie_about_themselves(
    size: object, stride: object, options: dict, words: str, tmp_path: Path
) -> None:
    data = b"\x80\x02}X\x06\x00\x00\x00weight" + tensor_pickle(size, stride, **options)[2:-1] + b"s."
    file = raw_zip(tmp_path / "lie.pt", data, {"0": np.arange(6, dtype=np.float32).tobytes()})
    with pytest.raises(WeightsError, match=words):
        read_checkpoint(file)


def test_a_tensor_that_says_the_truth(tmp_path: Path) -> None:
    """The pickles above are wrong only where they mean to be."""
    file = raw_zip(
        tmp_path / "truth.pt", tensor_pickle((2, 2), (3, 1), offset=1), {"0": np.arange(6, dtype="f4").tobytes()}
    )
    loaded = load_pickled(file)
    assert loaded.tensor().tolist() == [[1, 2], [4, 5]]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x80\x02K\x01r\xff\xff\xff\x7f.", "memo number"),  # 16 GB of memo for one entry
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "Fetch or copy"),  # a text of 2 GB in a file of 12 bytes
        (b"\x80\x02(lp0\n0h\x05.", "Fetch or copy"),  # a memo entry that was never made
        (b"\x80\x02P0\n.", "Fetch or copy"),
        (b"\x80\x02K\x01Q.", "unknown form"),
        (b"\x80\x05\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", "Fetch or copy"),
        (b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".", "holds neither"),
    ],
)
def test_pickles_that_ask_for_too_much(data: bytes, words: str, tmp_path: Path) -> None:
    for file in (raw_zip(tmp_path / "greedy.pt", data), raw_legacy(tmp_path / "greedy_legacy.pt", data)):
        with pytest.raises(WeightsError, match=words):
            read_checkpoint(file)


def test_compressed_entries_are_refused(tmp_path: Path) -> None:
    """PyTorch stores; a compressed entry could unfold to a thousand times the file."""
    data = pickle.dumps({"weight": "0" * 10_000_000}, 2)
    with pytest.raises(WeightsError, match=r"data\.pkl is compressed"):
        load_pickled(raw_zip(tmp_path / "bomb.pt", data, compression=zipfile.ZIP_DEFLATED))


def test_modules_nested_without_end(tmp_path: Path) -> None:
    """A module that contains itself, and forty levels that contain the next one twice."""
    shell = b"cmodels.yolo\nModel\n)\x81"
    own_child = b"\x80\x02" + shell + b"q\x00}X\x08\x00\x00\x00_modules}X\x01\x00\x00\x00ah\x00ssb."
    twice = b"\x80\x02" + shell + b"q\x00"
    for level in range(40):
        twice += shell + b"}X\x08\x00\x00\x00_modules}(X\x01\x00\x00\x00ah%cX\x01\x00\x00\x00bh%cusbq%c" % (
            level,
            level,
            level + 1,
        )
    for data in (own_child, twice + b"."):
        with pytest.raises(WeightsError, match="no YOLOv7-Pose network"):
            read_checkpoint(raw_zip(tmp_path / "deep.pt", data))


@pytest.mark.parametrize("key", ["_modules", "_parameters", "_buffers"])
@pytest.mark.parametrize("value", [b"K\x01", b"]", b"}K\x01K\x02s", b"N"])
def test_modules_whose_members_are_something_else(key: str, value: bytes, tmp_path: Path) -> None:
    name = b"X" + struct.pack("<I", len(key)) + key.encode()
    data = b"\x80\x02cmodels.yolo\nModel\n)\x81}" + name + value + b"sb."
    with pytest.raises(WeightsError):
        read_checkpoint(raw_zip(tmp_path / "odd.pt", data))


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_file_cut_at_any_byte(legacy: bool, tmp_path: Path) -> None:
    whole = io.BytesIO()
    torch.save(harmless_state(), whole, _use_new_zipfile_serialization=not legacy)
    for length in range(len(whole.getvalue())):
        (tmp_path / "cut.pt").write_bytes(whole.getvalue()[:length])
        with pytest.raises(WeightsError):
            load_pickled(tmp_path / "cut.pt")


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_an_official_file_cut_at_many_bytes(legacy: bool, small_tiny: YoloPose, tmp_path: Path) -> None:
    save_official(small_tiny, tmp_path / "official.pt", legacy=legacy)
    whole = (tmp_path / "official.pt").read_bytes()
    for length in np.linspace(0, len(whole) - 1, 30).astype(int):
        (tmp_path / "cut.pt").write_bytes(whole[:length])
        with pytest.raises(WeightsError, match=r"cut\.pt"):
            read_checkpoint(tmp_path / "cut.pt")


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_file_with_a_wrong_byte_anywhere(legacy: bool, tmp_path: Path) -> None:
    """It either still loads or is a `WeightsError`; no other error, and no lasting wait."""
    whole = io.BytesIO()
    torch.save(
        {"model": harmless_state(), "hyp": [1.5, "text", {"a": (1, 2)}]},
        whole,
        _use_new_zipfile_serialization=not legacy,
    )
    random = np.random.default_rng(0)
    for position in range(0, len(whole.getvalue()), 1 if legacy else 2):
        spoilt = bytearray(whole.getvalue())
        spoilt[position] ^= int(random.integers(1, 256))
        (tmp_path / "spoilt.pt").write_bytes(spoilt)
        with contextlib.suppress(WeightsError):
            read_checkpoint(tmp_path / "spoilt.pt")


def test_legacy_storages_must_all_be_there(tmp_path: Path) -> None:
    whole = io.BytesIO()
    torch.save(harmless_state(), whole, _use_new_zipfile_serialization=False)
    stream = io.BytesIO(whole.getvalue())
    for _ in range(4):
        list(pickletools.genops(stream))
    (tmp_path / "short.pt").write_bytes(whole.getvalue()[: stream.tell()] + pickle.dumps([], 2))
    with pytest.raises(WeightsError, match="list of storages"):
        load_pickled(tmp_path / "short.pt")


def test_shells_hold_attributes_and_do_nothing(small_w6: YoloPose, tmp_path: Path) -> None:
    save_official(small_w6, tmp_path / "official.pt")
    model = load_pickled(tmp_path / "official.pt")["model"]
    assert isinstance(model, Shell)
    assert model.class_name == "models.yolo.Model"
    assert vars(model)["names"] == ["person"]
    with pytest.raises(TypeError):
        model(torch.zeros(1))
