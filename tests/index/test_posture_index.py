"""Teaching and asking."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index import Matches, PostureIndex
from index.classification import DecisionRule
from index.errors import DatabaseMismatch
from pose.embeddings.registry import DEFAULT_EMBEDDING
from pose.poses import Poses
from pose.reason import Reason
from tests.worlds import person


@pytest.fixture
def taught(clusters, pictures_of) -> PostureIndex:
    rows, labels = clusters
    index = PostureIndex("nose25", device="cpu")
    added = index.add(rows, labels, pictures_of([f"p{number}" for number in range(30)]))
    assert added.reasons == (None,) * 30
    assert added.rows == tuple(range(30))
    return index


def test_what_it_holds(taught: PostureIndex) -> None:
    assert taught.rows == 30
    assert taught.classes == ("standing", "sitting", "lying")
    assert taught.counts == {"standing": 10, "sitting": 10, "lying": 10}
    assert len(taught.examples) == 30
    assert repr(taught) == "PostureIndex('nose25', rows=30, classes=3)"


def test_a_whole_batch_is_named_in_one_search(taught: PostureIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    assert taught.rejection_radius is not None  # measuring it searches too, once
    searches: list[int] = []
    real = taught._rows.neighbours.search
    monkeypatch.setattr(taught._rows.neighbours, "search", lambda rows, k: searches.append(len(rows)) or real(rows, k))
    rows = np.full((6, 25), 0.2, np.float32)
    rows[1], rows[2] = 0.5, 0.8
    rows[3] = 0.2 + 0.0495  # between the two, and far from both
    rows[4, 0] = np.nan
    rows[5] = 30
    classifications = taught.classify(rows)
    assert [classification.label for classification in classifications] == [
        "standing",
        "sitting",
        "lying",
        None,
        None,
        None,
    ]
    assert [classification.reason for classification in classifications] == [
        None,
        None,
        None,
        "too far",
        "too few keypoints",
        "too far",
    ]
    assert classifications[1].probability == pytest.approx(1)
    assert set(classifications[1].entries) <= set(range(10, 20))
    assert searches == [6]
    assert taught.classify(np.zeros((0, 25), np.float32)) == []


def test_a_new_database_is_what_build_makes() -> None:
    assert PostureIndex(device="cpu").embedding.name == DEFAULT_EMBEDDING == "gravity59"


def test_an_empty_database_says_so() -> None:
    index = PostureIndex("nose25", device="cpu")
    assert index.rejection_radius is None
    for classification in index.classify(np.zeros((2, 25), np.float32)):
        assert classification.reason is Reason.EMPTY_DATABASE
    assert len(index.examples) == 0


def test_the_same_picture_twice_adds_nothing(taught: PostureIndex, clusters, pictures_of) -> None:
    rows, _ = clusters
    added = taught.add(rows[:3], ["standing", "lying", "jumping"], pictures_of(["p0", "p1", "new"]))
    assert added.reasons == (Reason.KNOWN, Reason.CONFLICT, None)
    assert added.rows == (0, 1, 30)
    assert added.count == 1
    assert taught.rows == 31
    assert taught.labels[1] == "standing"
    assert taught.examples.pictures[30] == "pictures/new.jpg"
    assert taught.classify(rows[2:3], DecisionRule(k=1))[0].label in ("standing", "jumping")


def test_duplicates_within_one_call_and_other_people_of_a_picture(taught: PostureIndex, clusters, pictures_of) -> None:
    rows, _ = clusters
    added = taught.add(rows[:4], ["a", "a", "b", "b"], pictures_of(["q", "q", "q", "q"], [0, 0, 0, 1]))
    assert added.reasons == (None, Reason.KNOWN, Reason.CONFLICT, None)
    digest = pictures_of(["q"]).digests[0]
    assert taught.labels_of_picture(digest) == ("a", "b")
    assert taught.people_of_picture(digest) == (0, 1)


def test_untellable_postures_are_not_added(taught: PostureIndex) -> None:
    rows = np.zeros((3, 25), np.float32)
    rows[1, 7] = np.nan
    rows[2, 7] = np.inf
    added = taught.add(rows, ["a", "b", "c"])
    assert added.reasons == (None, Reason.TOO_FEW_KEYPOINTS, Reason.TOO_FEW_KEYPOINTS)
    assert added.rows == (30, -1, -1)
    assert taught.classes[-1] == "a"


def test_rows_without_origin_are_always_added(taught: PostureIndex) -> None:
    for _ in range(2):
        assert taught.add(np.zeros((2, 25), np.float32), ["a", "a"]).count == 2
    assert taught.rows == 34


def test_arguments_that_do_not_fit(taught: PostureIndex, pictures_of) -> None:
    with pytest.raises(ValueError, match=r"expected \[N, 25\]"):
        taught.add(np.zeros((1, 24), np.float32), ["a"])
    with pytest.raises(ValueError, match="2 labels"):
        taught.add(np.zeros((1, 25), np.float32), ["a", "b"])
    with pytest.raises(ValueError, match="2 examples"):
        taught.add(np.zeros((1, 25), np.float32), ["a"], pictures_of(["x", "y"]))
    with pytest.raises(ValueError, match="k=0"):
        taught.search(np.zeros((1, 25), np.float32), 0)
    with pytest.raises(ValueError, match=r"\(1, 24\)"):
        taught.search(np.zeros((1, 24), np.float32))
    with pytest.raises(ValueError, match="no embedding 'x'"):
        PostureIndex("x")
    assert taught.rows == 30


def test_more_neighbours_than_rows(taught: PostureIndex) -> None:
    found = taught.search(np.zeros((1, 25), np.float32), 40)
    assert isinstance(found, Matches)
    assert sorted(found.entries[0, :30].tolist()) == list(range(30))
    assert found.entries[0, 30:].tolist() == [-1] * 10


def test_the_radius_follows_the_rows(taught: PostureIndex) -> None:
    before = taught.rejection_radius
    far = np.random.default_rng(4).random((30, 25), np.float32)
    taught.add(far, ["odd"] * 30)
    after = taught.rejection_radius
    assert before is not None
    assert after is not None
    assert after > 3 * before


def test_people_are_told_from_their_keypoints(taught: PostureIndex) -> None:
    keypoints = np.random.default_rng(1).random((2, 17, 3)).astype(np.float32) * 50
    keypoints[0, :, 2] = 0.9
    keypoints[1, :, 2] = 0.1
    rows = taught.embedding(Poses(keypoints, np.tile([0, 0, 30, 60], (2, 1)), np.ones(2)))
    told, untold = taught.classify(rows)
    assert told.entries
    assert untold.reason is Reason.TOO_FEW_KEYPOINTS


def test_teaching_while_asking(taught: PostureIndex, clusters) -> None:
    stop, faults = threading.Event(), []
    rows = clusters[0]

    def ask() -> None:
        while not stop.is_set():
            try:
                assert [classification.label for classification in taught.classify(rows[[0, 10, 20]])] == [
                    "standing", "sitting", "lying"
                ]  # fmt: skip
            except Exception as fault:
                faults.append(fault)
                return

    asker = threading.Thread(target=ask)
    asker.start()
    for number in range(300):
        taught.add(np.full((1, 25), 100.0 + number, np.float32), [f"far{number}"])
    stop.set()
    asker.join()
    assert not faults
    assert taught.rows == 330


def test_twenty_people_are_named_well_under_a_frame() -> None:
    random = np.random.default_rng(0)
    index = PostureIndex("nose25", device="cpu")
    index.add(random.random((2000, 25), np.float32), [f"class {number % 10}" for number in range(2000)])
    rows = random.random((20, 25), np.float32)
    index.classify(rows)
    found = index.search(rows)
    seconds = []
    for _ in range(50):
        begun = time.perf_counter()
        index.vote(found)
        seconds.append(time.perf_counter() - begun)
    assert np.median(seconds) < 0.001, f"{np.median(seconds) * 1e3:.2f} ms"


def test_importing_is_light() -> None:
    code = "import index, sys; print([name for name in ('faiss', 'torch', 'cv2', 'tqdm') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"


def test_other_is_a_label_that_names_nothing(taught: PostureIndex, clusters) -> None:
    rows = clusters[0]
    taught.add(rows[:10] + np.float32(0.9), ["other"] * 10)
    (classification,) = taught.classify(rows[:1] + np.float32(0.9))
    assert (classification.label, classification.best, classification.reason) == (None, "other", Reason.OTHER)
    assert taught.classify(rows[:1])[0].label == "standing"


def test_why_somebody_could_not_be_embedded_is_said(taught: PostureIndex, clusters) -> None:
    rows = np.concatenate((clusters[0][:1], np.full((2, 25), np.nan, np.float32)))
    classifications = taught.classify(rows, reject_reasons=[None, Reason.TOO_SMALL, None])
    assert [classification.reason for classification in classifications] == [None, "too small", "too few keypoints"]


def test_reembedding_needs_no_pictures(pictures_of) -> None:
    index = PostureIndex("nose25", device="cpu")
    examples = pictures_of(["a", "b", "c"])
    people = np.stack([person(100, 100), person(200, 50, height=90), person(10, 10, height=300)])
    examples = replace(examples, keypoints=people)
    index.add(index.embedding.compute(people), ["x", "y", "x"], examples)
    index.note_source("folder")
    moved = index.reembedded("gravity59")
    np.testing.assert_array_equal(moved.vectors, moved.embedding.compute(people))
    assert (moved.labels, moved.built_from, moved.examples.pictures) == (
        index.labels, index.built_from, index.examples.pictures
    )  # fmt: skip
    assert moved.add(moved.vectors[:1], ["x"], examples.select([0])).count == 0  # pictures are still known
    assert index.embedding.name == "nose25"
    index.add(index.vectors[:1], ["x"])
    with pytest.raises(DatabaseMismatch, match=r"keypoints of 1 of 4 rows are unknown.*Nothing was changed"):
        index.reembedded("gravity59")


def test_reembedding_refuses_rows_that_do_not_show_enough(pictures_of) -> None:
    index = PostureIndex("nose25", device="cpu")
    headless = person(100, 100)
    headless[[5, 6], 2] = 0.0
    index.add(index.embedding.compute(headless[None]), ["x"], replace(pictures_of(["a"]), keypoints=headless[None]))
    with pytest.raises(DatabaseMismatch, match=r"1 of 1 rows do not show enough for gravity59, such as .*a\.jpg"):
        index.reembedded("gravity59")
