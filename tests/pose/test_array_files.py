"""NumPy's files: whole ones are read, and damage of any kind is one kind of error."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from pose.array_files import read_arrays


def test_both_kinds_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    np.savez_compressed(tmp_path / "a.npz", one=np.arange(3), two=np.array(["x"]))
    assert read_arrays(tmp_path / "a.npy")[""].tolist() == [0, 1, 2]
    arrays = read_arrays(io.BytesIO((tmp_path / "a.npz").read_bytes()))
    assert arrays["one"].tolist() == [0, 1, 2]
    assert arrays["two"].tolist() == ["x"]
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "b.npy")


def test_every_damage_is_a_value_error() -> None:
    whole = io.BytesIO()
    np.savez(whole, one=np.arange(30), two=np.array(["x"]))
    alone = io.BytesIO()
    np.save(alone, np.arange(30))
    objects = io.BytesIO()
    np.save(objects, np.array([print], object), allow_pickle=True)
    header = alone.getvalue()
    spoilt = [header.replace(b"{", new, 1) for new in (b"\0", b"(", b"[" * 900, b"'", b"{'x': " + b"9" * 5000)]
    for data in (
        b"",
        b"words",
        whole.getvalue()[:-30],
        whole.getvalue()[:50],
        header[:90],
        objects.getvalue(),
        *spoilt,
    ):
        with pytest.raises(ValueError, match="no whole file of arrays"):
            read_arrays(io.BytesIO(data))
