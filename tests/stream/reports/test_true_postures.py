"""Files of true postures: good ones as they are, bad ones refused by line; ours are held to the same."""

from itertools import pairwise
from pathlib import Path

import pytest

from index import PostureIndex, starter_prefix
from stream.errors import IntervalsError
from stream.reports.true_postures import TruePosture, read_true_postures

OURS = sorted((Path(__file__).parents[2] / "intervals").glob("*.csv"))
CLASSES = ("lying", "sitting")


def read(tmp_path, text):
    path = tmp_path / "true.csv"
    path.write_text(text, encoding="utf-8")
    return read_true_postures(path, CLASSES)


def test_intervals_pauses_and_columns_of_others(tmp_path):
    text = "\ufefffrom_seconds,to_seconds,posture,note\n0,2.5,sitting,x\n2.5,3,,\n4,6, lying ,\n"
    assert read(tmp_path, text) == [
        TruePosture(0.0, 2.5, "sitting"), TruePosture(2.5, 3.0, None), TruePosture(4.0, 6.0, "lying"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from,to,posture\n0,1,sitting\n", "line 1: there is no column from_seconds"),
        ("", "line 1: there is no column"),
        ("from_seconds,to_seconds,posture\n0,1,sitting\n1,two,lying\n", "line 3: to_seconds is 'two'"),
        ("from_seconds,to_seconds,posture\n0,nan,sitting\n", "line 2: to_seconds is 'nan'"),
        ("from_seconds,to_seconds,posture\n0\n", "line 2: to_seconds is None"),
        ("from_seconds,to_seconds,posture\n3,1,sitting\n", "line 2: it ends at 1 s but begins at 3 s"),
        ("from_seconds,to_seconds,posture\n0,2,sitting\n1,3,lying\n", "line 3: it begins at 1 s, before"),
        ("from_seconds,to_seconds,posture\n0,2,stting\n", "line 2: 'stting' is no posture of the database; it has"),
        ("from_seconds,to_seconds,posture\n0,2,\n", "names no posture"),
    ],
)  # fmt: skip
def test_faults_are_sentences_with_the_line(tmp_path, text, told):
    with pytest.raises(IntervalsError) as fault:
        read(tmp_path, text)
    assert told in str(fault.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(IntervalsError, match="is missing"):
        read_true_postures(tmp_path / "no.csv", CLASSES)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(IntervalsError, match="it is not UTF-8 text"):
        read_true_postures(tmp_path / "binary.csv", CLASSES)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_ours_are_postures_of_the_starter_database(path):
    intervals = read_true_postures(path, PostureIndex.load(starter_prefix()).classes)
    assert intervals[0].from_seconds == 0.0
    assert all(a.to_seconds == b.from_seconds for a, b in pairwise(intervals))
