"""Exact and approximate nearest neighbours through FAISS, on the CPU or a GPU."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from index.errors import DatabaseDamaged, DatabaseMismatch, FaissMissing
from index.search.mirror_parts import Mirror, MirrorParts
from pose.errors import DeviceError

__all__ = ["APPROXIMATE_ROWS", "Neighbours", "load_faiss"]

log = logging.getLogger(__name__)

_GPU_SYMBOLS: Final = ("StandardGpuResources", "index_cpu_to_gpu", "get_num_gpus")
_GPU_MAX_K: Final = 2048  # the limit of FAISS's GPU selection kernels
# Up to so many comparisons waiting for a second thread on a busy machine costs more than it brings. Beside a training
# run: 20 people in 2,000 rows, one thread 0.17 ms (p95 0.22), two 16 ms (p95 36); lists of 100,000 rows, 10 queries or
# 63,000 comparisons, 1.4 and 16 ms; 40 queries or 253,000, 15 and 16 ms.
_ONE_THREAD_PAIRS: Final = 200_000
APPROXIMATE_ROWS: Final = 20_000
"""From so many rows on a CPU looks at a part of them. 40 queries of 59 numbers, on 2 busy cores, all rows against 20
lists or fewer: 37 and 16 ms in 20,000 rows, 205 and 20 ms in 100,000, 1,620 and 67 ms in a million; 98 % to 99.4 % of
the 32 nearest are found among rows made between real ones. Making the lists takes 1.4, 3.9 and 22 s."""
_LISTS_LOOKED_AT: Final = 20
_LISTS_SAMPLE: Final = 64  # rows per list to train on
_LISTS_ITERATIONS: Final = 10
_said: set[str] = set()


def load_faiss() -> ModuleType:
    """FAISS, imported now.

    Raises:
        FaissMissing: neither build is installed, or only the empty folder that uninstalling one build leaves behind.
    """
    loader = logging.getLogger("faiss.loader")
    if loader.level == logging.NOTSET:
        loader.setLevel(logging.WARNING)  # it tells of every instruction set it tries
    cure = "pip install '.[cpu]', or pip install '.[gpu]' on a machine with an NVIDIA GPU"
    try:
        import faiss
    except ImportError as error:
        raise FaissMissing(f"FAISS is not installed. Run {cure}.") from error
    if not hasattr(faiss, "IndexFlatL2"):
        raise FaissMissing(f"FAISS is only half installed. Run pip uninstall faiss-cpu faiss-gpu, then {cure}.")
    return faiss


class Neighbours:
    """Vectors in a FAISS index, and the search for the nearest of them.

    The CPU index is the truth: it is what is saved, and what a GPU's copy is made from. From 20,000 rows on a search on
    the CPU asks inverted lists that are made from it in memory, and looks at a part of the rows. Distances are
    Euclidean.
    Not thread-safe; `PostureIndex` holds a lock around it.

    Args:
        dimension: D, numbers per vector.
        device: "auto" (a GPU if FAISS and the machine have one), "cpu", "cuda" or "cuda:N".
        cpu_index: a FAISS index to adopt; by default a new, exact `IndexFlatL2`.

    Raises:
        FaissMissing: FAISS is not installed.
        DeviceError: `device` names a GPU that FAISS cannot use.
        DatabaseMismatch: `cpu_index` has another dimension, does not measure L2, or numbers its rows itself.
    """

    def __init__(self, dimension: int, device: str = "auto", cpu_index: Any = None) -> None:
        self._faiss = load_faiss()
        self.dimension = dimension
        self.cpu_index = self._faiss.IndexFlatL2(dimension) if cpu_index is None else self._checked(cpu_index)
        self._exact = isinstance(self.cpu_index, self._faiss.IndexFlat)
        self._gpu_number = self._choose(device)
        self._gpu_resources: Any = None
        self._gpu_index: Any = None
        self._lists: Any = None
        self._lists_trained_rows = 0
        self._rows = int(self.cpu_index.ntotal)  # asking FAISS takes as long as a small array operation
        self._stored: NDArray[np.float32] | None = None
        self._mirror_parts: MirrorParts | None = None

    @property
    def device(self) -> str:
        """Where searches run: "cpu" or "cuda:N"."""
        return "cpu" if self._gpu_number is None else f"cuda:{self._gpu_number}"

    @property
    def exact(self) -> bool:
        """Whether the index that is saved holds every vector as it is."""
        return self._exact

    def __len__(self) -> int:
        return self._rows

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Append finite rows, float32 `[N, D]`."""
        self._stored = self._mirror_parts = None  # FAISS may move its memory
        self.cpu_index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        self._rows = int(self.cpu_index.ntotal)

    def copy(self) -> Neighbours:
        """The same rows, for another thread: what is added to the one is not in the other."""
        copied = Neighbours(self.dimension, self.device, self._faiss.clone_index(self.cpu_index))
        if self._lists is not None:
            copied._lists = self._faiss.clone_index(self._lists)  # making them takes seconds
            copied._lists_trained_rows = self._lists_trained_rows
        return copied

    def vectors(self) -> NDArray[np.float32]:
        """All rows, float32 `[R, D]`, read-only. A view of FAISS's memory for exact indexes: valid until `add`.

        Raises:
            DatabaseDamaged: this kind of FAISS index cannot give its vectors back.
        """
        rows = len(self)
        if rows == 0:
            return np.zeros((0, self.dimension), np.float32)
        if self._stored is None:
            if self._exact:
                memory = self._faiss.rev_swig_ptr(self.cpu_index.get_xb(), rows * self.dimension)
                stored = memory.reshape(rows, self.dimension)
            else:
                try:
                    if hasattr(self.cpu_index, "make_direct_map"):
                        self.cpu_index.make_direct_map()
                    stored = self.cpu_index.reconstruct_n(0, rows)
                except RuntimeError as error:
                    kind = type(self.cpu_index).__name__
                    raise DatabaseDamaged(f"A FAISS {kind} cannot give its vectors back.") from error
            stored.flags.writeable = False
            self._stored = stored
        return self._stored

    def mirror_parts(self, mirrored: Mirror | None) -> MirrorParts:
        """All rows as `index.search.nearest` compares them; kept until `add`."""
        if self._mirror_parts is None or self._mirror_parts.mirrored is not mirrored:
            self._mirror_parts = MirrorParts.of(self.vectors(), mirrored)
        return self._mirror_parts

    def search(self, queries: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The `k` nearest rows of every query, nearest first, in one FAISS call.

        Args:
            queries: float32 `[N, D]`; a row with a NaN in it has no neighbours.
            k: how many, at least 1.

        Returns:
            entries int64 `[N, k]`, −1 where there is none; distances float32 `[N, k]`, Euclidean, NaN where none.
        """
        entries = np.full((len(queries), k), -1, np.int64)
        distances = np.full((len(queries), k), np.nan, np.float32)
        found = min(k, len(self))
        asked = np.flatnonzero(np.isfinite(queries).all(axis=1))
        if found == 0 or len(asked) == 0:
            return entries, distances
        wanted = np.ascontiguousarray(queries[asked], dtype=np.float32)
        squared, rows = self._ask(wanted, found)
        if self._exact:
            # On a GPU, and on a CPU above `distance_compute_blas_threshold` queries (20 in older releases), FAISS takes
            # |x|² + |y|² − 2xy, which loses digits near zero: copies of one picture come out 3e-4 apart. Measuring the
            # few found rows again costs microseconds and makes distances equal for every batch size and device.
            difference = self.vectors()[rows] - wanted[:, None, :]  # [N, k, D]
            measured = np.sqrt(np.einsum("nkd,nkd->nk", difference, difference))
            measured = np.where(rows >= 0, measured, np.nan)  # lists may hold too few; NaN sorts last
            order = np.argsort(measured, axis=1, kind="stable")
            rows = np.take_along_axis(rows, order, axis=1)
            measured = np.take_along_axis(measured, order, axis=1)
        else:
            measured = np.where(rows >= 0, np.sqrt(squared.clip(min=0)), np.nan)
        entries[asked, :found] = rows
        distances[asked, :found] = measured
        return entries, distances

    def candidates(self, queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """The `k` nearest rows of every query as FAISS gives them, int64 `[N, k or fewer]`: −1 where there is none.

        Args:
            queries: float32 `[N, D]`, finite.
            k: how many, at least 1.
        """
        return self._ask(np.ascontiguousarray(queries, dtype=np.float32), min(k, len(self)))[1]

    def _ask(self, wanted: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """FAISS's own answer: squared distances and rows, each `[N, k]`."""
        searcher = self._searcher(k)
        part = searcher.nprobe / searcher.nlist if searcher is self._lists else 1.0
        if searcher is self._gpu_index or part * len(wanted) * len(self) > _ONE_THREAD_PAIRS:
            return searcher.search(wanted, k)
        threads = self._faiss.omp_get_max_threads()
        self._faiss.omp_set_num_threads(1)  # of this thread's searches only
        try:
            return searcher.search(wanted, k)
        finally:
            self._faiss.omp_set_num_threads(threads)

    def _searcher(self, k: int) -> Any:
        """The index that answers: the GPU's copy, brought up to date, or the CPU's."""
        if self._gpu_number is None or k > _GPU_MAX_K:
            return self._inverted() if self._exact and len(self) >= APPROXIMATE_ROWS else self.cpu_index
        if self._gpu_index is None:
            self._gpu_resources = self._gpu_resources or self._faiss.StandardGpuResources()
            self._gpu_index = self._faiss.index_cpu_to_gpu(self._gpu_resources, self._gpu_number, self.cpu_index)
        elif self._gpu_index.ntotal < len(self):
            self._gpu_index.add(self.vectors()[self._gpu_index.ntotal :])
        return self._gpu_index

    def _inverted(self) -> Any:
        """Inverted lists over all rows, brought up to date; made anew once the rows have doubled."""
        if self._lists is None or len(self) > 2 * self._lists_trained_rows:
            rows = self.vectors()
            lists = int(len(rows) ** 0.5)
            self._lists = self._faiss.index_factory(self.dimension, f"IVF{lists},Flat")
            self._lists.cp.niter = _LISTS_ITERATIONS
            self._lists.nprobe = _LISTS_LOOKED_AT
            self._lists.train(rows[:: max(1, len(rows) // (lists * _LISTS_SAMPLE))])
            self._lists_trained_rows = len(rows)
        if self._lists.ntotal < len(self):
            self._lists.add(self.vectors()[self._lists.ntotal :])
        return self._lists

    def _checked(self, index: Any) -> Any:
        faiss = self._faiss
        if index.d != self.dimension:
            raise DatabaseMismatch(f"its vectors have {index.d} numbers, the embedding has {self.dimension}")
        if index.metric_type != faiss.METRIC_L2:
            raise DatabaseMismatch("it does not measure Euclidean (L2) distance")
        if isinstance(index, faiss.IndexIDMap | faiss.IndexIDMap2):
            raise DatabaseMismatch("it numbers its rows itself (IndexIDMap), so labels cannot be told by row")
        return index

    def _choose(self, device: str) -> int | None:
        """The GPU to search on, or None for the CPU; said in the log the first time."""
        kind, _, number = device.partition(":")
        if kind not in ("auto", "cpu", "cuda") or (number and (kind != "cuda" or not number.isdecimal())):
            raise DeviceError(f"index.device is {device!r}; it is auto, cpu, cuda or cuda:N.")
        if kind == "cpu":
            return None
        if not all(hasattr(self._faiss, symbol) for symbol in _GPU_SYMBOLS):
            why, cure = "this FAISS has no GPU support", "Run pip install '.[gpu]'"
        elif (gpus := int(self._faiss.get_num_gpus())) == 0:
            why, cure = "FAISS finds no GPU", "Check the driver with nvidia-smi"
        elif not self._exact and kind == "auto":
            why, cure = "only exact indexes are searched on a GPU", "Rebuild the database"
        elif (wanted := int(number or 0)) >= gpus:
            why, cure = f"FAISS finds {gpus} GPU(s), numbered from 0", "Name one of them"
        else:
            return _say(wanted, "FAISS has GPU support and a GPU")
        if kind == "cuda":
            raise DeviceError(f"index.device is {device}, but {why}. {cure}, or set index.device to auto or cpu.")
        return _say(None, why)


def _say(gpu: int | None, why: str) -> int | None:
    sentence = f"Searching on {'the CPU' if gpu is None else f'GPU {gpu}'}: {why}."
    if sentence not in _said:
        _said.add(sentence)
        log.info(sentence)
    return gpu
