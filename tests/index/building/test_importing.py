"""Databases of other tools' files."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from index.building.importing import import_pair
from index.errors import DatabaseDamaged, DatabaseMismatch, DatabaseMissing, UnsafeLabels
from index.search.backend import load_faiss


@pytest.fixture
def rows_file(tmp_path: Path, clusters) -> Path:
    index = load_faiss().IndexFlatL2(25)
    index.add(clusters[0])
    load_faiss().write_index(index, str(tmp_path / "rows.index"))
    return tmp_path / "rows.index"


def test_every_kind_of_labels_file(rows_file: Path, tmp_path: Path, clusters) -> None:
    rows, names = clusters
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(tuple(names)))
    (tmp_path / "a.json").write_text(json.dumps(names))
    np.save(tmp_path / "a.npy", np.array(names))
    (tmp_path / "a.txt").write_text("\n".join(names))
    for suffix in ("pkl", "json", "npy", "txt"):
        index = import_pair(rows_file, tmp_path / f"a.{suffix}", device="cpu")
        assert list(index.labels) == names
        np.testing.assert_array_equal(index.vectors, rows)
        assert index.embedding.name == "nose25"


def test_rows_that_number_themselves(rows_file: Path, tmp_path: Path, clusters) -> None:
    rows, names = clusters
    (tmp_path / "a.json").write_text(json.dumps(names))
    faiss = load_faiss()
    index = faiss.IndexIDMap(faiss.IndexFlatL2(25))
    index.add_with_ids(rows, np.arange(1000, 1030))
    faiss.write_index(index, str(rows_file))
    with pytest.raises(DatabaseMismatch, match=r"from 1000 to 1029.*--by-place"):
        import_pair(rows_file, tmp_path / "a.json", device="cpu")
    assert list(import_pair(rows_file, tmp_path / "a.json", by_place=True, device="cpu").labels) == names
    index = faiss.IndexIDMap(faiss.IndexFlatL2(25))
    index.add_with_ids(rows, np.arange(30)[::-1].copy())
    faiss.write_index(index, str(rows_file))
    assert list(import_pair(rows_file, tmp_path / "a.json", device="cpu").labels) == names[::-1]


def test_kinds_that_do_not_store_rows_as_they_are(rows_file: Path, tmp_path: Path, clusters) -> None:
    rows, names = clusters
    (tmp_path / "a.json").write_text(json.dumps(names))
    faiss = load_faiss()
    index = faiss.index_factory(25, "IVF2,Flat")
    index.train(rows)
    index.add(rows)
    faiss.write_index(index, str(rows_file))
    np.testing.assert_array_equal(import_pair(rows_file, tmp_path / "a.json", device="cpu").vectors, rows)


def test_faults_are_told(rows_file: Path, tmp_path: Path, clusters) -> None:
    labels = tmp_path / "a.json"
    with pytest.raises(DatabaseMissing, match=r"a\.json is missing"):
        import_pair(rows_file, labels)
    labels.write_text('["a"]')
    with pytest.raises(DatabaseMismatch, match=r"has 1 labels and .* has 30 rows"):
        import_pair(rows_file, labels)
    with pytest.raises(DatabaseMismatch, match="25 numbers a row; nose25 has 25, gravity59 has 59"):
        import_pair(rows_file, labels, embedding="gravity59")
    for content in ("{", '{"a": 1}', "[1]", "[" * 100_000):
        labels.write_text(content)
        with pytest.raises(DatabaseDamaged, match=r"a\.json .*Expected is a pickled list"):
            import_pair(rows_file, labels)
    evil = tmp_path / "a.npy"
    np.save(evil, np.array([print], object), allow_pickle=True)
    with pytest.raises(DatabaseDamaged, match=r"a\.npy cannot be read"):
        import_pair(rows_file, evil)
    (tmp_path / "a.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UnsafeLabels, match=r"os\.system"):
        import_pair(rows_file, tmp_path / "a.pkl")
    with pytest.raises(DatabaseDamaged, match="no FAISS index"):
        import_pair(labels, labels)
