"""The files: the real pair, additions by others, and every kind of damage told in one sentence."""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from index import Examples, PostureIndex, choose_prefix, database_exists, starter_prefix
from index.errors import (
    DatabaseDamaged,
    DatabaseExists,
    DatabaseMismatch,
    DatabaseMissing,
    DatabaseUnwritable,
    UnsafeLabels,
)
from index.evaluation.evaluate import evaluate_leaving_one_out
from index.search.backend import load_faiss


@pytest.fixture
def prefix(tmp_path: Path, clusters, pictures_of) -> Path:
    """The thirty rows of `clusters`, saved."""
    rows, labels = clusters
    index = PostureIndex("nose25", device="cpu")
    index.add(rows, labels, pictures_of([f"p{number}" for number in range(30)]))
    index.note_network("yolov7-tiny-pose", "ab" * 32)
    index.note_source("images_data")
    index.save(tmp_path / "pose_index")
    return tmp_path / "pose_index"


def beside(prefix: Path, suffix: str) -> Path:
    return prefix.with_name(prefix.name + suffix)


def append_as_an_earlier_tool(prefix: Path, rows: np.ndarray, labels: list[str]) -> None:
    faiss = load_faiss()
    index = faiss.read_index(str(beside(prefix, ".faiss")))
    index.add(rows)
    faiss.write_index(index, str(beside(prefix, ".faiss")))
    path = beside(prefix, "_labels.pkl")
    path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()) + labels))


def test_all_comes_back(prefix: Path, clusters) -> None:
    rows, labels = clusters
    index = PostureIndex.load(prefix, device="cpu")
    np.testing.assert_array_equal(index.vectors, rows)
    assert list(index.labels) == labels
    assert index.embedding.name == "nose25"
    assert index.networks == (("yolov7-tiny-pose", "ab" * 32),)
    assert index.built_from == ("images_data",)
    assert index.examples.pictures[3] == "pictures/p3.jpg"
    np.testing.assert_array_equal(index.examples.keypoints[29].ravel(), np.arange(29 * 51, 30 * 51))
    np.testing.assert_array_equal(index.examples.sizes, [[480, 640]] * 30)
    assert index.rejection_radius is not None
    manifest = json.loads(beside(prefix, ".json").read_text())
    assert manifest["rows"] == 30
    assert manifest["labels"] == {"standing": 10, "sitting": 10, "lying": 10}
    assert manifest["metric"] == "l2"
    assert manifest["rejection_radius"] == index.rejection_radius


def test_earlier_tools_read_the_pair(prefix: Path, clusters) -> None:
    rows, labels = clusters
    index = load_faiss().read_index(str(beside(prefix, ".faiss")))
    assert type(index).__name__ == "IndexFlatL2"
    np.testing.assert_array_equal(index.reconstruct_n(0, 30), rows)
    assert pickle.loads(beside(prefix, "_labels.pkl").read_bytes()) == labels


def test_odd_picture_names_survive(tmp_path: Path) -> None:
    names = ("größer ½.jpg", "a\nb.jpg", "\udcff.jpg", "")
    examples = Examples.unknown(4)
    examples = Examples(names, ("",) * 4, examples.people, examples.keypoints, examples.boxes, examples.sizes)
    index = PostureIndex("nose25", device="cpu")
    index.add(np.zeros((4, 25), np.float32), ["größer\n½"] * 4, examples)
    index.save(tmp_path / "odd [name] *")
    again = PostureIndex.load(tmp_path / "odd [name] *", device="cpu")
    assert again.examples.pictures == names
    assert again.classes == ("größer\n½",)
    assert np.isnan(again.examples.keypoints).all()


def test_the_real_pair(seed_prefix: Path, tmp_path: Path) -> None:
    index = PostureIndex.load(seed_prefix, device="cpu")
    assert index.counts == {"running": 20, "sitting": 20, "standing": 21}
    assert index.embedding.name == "nose25"
    assert index.rejection_radius == pytest.approx(1.140, abs=1e-3)

    names = np.array(index.labels)
    entries = index.search(index.vectors, 6).entries
    right = 0
    for row, found in enumerate(entries.tolist()):
        others = [names[entry] for entry in found if entry != row][:5]
        right += max(dict.fromkeys(others), key=others.count) == names[row]
    assert right / index.rows == pytest.approx(0.852, abs=5e-4)  # the known figure: plain 5-NN, one left out

    index.add(np.full((2, 25), 0.5, np.float32), ["sitting", "lying"])
    index.save(tmp_path / "pose_index", replace=True)
    faiss_index = load_faiss().read_index(str(tmp_path / "pose_index.faiss"))
    labels = pickle.loads((tmp_path / "pose_index_labels.pkl").read_bytes())
    assert faiss_index.ntotal == len(labels) == 63
    assert labels[-2:] == ["sitting", "lying"]
    assert labels[:61] == list(PostureIndex.load(seed_prefix, device="cpu").labels)


def test_what_an_earlier_tool_appended_is_kept(prefix: Path, clusters, caplog: pytest.LogCaptureFixture) -> None:
    append_as_an_earlier_tool(prefix, clusters[0][:4], ["jumping"] * 4)
    with caplog.at_level("WARNING"):
        index = PostureIndex.load(prefix, device="cpu")
    assert "appended 4 rows" in caplog.text
    assert index.rows == 34
    assert index.examples.pictures[29] == "pictures/p29.jpg"
    assert index.examples.pictures[30:] == ("",) * 4
    index.save(prefix)
    caplog.clear()
    assert PostureIndex.load(prefix, device="cpu").counts["jumping"] == 4
    assert not caplog.records


def test_origins_are_forgotten_when_the_pair_was_rewritten(prefix: Path, caplog: pytest.LogCaptureFixture) -> None:
    faiss = load_faiss()
    index = faiss.IndexFlatL2(25)
    index.add(np.random.default_rng(5).random((40, 25), np.float32))
    faiss.write_index(index, str(beside(prefix, ".faiss")))
    beside(prefix, "_labels.pkl").write_bytes(pickle.dumps(["standing"] * 40))
    with caplog.at_level("WARNING"):
        loaded = PostureIndex.load(prefix, device="cpu")
    assert "rewrote" in caplog.text
    assert loaded.examples.pictures == ("",) * 40


def test_the_same_labels_pickled_otherwise_are_the_same(prefix: Path) -> None:
    path = beside(prefix, "_labels.pkl")
    path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()), protocol=2))
    assert PostureIndex.load(prefix, device="cpu").examples.pictures[0] == "pictures/p0.jpg"


def test_a_bare_pair_loads_as_nose25(prefix: Path) -> None:
    beside(prefix, ".json").unlink()
    index = PostureIndex.load(prefix, device="cpu")
    assert index.rows == 30
    assert index.embedding.name == "nose25"
    assert index.examples.pictures == ("",) * 30
    assert index.created == index.updated == ""
    index.save(prefix)
    assert PostureIndex.load(prefix, device="cpu").created == index.updated != ""


def test_a_bare_pair_that_took_its_place_is_not_mixed_with_it(prefix: Path, tmp_path: Path) -> None:
    ours = PostureIndex("gravity59", device="cpu")
    ours.add(np.zeros((2, 59), np.float32), ["standing", "sitting"])
    ours.save(tmp_path / "ours")
    for suffix in (".faiss", "_labels.pkl"):
        beside(tmp_path / "ours", suffix).write_bytes(beside(prefix, suffix).read_bytes())
    beside(tmp_path / "ours", ".json").unlink()
    beside(tmp_path / "ours", "_examples.npz").unlink()
    ours.add(np.ones((1, 59), np.float32), ["standing"])
    with pytest.raises(DatabaseMismatch, match="meanwhile rebuilt with the embedding nose25"):
        ours.save(tmp_path / "ours")
    assert (ours.rows, ours.vectors.shape) == (3, (3, 59))
    assert PostureIndex.load(tmp_path / "ours", device="cpu").rows == 30


def test_without_origins_it_still_works(prefix: Path, caplog: pytest.LogCaptureFixture) -> None:
    beside(prefix, "_examples.npz").unlink()
    with caplog.at_level("WARNING"):
        assert PostureIndex.load(prefix, device="cpu").rows == 30
    assert "_examples.npz is missing" in caplog.text


def spoil_fewer_labels(prefix: Path) -> None:
    beside(prefix, "_labels.pkl").write_bytes(pickle.dumps(["standing"] * 29))


def spoil_more_labels(prefix: Path) -> None:
    beside(prefix, "_labels.pkl").write_bytes(pickle.dumps(["standing"] * 31))


def spoil_one_label(prefix: Path) -> None:
    beside(prefix, "_labels.pkl").write_bytes(pickle.dumps(["lying"] * 30))


def spoil_a_bit(prefix: Path) -> None:
    data = bytearray(beside(prefix, ".faiss").read_bytes())
    data[-7] ^= 1
    beside(prefix, ".faiss").write_bytes(data)


def spoil_rows(prefix: Path) -> None:
    beside(prefix, ".faiss").write_bytes(b"this is no index")


def spoil_half(prefix: Path) -> None:
    data = beside(prefix, ".faiss").read_bytes()
    beside(prefix, ".faiss").write_bytes(data[: len(data) // 2])


def spoil_manifest(prefix: Path) -> None:
    beside(prefix, ".json").write_text('{"version": 1')


def spoil_manifest_type(prefix: Path) -> None:
    beside(prefix, ".json").write_text("[]")


def spoil_origins(prefix: Path) -> None:
    beside(prefix, "_examples.npz").write_bytes(b"PK")


def spoil_record(prefix: Path) -> None:
    beside(prefix, ".commit").write_text("{")


def spoil_pair(prefix: Path) -> None:
    beside(prefix, "_labels.pkl").unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_fewer_labels, r"fewer labels than .* rows: 29 and 30\. .*--replace"),
        (spoil_more_labels, r"more labels than .* rows: 31 and 30\. .*--replace"),
        (spoil_one_label, r"not the files that .*\.json describes.*delete .*\.json"),
        (spoil_a_bit, r"not the files that .*\.json describes"),
        (spoil_rows, r"\.faiss is damaged or no FAISS index.*--replace"),
        (spoil_half, r"\.faiss is damaged or no FAISS index"),
        (spoil_manifest, r"\.json is damaged.*delete it"),
        (spoil_manifest_type, r"\.json is damaged.*delete it"),
        (spoil_origins, r"_examples\.npz is not the file.*delete it"),
        (spoil_record, r"\.commit is damaged"),
        (spoil_pair, r"_labels\.pkl is missing beside"),
    ],
)
def test_damage_is_one_sentence_with_a_cure(prefix: Path, spoil, said: str) -> None:
    before = {file.name: file.read_bytes() for file in prefix.parent.iterdir()}
    spoil(prefix)
    spoilt = {file.name: file.read_bytes() for file in prefix.parent.iterdir()}
    assert spoilt != before
    with pytest.raises(DatabaseDamaged, match=said) as caught:
        PostureIndex.load(prefix, device="cpu")
    assert "\n" not in str(caught.value)
    assert {file.name: file.read_bytes() for file in prefix.parent.iterdir()} == spoilt  # nothing more is lost


def test_a_malicious_labels_file_is_refused(prefix: Path) -> None:
    beside(prefix, "_labels.pkl").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(UnsafeLabels, match=r"os\.system"):
        PostureIndex.load(prefix, device="cpu")


def test_kinds_that_do_not_fit(prefix: Path) -> None:
    path = beside(prefix, ".json")
    manifest = json.loads(path.read_text())
    for change, said in (
        ({"version": 99}, "version 99"),
        ({"metric": "cosine"}, "cosine"),
        ({"embedding": {"name": "hip9", "dimension": 9, "version": 1}}, "'hip9'; this Stance has gravity59, nose25"),
        ({"embedding": {"name": "nose25", "dimension": 25, "version": 2}}, "version 2 of nose25"),
    ):
        path.write_text(json.dumps({**manifest, **change}))
        with pytest.raises(DatabaseMismatch, match=said):
            PostureIndex.load(prefix, device="cpu")
    faiss = load_faiss()
    index = faiss.IndexFlatL2(9)
    faiss.write_index(index, str(beside(prefix, ".faiss")))
    beside(prefix, "_labels.pkl").write_bytes(pickle.dumps([]))
    path.unlink()
    with pytest.raises(DatabaseMismatch, match="has 9 numbers a row, and no embedding of Stance has"):
        PostureIndex.load(prefix, device="cpu")


def test_a_missing_manifest_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture, prefix: Path) -> None:
    for file in starter_prefix().parent.glob("pose_index*"):
        shutil.copy(file, tmp_path / file.name.replace("pose_index", "mine"))
    (tmp_path / "mine.json").unlink()
    with pytest.raises(DatabaseMismatch) as error:
        PostureIndex.load(tmp_path / "mine", device="cpu")
    assert str(error.value).startswith(f"{tmp_path}/mine.json is missing: it says that the rows of")
    assert "are of gravity59. Restore it, or make a database of the other two files" in str(error.value)
    assert str(error.value).endswith(f"with `stance import {tmp_path}/mine.faiss`.")
    beside(prefix, ".json").unlink()
    assert PostureIndex.load(prefix, device="cpu").rows == 30
    assert f"{prefix}.json is missing beside {prefix}_examples.npz: the rows are taken as nose25" in caplog.text


@pytest.mark.parametrize("labels", [tuple, np.array, lambda names: [np.str_(name) for name in names]])
def test_pairs_with_other_labels_load(prefix: Path, tmp_path: Path, clusters, labels) -> None:
    _, names = clusters
    for suffix in (".json", "_examples.npz"):
        beside(prefix, suffix).unlink()
    beside(prefix, "_labels.pkl").write_bytes(pickle.dumps(labels(names)))
    index = PostureIndex.load(prefix, device="cpu")
    assert index.labels == tuple(names)
    index.save(prefix)
    assert pickle.loads(beside(prefix, "_labels.pkl").read_bytes()) == names


@pytest.mark.parametrize("recipe", ["IDMap,Flat", "IDMap2,Flat", "IDMap,SQ8"])
def test_rows_that_number_themselves_find_their_labels(prefix: Path, clusters, recipe: str) -> None:
    rows, names = clusters
    for suffix in (".json", "_examples.npz"):
        beside(prefix, suffix).unlink()
    numbers = np.random.default_rng(0).permutation(30)[:20]  # ten were deleted
    faiss = load_faiss()
    made = faiss.index_factory(25, recipe)
    made.train(rows)
    made.add_with_ids(rows[numbers], numbers)
    faiss.write_index(made, str(beside(prefix, ".faiss")))
    index = PostureIndex.load(prefix, device="cpu")
    assert list(index.labels) == [names[number] for number in numbers]
    np.testing.assert_allclose(index.vectors, rows[numbers], atol=0.01)
    index.save(prefix)
    assert list(PostureIndex.load(prefix, device="cpu").labels) == [names[number] for number in numbers]

    made = faiss.index_factory(25, recipe)
    made.train(rows)
    made.add_with_ids(rows, np.arange(1000, 1030))
    faiss.write_index(made, str(beside(prefix, ".faiss")))
    beside(prefix, "_labels.pkl").write_bytes(pickle.dumps(names))
    for suffix in (".json", "_examples.npz"):
        beside(prefix, suffix).unlink()
    with pytest.raises(DatabaseMismatch, match=r"from 1000 to 1029 \(IndexIDMap\).*30 labels.*--by-place"):
        PostureIndex.load(prefix, device="cpu")


def test_rows_with_nan_or_infinity_are_named_and_left_out(
    prefix: Path, clusters, caplog: pytest.LogCaptureFixture
) -> None:
    rows, names = clusters
    spoilt = rows.copy()
    spoilt[3, 7], spoilt[20, 0] = np.nan, np.inf
    index = load_faiss().IndexFlatL2(25)
    index.add(spoilt)
    load_faiss().write_index(index, str(beside(prefix, ".faiss")))
    for suffix in (".json", "_examples.npz"):
        beside(prefix, suffix).unlink()
    loaded = PostureIndex.load(prefix, device="cpu")
    kept = [row for row in range(30) if row not in (3, 20)]
    assert "row(s) 3, 20 hold NaN or infinity and are left out" in caplog.text
    assert list(loaded.labels) == [names[row] for row in kept]
    np.testing.assert_array_equal(loaded.vectors, rows[kept])
    assert evaluate_leaving_one_out(loaded).people == 28


def test_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing, match="stance build FOLDER --index"):
        PostureIndex.load(tmp_path / "pose_index")
    with pytest.raises(DatabaseMissing, match="is a folder"):
        PostureIndex.load(f"{tmp_path}/")
    assert not database_exists(tmp_path / "pose_index")


def test_a_suffix_is_forgiven(prefix: Path) -> None:
    assert PostureIndex.load(f"{prefix}.faiss", device="cpu").rows == 30


def test_an_unrelated_database_is_not_written_over(prefix: Path, clusters) -> None:
    other = PostureIndex("nose25", device="cpu")
    other.add(clusters[0][:1], ["standing"])
    with pytest.raises(DatabaseExists, match="stance add"):
        other.save(prefix)
    assert PostureIndex.load(prefix, device="cpu").rows == 30
    other.save(prefix, replace=True)
    assert PostureIndex.load(prefix, device="cpu").rows == 1


def test_two_that_add_at_once_lose_nothing(prefix: Path, clusters, pictures_of) -> None:
    rows, _ = clusters
    first = PostureIndex.load(prefix, device="cpu")
    second = PostureIndex.load(prefix, device="cpu")
    first.add(rows[:2], ["a", "a"], pictures_of(["x", "y"]))
    second.add(rows[:2], ["a", "b"], pictures_of(["x", "z"]))
    first.note_network("other", "cd" * 32)
    first.save(prefix)
    second.save(prefix)
    assert second.rows == 33
    again = PostureIndex.load(prefix, device="cpu")
    assert again.labels[30:] == ("a", "a", "b")
    assert again.examples.pictures[30:] == ("pictures/x.jpg", "pictures/y.jpg", "pictures/z.jpg")
    assert [network.name for network in again.networks] == ["yolov7-tiny-pose", "other"]
    first.save(prefix)  # nothing of ours is new now
    assert PostureIndex.load(prefix, device="cpu").rows == 33


ADDER = """
import sys, numpy as np
sys.path.insert(0, sys.argv[1])
from index import PostureIndex
name = sys.argv[3]
index = PostureIndex.load(sys.argv[2], device="cpu")
for number in range(10):
    index.add(np.random.default_rng(number).random((1, 25), np.float32), [name])
    index.save(sys.argv[2])
"""


def test_processes_that_save_at_once_lose_nothing(prefix: Path) -> None:
    root = Path(__file__).parents[3]
    adders = [
        subprocess.Popen([sys.executable, "-c", ADDER, str(root), str(prefix), name], stderr=subprocess.PIPE)
        for name in ("one", "two", "three")
    ]
    reads = 0
    while any(adder.poll() is None for adder in adders):
        assert PostureIndex.load(prefix, device="cpu").rows >= 30  # a reader never sees half a save
        reads += 1
    assert [adder.wait() for adder in adders] == [0, 0, 0], [adder.stderr.read() for adder in adders if adder.stderr]
    assert reads > 0
    counts = PostureIndex.load(prefix, device="cpu").counts
    assert [counts[name] for name in ("one", "two", "three")] == [10, 10, 10]


def test_a_pending_save_is_read_in_place_where_nothing_may_be_written(
    prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def killed_after_the_record(source, target):
        real(source, target)
        if str(target).endswith(".commit"):
            raise KeyboardInterrupt

    index = PostureIndex.load(prefix, device="cpu")
    index.add(np.zeros((1, 25), np.float32), ["new"])
    monkeypatch.setattr(os, "replace", killed_after_the_record)
    with pytest.raises(KeyboardInterrupt):
        index.save(prefix)

    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refused)
    before = sorted(file.name for file in prefix.parent.iterdir())
    assert PostureIndex.load(prefix, device="cpu").rows == 31
    assert sorted(file.name for file in prefix.parent.iterdir()) == before
    monkeypatch.setattr(os, "replace", real)
    assert PostureIndex.load(prefix, device="cpu").rows == 31
    assert len(list(prefix.parent.iterdir())) == 4


def test_a_full_disk_leaves_the_old_database(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_):
        raise OSError(28, "No space left on device")

    index = PostureIndex.load(prefix, device="cpu")
    index.add(np.zeros((1, 25), np.float32), ["new"])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DatabaseUnwritable, match=r"could not be written: No space left.*choose another place"):
            index.save(prefix)
    assert PostureIndex.load(prefix, device="cpu").rows == 30
    assert len(list(prefix.parent.iterdir())) == 4  # no remains
    index.save(prefix)
    assert PostureIndex.load(prefix, device="cpu").rows == 31


def test_a_copied_database_is_whole(prefix: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for suffix in (".faiss", "_labels.pkl", ".json", "_examples.npz"):
        shutil.copy(beside(prefix, suffix), elsewhere / f"mine{suffix}")
    assert PostureIndex.load(elsewhere / "mine", device="cpu").examples.pictures[0] == "pictures/p0.jpg"


def test_which_database_is_read(
    prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.INFO):
        assert choose_prefix() == Path("pose_index")
        assert choose_prefix("other.faiss") == Path("other")
        assert not caplog.records
        empty = tmp_path / "empty"
        empty.mkdir()
        monkeypatch.chdir(empty)
        assert choose_prefix() == starter_prefix()
    assert len(caplog.records) == 1
    assert starter_prefix().parent.name == "starter"
