"""One line per frame that any JSON reader takes. Strategy: a scene with every kind of missing value, read back with a
parser that refuses NaN; the whole record is compared."""

import io
import json
import math
import sys
from datetime import datetime

import numpy as np
import pytest

from index.classification import Classification
from pose.poses import Poses
from pose.reason import Reason
from stream.errors import SinkError
from stream.frame import Frame
from stream.scene import Person, Scene
from stream.sinks.json_lines import JsonLinesSink, scene_record

KNOWN = Classification("standing", 0.75, 0.123456, "standing", None, (4, 9), ("standing", "sitting"), (0.1, 0.14691))
NOBODY = Classification(None, 0.0, math.nan, None, Reason.TOO_FEW_KEYPOINTS, (), (), ())


def strict(line):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(line, parse_constant=refuse)


@pytest.fixture
def scene():
    keypoints = np.zeros((3, 17, 3), np.float32)
    keypoints[0, 0] = (12.3456, 78.94, 0.98765)
    keypoints[1, 5] = np.nan
    boxes = np.array([[1, 2, 30.06, 40], [0, 0, 90, 90], [0, 0, 2, 2]], np.float32)
    poses = Poses(keypoints, boxes, np.array([0.9, 0.8, 0.7], np.float32))
    people = (Person(0, 7, KNOWN, "standing", 0.7, 1.25), Person(1, None, NOBODY, None, 0.0, None))
    return Scene(Frame(np.zeros((48, 64, 3), np.uint8), "Hof 人", 3, 1, 0.1, 1000.0), poses, people)


def test_the_whole_record(scene):
    record = scene_record(scene)
    people = record.pop("people")
    assert record == {
        "source": "Hof 人", "file": None, "frame": 3, "epoch": 1, "seconds": 0.1, "media_seconds": 0.1,
        "captured_at": None, "age_seconds": None, "drops": None, "width": 64, "height": 48,
    }  # fmt: skip
    assert [person["box"] for person in people] == [[0, 0, 90, 90], [1, 2, 30.1, 40], [0, 0, 2, 2]]  # prominence
    unknown, known, untold = people
    keypoints = known.pop("keypoints")
    assert known == {
        "track": 7, "posture": "standing", "since_seconds": 1.25, "label": "standing", "probability": 0.75,
        "share": 0.75, "distance": 0.1235, "reason": None, "neighbours": [["standing", 0.1], ["sitting", 0.1469]],
        "box": [1.0, 2.0, 30.1, 40.0], "score": 0.9,
    }  # fmt: skip
    assert keypoints == [[12.3, 78.9, 0.988]] + [[0.0, 0.0, 0.0]] * 16
    assert unknown["keypoints"][5] == [None, None, None]
    assert (unknown["distance"], unknown["reason"], unknown["track"]) == (None, "too few keypoints", None)
    assert (untold["track"], untold["label"], untold["reason"]) == (None, None, None)


def test_a_line_per_frame_complete_at_once(tmp_path, scene, worlds):
    path = tmp_path / "out.jsonl"
    with JsonLinesSink(path, worlds.FakeSource()) as sink:
        for count in range(1, 4):
            sink.write(scene, None)  # never asks for the drawing
            assert len(path.read_bytes().splitlines()) == count
        sink.write(worlds.empty_scene(scene.frame), None)
    records = [strict(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(records) == 4
    assert records[0]["source"] == "Hof 人"
    assert records[3]["people"] == []
    sink.close()
    with pytest.raises(SinkError, match="closed"):
        sink.write(scene, None)


def test_live_frames_tell_the_wall_clock(tmp_path, worlds):
    import time

    sources = worlds.FakeSource(live=True, name="cam"), worlds.FakeSource(name="clip")
    frame = Frame(np.zeros((4, 4, 3), np.uint8), "cam", 0, 0, None, time.monotonic() - 0.25)
    drops = {"cam": {"replaced": 3}}
    with JsonLinesSink(tmp_path / "out.jsonl", *sources, drops=drops.__getitem__) as sink:
        sink.write(worlds.empty_scene(frame), None)
        sink.write(worlds.empty_scene(sources[1].frame(0)), None)
    record, recorded = map(strict, (tmp_path / "out.jsonl").read_text().splitlines())
    assert 0.25 <= record["age_seconds"] < 5
    assert record["drops"] == {"replaced": 3}
    assert (recorded["captured_at"], recorded["age_seconds"], recorded["drops"]) == (None, None, None)
    told = datetime.fromisoformat(record["captured_at"])
    assert told.utcoffset().total_seconds() == 0
    assert abs(told.timestamp() - time.time()) < 5
    assert record["media_seconds"] is None
    assert record["seconds"] == pytest.approx(frame.captured_seconds, abs=1e-5)


def test_standard_output_stays_open(monkeypatch, scene, worlds):
    pipe = io.BytesIO()
    output = io.TextIOWrapper(pipe, encoding="utf-8")  # keeps 8 kB back, as standard output does towards a pipe
    monkeypatch.setattr(sys, "stdout", output)
    with JsonLinesSink("-", worlds.FakeSource()) as sink:
        sink.write(scene, None)
        assert strict(pipe.getvalue())["frame"] == 3
    assert not output.closed


def test_a_reader_that_left(monkeypatch, scene, worlds):
    class Broken(io.StringIO):
        def write(self, _):
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stdout", Broken())
    with JsonLinesSink("-", worlds.FakeSource()) as sink, pytest.raises(SinkError, match="has ended"):
        sink.write(scene, None)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
def test_a_full_disk(scene, worlds):
    sink = JsonLinesSink("/dev/full", worlds.FakeSource())
    with pytest.raises(SinkError, match="disk full"):
        sink.write(scene, None)
    sink.close()
