"""Damaged files: the harness notices what it must, and what Stance reads is tried with a few hundred of them.

`python -m bench.hostile_files` tries ten thousand.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench import hostile_files
from bench.hostile_files import try_files
from bench.hostile_kinds import KINDS
from bench.hostile_mutations import bomb, mutate

WORLDS = "tests.bench.hostile_worlds"
FILES = {"database": 60, "labels": 100, "checkpoint": 32, "settings": 60, "picture": 60, "video": 36}


def test_the_same_seed_damages_alike() -> None:
    data = bytes(range(256)) * 20
    assert [mutate(data, seed) for seed in range(50)] == [mutate(data, seed) for seed in range(50)]
    assert len({mutate(data, seed) for seed in range(50)}) > 45
    assert all(mutate(data, seed, head=100)[-5000:] == data[-5000:] for seed in range(50))
    assert bomb(b"\x80\x04]\x94.", 3, "/never") == bomb(b"\x80\x04]\x94.", 3, "/never")
    for seed in range(300):
        assert isinstance(mutate(b"", seed, text=seed % 2 == 0), bytes)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("fails", "traceback"), ("dies", "died"), ("hangs", "hung"), ("runs_code", "code run"),
        ("makes_the_folder", "code run"), ("takes_memory", "traceback"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_noticed_and_the_others_are_read(
    tmp_path: Path, kind: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostile_files, "LONGEST_SECONDS", 0.5 if kind == "hangs" else 10)
    monkeypatch.setattr(hostile_files, "_PATIENCE", 100)
    counts: Counter[str] = Counter()
    (finding,) = try_files(kind, 0, 3, tmp_path, counts, module=WORLDS)
    assert (finding.number, finding.outcome) == (1, outcome)
    assert counts == {"read": 2, outcome: 1}


def test_a_refusal_is_no_finding(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    sentences: Counter[str] = Counter()
    assert list(try_files("refuses", 0, 3, tmp_path, counts, sentences, module=WORLDS)) == []
    assert counts == {"read": 2, "refused": 1}
    assert list(sentences) == ["/damaged is damaged."]


@pytest.mark.parametrize("kind", KINDS)
def test_no_damaged_file_ends_us_shows_a_traceback_runs_code_or_hangs(tmp_path: Path, kind: str) -> None:
    KINDS[kind].make(tmp_path)
    counts: Counter[str] = Counter()
    found = [
        f"{one.number}: {one.outcome} {one.text}" for one in try_files(kind, 50_000, FILES[kind], tmp_path, counts)
    ]
    assert not found, "\n".join(found)
    assert sum(counts.values()) == FILES[kind]
