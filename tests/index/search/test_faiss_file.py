"""FAISS files: what FAISS writes is read, and what would end the process is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from index.search.backend import load_faiss
from index.search.faiss_file import read_faiss

ROWS = np.random.default_rng(0).random((200, 8), np.float32)


def written(recipe: str, metric: str = "METRIC_L2", rows: np.ndarray = ROWS) -> bytes:
    faiss = load_faiss()
    index = faiss.index_factory(8, recipe, getattr(faiss, metric))
    index.train(ROWS)
    if recipe.startswith("IDMap"):
        index.add_with_ids(rows, np.arange(len(rows))[::-1].copy())
    else:
        index.add(rows)
    return faiss.serialize_index(index).tobytes()


@pytest.mark.parametrize(
    "recipe", ["Flat", "IDMap,Flat", "IDMap2,Flat", "IVF4,Flat", "HNSW8", "SQ8", "IDMap,SQ8", "PQ2x4"]
)
def test_every_kind_is_read(recipe: str) -> None:
    found = read_faiss(written(recipe))
    assert found.index.ntotal == 200
    np.testing.assert_allclose(found.index.reconstruct_n(0, 1), ROWS[:1], atol=0.5 if "PQ" in recipe else 0.01) if (
        "IVF" not in recipe
    ) else None
    if recipe.startswith("IDMap"):
        assert found.numbers is not None
        np.testing.assert_array_equal(found.numbers, np.arange(200)[::-1])
    else:
        assert found.numbers is None


def test_flat_indexes_come_back_exactly() -> None:
    for metric in ("METRIC_L2", "METRIC_INNER_PRODUCT"):
        found = read_faiss(written("Flat", metric)).index
        assert found.metric_type == getattr(load_faiss(), metric)
        np.testing.assert_array_equal(found.reconstruct_n(0, 200), ROWS)
        assert load_faiss().serialize_index(found).tobytes() == written("Flat", metric)
    assert read_faiss(written("Flat", rows=ROWS[:0])).index.ntotal == 0


@pytest.mark.parametrize("recipe", ["Flat", "IDMap,Flat"])
def test_every_cut_and_every_changed_size_is_damage(recipe: str) -> None:
    data = written(recipe)
    for cut in [*range(120), len(data) - 1, len(data) - 9]:
        with pytest.raises(ValueError, match=r"cut short|cannot read|do not fit"):
            read_faiss(data[:cut])
    for place in (4, 8, 37 + (37 if recipe != "Flat" else 0)):  # dimension, rows, length of the rows
        for value in (-1, 2**31 - 1, 2**62):
            size = "<i" if place == 4 else "<q"
            changed = bytearray(data)
            struct.pack_into(size, changed, place, value if size == "<q" else min(value, 2**31 - 1))
            with pytest.raises(ValueError, match=r"cut short|damaged|do not fit"):
                read_faiss(bytes(changed))


def test_a_file_that_kills_faiss_does_not_kill_us() -> None:
    data = bytearray(written("HNSW8"))
    struct.pack_into("<i", data, 4, 1 << 30)  # its dimension
    with pytest.raises(ValueError, match="cannot read"):
        read_faiss(bytes(data))
