"""Labels: what plain pickle reads, and what is refused unrun."""

from __future__ import annotations

import collections
import os
import pickle
import pickletools
import struct
from pathlib import Path

import numpy as np
import pytest

from index.errors import DatabaseDamaged, UnsafeLabels
from index.storage.labels import dump_labels, load_labels

NAMES = ["standing", "sitting", "standing", "größer ½", "a\nb", "\udcff"]


def test_plain_pickle_reads_what_is_written() -> None:
    assert pickle.loads(dump_labels(NAMES)) == NAMES
    assert load_labels(dump_labels(NAMES)) == NAMES
    assert load_labels(dump_labels([])) == []


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_is_read(protocol: int) -> None:
    many = NAMES + [str(number) for number in range(3000)]
    assert load_labels(pickle.dumps(many, protocol)) == many
    assert load_labels(pickletools.optimize(pickle.dumps(many, protocol))) == many


class Bomb:
    """Leaves a file behind if it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_is_refused_by_name_and_not_run(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "ran"
    pickle.loads(pickle.dumps(Bomb(mark), protocol))
    assert mark.exists()  # it is a real one
    mark.rmdir()
    for data in (pickle.dumps(Bomb(mark), protocol), pickle.dumps(["standing", Bomb(mark)], protocol)):
        with pytest.raises(UnsafeLabels, match=r"x_labels.pkl holds (posix|nt)\.mkdir.*nothing from it was run"):
            load_labels(data, "x_labels.pkl")
    assert not mark.exists()


def test_old_style_globals_are_named() -> None:
    with pytest.raises(UnsafeLabels, match=r"os\.system"):
        load_labels(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UnsafeLabels, match=r"os\.system"):
        load_labels(b"(V\nios\nsystem\n.")


@pytest.mark.parametrize(
    "value",
    [
        {"standing": 1}, "standing", ("standing", 1), {"standing"},
        [b"standing"], [1], [None], ["standing", ["sitting"]], [1.5],
        np.array([["standing"]]), np.array([b"standing"]), np.array([1]), np.array(["a", None]), np.array("a"),
        [np.float32(1)], [np.bytes_(b"a")], [np.array(["a"])], collections.deque(["standing"]), 3, None,
    ],
)  # fmt: skip
def test_anything_but_a_list_of_str_is_refused(value: object) -> None:
    with pytest.raises(UnsafeLabels, match="only a list of str"):
        load_labels(pickle.dumps(value))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [
        tuple(NAMES), np.array(NAMES), np.array(NAMES, object), [np.str_(name) for name in NAMES],
        tuple(np.array(NAMES)), np.array(NAMES).astype(">U12"), np.array(NAMES * 2)[::2],
    ],
    ids=["tuple", "array", "array of objects", "list of np.str_", "tuple of np.str_", "big-endian", "strided"],
)  # fmt: skip
def test_other_lists_of_strings_are_read(protocol: int, value: object) -> None:
    wanted = [str(name) for name in value]
    assert wanted in (NAMES, [*NAMES[::2], *NAMES[::2]])
    data = pickle.dumps(value, protocol)
    assert load_labels(data) == wanted
    assert all(type(label) is str for label in load_labels(data))
    older = data.replace(b"numpy._core.", b"numpy.core.")  # NumPy 1; the same in protocols without lengths
    if protocol < 4:
        assert load_labels(older) == wanted


def test_no_stand_in_can_be_altered_by_a_file() -> None:
    attack = b"cnumpy\ndtype\n(dVcode\nVO8\nsb."  # BUILD on what GLOBAL gave
    with pytest.raises((UnsafeLabels, DatabaseDamaged)):
        load_labels(attack)
    with pytest.raises((UnsafeLabels, DatabaseDamaged)):
        load_labels(b"\x80\x04\x8c\x05numpy\x8c\x05dtype\x93)b.")
    assert load_labels(pickle.dumps(np.array(NAMES))) == NAMES


def test_a_crafted_number_takes_no_memory() -> None:
    with pytest.raises(UnsafeLabels, match="memo number"):
        load_labels(b"\x80\x04]r" + struct.pack("<I", 2**32 - 1) + b".")


def test_damage_is_told_as_damage() -> None:
    data = dump_labels(NAMES)
    for cut in range(len(data)):
        with pytest.raises(DatabaseDamaged, match="damaged"):
            load_labels(data[:cut], "x_labels.pkl")
    for junk in (b"", b"hello", b"\x80\x04.", b"]]a.", b"a.", b"(.", b"h\x07."):
        with pytest.raises(DatabaseDamaged):
            load_labels(junk)
