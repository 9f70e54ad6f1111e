"""Search is judged against brute force, ties as sets."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from index.errors import DatabaseMismatch, FaissMissing
from index.search.backend import Neighbours, load_faiss
from pose.errors import DeviceError


def brute_force(rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """All distances, float64 `[N, R]`."""
    return np.linalg.norm(rows[None].astype(np.float64) - queries[:, None].astype(np.float64), axis=-1)


def assert_nearest(rows: np.ndarray, queries: np.ndarray, entries: np.ndarray, distances: np.ndarray) -> None:
    """Every distance is that of its entry, ascending, and equal to brute force's: rows tied at the edge may differ."""
    every = brute_force(rows, queries)
    k = entries.shape[1]
    np.testing.assert_allclose(distances, np.sort(every, axis=1)[:, :k], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(every, entries, axis=1), distances, atol=1e-6)
    assert all(len(set(line)) == k for line in entries.tolist())


@pytest.mark.parametrize("people", [1, 5, 19, 20, 64])
def test_search_equals_brute_force(people: int) -> None:
    random = np.random.default_rng(people)
    rows = random.random((500, 25), np.float32)
    rows[100:150] = rows[:50]  # ties
    queries = np.concatenate((rows[: people // 2], random.random((people - people // 2, 25), np.float32)))
    neighbours = Neighbours(25, "cpu")
    neighbours.add(rows)
    assert_nearest(rows, queries, *neighbours.search(queries, 7))


@pytest.mark.parametrize("threshold", [1, 128_000])
def test_a_copy_is_at_distance_zero_in_a_batch_of_any_size(threshold: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_faiss().cvar, "distance_compute_blas_threshold", threshold)
    rows = np.random.default_rng(1).random((3000, 25), np.float32)
    neighbours = Neighbours(25, "cpu")
    neighbours.add(rows)
    for people in (1, 19, 20, 50):
        entries, distances = neighbours.search(rows[:people], 1)
        np.testing.assert_array_equal(distances, 0)
        np.testing.assert_array_equal(entries[:, 0], np.arange(people))


def test_nan_rows_and_missing_neighbours_are_empty() -> None:
    neighbours = Neighbours(2, "cpu")
    queries = np.array([[0, 0], [np.nan, 0]], np.float32)
    entries, distances = neighbours.search(queries, 3)
    np.testing.assert_array_equal(entries, -1)
    assert np.isnan(distances).all()
    neighbours.add(np.array([[0, 3], [4, 0]], np.float32))
    entries, distances = neighbours.search(queries, 3)
    np.testing.assert_array_equal(entries, [[0, 1, -1], [-1, -1, -1]])
    np.testing.assert_allclose(distances, [[3, 4, np.nan], [np.nan] * 3])
    assert entries.dtype == np.int64
    assert distances.dtype == np.float32
    assert neighbours.search(np.zeros((0, 2), np.float32), 3)[0].shape == (0, 3)


def test_rows_added_after_a_search_are_found() -> None:
    neighbours = Neighbours(2, "cpu")
    for number in range(100):
        neighbours.add(np.array([[number, 0]], np.float32))
        entries, _ = neighbours.search(np.array([[number, 0]], np.float32), 1)
        assert entries.tolist() == [[number]]
    np.testing.assert_array_equal(neighbours.vectors()[:, 0], np.arange(100))


@pytest.mark.parametrize("recipe", ["IVF4,Flat", "HNSW16", "SQ8"])
def test_other_kinds_of_faiss_index_search_too(recipe: str) -> None:
    faiss = load_faiss()
    rows = np.random.default_rng(2).random((200, 8), np.float32)
    index = faiss.index_factory(8, recipe)
    index.train(rows)
    index.add(rows)
    neighbours = Neighbours(8, "cpu", index)
    assert not neighbours.exact
    entries, distances = neighbours.search(rows[:20], 1)
    assert (entries[:, 0] == np.arange(20)).mean() > 0.9
    assert np.nanmax(distances) < 0.1
    np.testing.assert_allclose(neighbours.vectors(), rows, atol=0.01)


@pytest.mark.parametrize(
    ("recipe", "metric", "said"),
    [("Flat", "METRIC_INNER_PRODUCT", "L2"), ("IDMap,Flat", "METRIC_L2", "numbers its rows")],
)
def test_indexes_that_would_mislead_are_refused(recipe: str, metric: str, said: str) -> None:
    faiss = load_faiss()
    with pytest.raises(DatabaseMismatch, match=said):
        Neighbours(8, "cpu", faiss.index_factory(8, recipe, getattr(faiss, metric)))
    with pytest.raises(DatabaseMismatch, match="8 numbers"):
        Neighbours(25, "cpu", faiss.IndexFlatL2(8))


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cpu:0", "cuda0", ""])
def test_a_device_of_no_known_kind_is_named(device: str) -> None:
    with pytest.raises(DeviceError, match="auto, cpu, cuda or cuda:N"):
        Neighbours(2, device)


def test_a_gpu_that_is_not_there_is_told_in_one_sentence() -> None:
    faiss = load_faiss()
    if getattr(faiss, "get_num_gpus", lambda: 0)() > 0:
        pytest.skip("there is a GPU here")
    with pytest.raises(DeviceError, match=r"index.device is cuda:0, but .* set index.device to auto or cpu"):
        Neighbours(2, "cuda:0")
    assert Neighbours(2, "auto").device == "cpu"


class MadeUpGpu:
    """FAISS's GPU calls answered with CPU copies: it shows when a copy is made and what is added to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
        self.faiss = load_faiss()
        self.copies: list[int] = []
        monkeypatch.setattr(self.faiss, "get_num_gpus", lambda: gpus, raising=False)
        monkeypatch.setattr(self.faiss, "StandardGpuResources", object, raising=False)
        monkeypatch.setattr(self.faiss, "index_cpu_to_gpu", self.copy, raising=False)

    def copy(self, resources: object, number: int, index: object) -> object:
        self.copies.append(number)
        return self.faiss.clone_index(index)


def test_the_gpu_copy_is_made_once_and_follows_additions(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = MadeUpGpu(monkeypatch, gpus=2)
    rows = np.random.default_rng(3).random((300, 25), np.float32)
    neighbours = Neighbours(25, "cuda:1")
    assert neighbours.device == "cuda:1"
    for first in (0, 100, 200):
        neighbours.add(rows[first : first + 100])
        assert_nearest(rows[: first + 100], rows[::7], *neighbours.search(rows[::7], 5))
    assert gpu.copies == [1]
    assert neighbours.search(rows[:1], 3000)[0][0, 299] >= 0  # more than a GPU selects: the CPU answers
    assert Neighbours(25, "auto").device == "cuda:0"
    assert Neighbours(25, "cpu").device == "cpu"
    with pytest.raises(DeviceError, match=r"index\.device is cuda:2, but FAISS finds 2 GPU"):
        Neighbours(25, "cuda:2")
    approximate = gpu.faiss.index_factory(25, "HNSW16")
    assert Neighbours(25, "auto", approximate).device == "cpu"


def test_a_gpu_build_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    MadeUpGpu(monkeypatch, gpus=0)
    assert Neighbours(25, "auto").device == "cpu"
    with pytest.raises(DeviceError, match="FAISS finds no GPU"):
        Neighbours(25, "cuda")


def test_gpu_and_cpu_give_the_same_neighbours() -> None:
    faiss = load_faiss()
    if getattr(faiss, "get_num_gpus", lambda: 0)() == 0:
        pytest.skip("needs faiss-gpu and a GPU")
    random = np.random.default_rng(3)
    rows = random.random((5000, 25), np.float32)
    rows[100:150] = rows[:50]
    queries = np.concatenate((rows[:40], random.random((60, 25), np.float32)))
    neighbours = Neighbours(25, "cuda:0")
    for part in (rows[:3000], rows[3000:]):  # the second part reaches a GPU copy that is there already
        neighbours.add(part)
        known = neighbours.vectors()
        assert_nearest(np.array(known), queries, *neighbours.search(queries, 10))


def test_without_faiss_the_sentence_holds_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(FaissMissing, match=r"pip install '\.\[cpu\]', or pip install '\.\[gpu\]'") as caught:
        load_faiss()
    assert isinstance(caught.value, ImportError)


def test_the_empty_folder_that_uninstalling_leaves_is_not_faiss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", types.ModuleType("faiss"))
    with pytest.raises(FaissMissing, match="half installed"):
        load_faiss()


def test_the_device_is_said_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.search.backend._said", set())
    with caplog.at_level("INFO", "index.search.backend"):
        Neighbours(2, "auto")
        Neighbours(2, "auto")
    assert len(caplog.records) == 1


def test_many_rows_are_searched_in_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly all true neighbours are found, with true distances, also after adding; the saved index stays flat."""
    monkeypatch.setattr("index.search.backend.APPROXIMATE_ROWS", 3000)
    random = np.random.default_rng(0)
    rows = random.normal(size=(5000, 8)).astype(np.float32)
    neighbours = Neighbours(8, "cpu")
    for part in (rows[:4000], rows[4000:]):
        neighbours.add(part)
        entries, distances = neighbours.search(rows[::100], 5)
        asked = rows[::100]
        there = rows[: len(neighbours)]
        expected = np.sort(np.linalg.norm(there[None] - asked[:, None], axis=-1), axis=1)[:, :5]
        assert (np.abs(distances - expected) < 1e-4).mean() > 0.95
        np.testing.assert_allclose(np.linalg.norm(there[entries] - asked[:, None], axis=-1), distances, atol=1e-5)
    assert type(neighbours.cpu_index).__name__ == "IndexFlatL2"
    few = Neighbours(8, "cpu")
    few.add(rows[:3000])
    assert (few.search(rows[:2], 2900)[0] >= -1).all()
    assert np.isnan(few.search(rows[:2], 2900)[1][few.search(rows[:2], 2900)[0] < 0]).all()
