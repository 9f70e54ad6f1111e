"""Teaching and saving while somebody classifies: who waits for what, on the rows of the starter database."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import index.recalibration as module
from index import PostureIndex, starter_prefix
from index.search.calibration import Calibration, calibrate

WAIT = 60.0  # seconds, for a busy machine; nothing here takes so long


@pytest.fixture
def taught() -> PostureIndex:
    """Every other row of the starter database, measured."""
    whole = PostureIndex.load(starter_prefix(), device="cpu")
    known = PostureIndex(whole.embedding.name, device="cpu")
    known.add(whole.vectors[::2], whole.labels[::2])
    assert known.rejection_radius is not None
    return known


@pytest.fixture
def others() -> tuple[np.ndarray, list[str]]:
    """The rows that it does not have."""
    whole = PostureIndex.load(starter_prefix(), device="cpu")
    return whole.vectors[1::2], list(whole.labels[1::2])


class Gate:
    """Holds a function up until it is opened."""

    def __init__(self, function: Callable):
        self.function, self.reached, self.opened = function, threading.Event(), threading.Event()

    def __call__(self, *arguments):
        self.reached.set()
        assert self.opened.wait(WAIT)
        return self.function(*arguments)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Where measuring is held up."""
    gate = Gate(calibrate)
    monkeypatch.setattr(module, "calibrate", gate)
    yield gate
    gate.opened.set()


def elsewhere(work: Callable) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_classifying_goes_on_while_a_calibration_is_held_up(taught: PostureIndex, others, gate: Gate) -> None:
    rows, labels = others
    before = taught.calibration
    elsewhere(lambda: taught.add(rows, labels)).join(WAIT)
    (first, *_) = [taught.classify(rows[:20]) for _ in range(3)]  # would wait for ever if it waited
    assert gate.reached.wait(WAIT)
    assert [one.entries[0] for one in first] == list(range(taught.rows - len(rows), taught.rows - len(rows) + 20))
    gate.opened.set()
    assert taught.calibration != before
    anew = PostureIndex(taught.embedding.name, device="cpu")
    anew.add(taught.vectors, taught.labels)
    assert taught.calibration == anew.calibration
    assert taught.classify(rows[:20]) == anew.classify(rows[:20])


def test_who_taught_waits_so_that_the_outcome_does_not_depend_on_the_machine(
    taught: PostureIndex, others, gate: Gate
) -> None:
    rows, labels = others
    answers: list = []

    def teach_and_ask() -> None:
        taught.add(rows, labels)
        answers.append(taught.classify(rows[:20]))

    script = elsewhere(teach_and_ask)
    assert gate.reached.wait(WAIT)
    assert not answers
    gate.opened.set()
    script.join(WAIT)
    anew = PostureIndex(taught.embedding.name, device="cpu")
    anew.add(taught.vectors, taught.labels)
    assert answers == [anew.classify(rows[:20])]


def test_rows_that_are_replaced_meanwhile_keep_their_own_calibration(taught: PostureIndex, others, gate: Gate) -> None:
    elsewhere(lambda: taught.add(*others)).join(WAIT)
    taught.classify(others[0][:1])
    assert gate.reached.wait(WAIT)
    starter = PostureIndex.load(starter_prefix(), device="cpu")
    taught._hold(starter._rows)
    taught._recalibration.hold(starter._rows, starter.calibration)
    gate.opened.set()
    for thread in threading.enumerate():
        if thread.name == "recalibration":
            thread.join(WAIT)
    assert taught.calibration == starter.calibration


def test_what_makes_measuring_fail_is_raised_where_somebody_asks(
    taught: PostureIndex, others, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Calibration:
        raise MemoryError("no room for distances")

    monkeypatch.setattr(module, "calibrate", fails)
    taught.add(*others)
    with pytest.raises(MemoryError, match="no room"):
        taught.classify(others[0][:1])
    monkeypatch.undo()
    with pytest.raises(MemoryError, match="no room"):  # once more, where it was nobody's before
        taught.classify(others[0][:1])
    assert taught.classify(others[0][:1])[0].entries


def test_nobody_waits_for_the_disk(
    taught: PostureIndex, others, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are added while a save waits for the disk are in the next one."""
    rows, labels = others
    disk = Gate(os.fsync)
    monkeypatch.setattr(os, "fsync", disk)
    before = taught.rows
    save = elsewhere(lambda: taught.save(tmp_path / "kept"))
    assert disk.reached.wait(WAIT)
    assert taught.add(rows[:50], labels[:50]).count == 50
    assert [one.entries[0] for one in taught.classify(rows[:50])] == list(range(before, before + 50))
    assert save.is_alive()
    disk.opened.set()
    save.join(WAIT)
    assert PostureIndex.load(tmp_path / "kept", device="cpu").rows == before
    taught.save(tmp_path / "kept")
    loaded = PostureIndex.load(tmp_path / "kept", device="cpu")
    np.testing.assert_array_equal(loaded.vectors, taught.vectors)
    assert loaded.labels == taught.labels
    assert loaded.calibration == taught.calibration
