"""Text outputs on a disk that is really full: of a camera they pause, say so, go on and count what is missing; of a
recording the fault is an error. In every case the file is whole at every moment."""

import json
import logging
import os
from collections import deque

import numpy as np
import pytest

from index.classification import Classification
from pose.poses import Poses
from stream.errors import SinkError
from stream.scene import Person, Scene
from stream.sinks.json_lines import JsonLinesSink
from stream.sinks.retry import Retry
from stream.sinks.timeline import sink as timeline_sink
from stream.sinks.timeline.sink import TimelineSink

RATE = 10


@pytest.fixture
def scene(worlds):
    """Scene `n` of somebody who changes the posture with every frame, to a label of some 2 kB."""
    source = worlds.FakeSource(live=True, name="cam")
    recording = worlds.FakeSource(name="clip")
    poses = Poses(np.ones((1, 17, 3), np.float32), np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.float32))

    def make(n, live=True):
        label = f"{n:04d}" + "x" * 2000
        person = Person(0, 1, Classification(label, 1.0, 0.1, label, None, (), (), ()), label, 1.0, 0.0)
        frame = (source if live else recording).frame(n, n / RATE)
        return Scene(frame, poses, (person,))

    make.source, make.recording = source, recording
    return make


def fill(disk):
    """Take all the room that is left."""
    with (disk / "old.bin").open("wb", buffering=0) as file:
        size = 65536
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


def lines_of(path):
    return [json.loads(line)["frame"] for line in path.read_text().splitlines()]


def test_json_lines_of_a_camera(small_disk, scene, caplog):
    caplog.set_level(logging.INFO, "stream")
    path = small_disk / "o.jsonl"
    handles = len(os.listdir("/proc/self/fd"))
    sink = JsonLinesSink(path, scene.source)
    for n in range(20):
        sink.write(scene(n), None)
    fill(small_disk)
    for n in range(20, 1000):
        sink.write(scene(n), None)
    written = lines_of(path)  # every line is whole
    assert written == list(range(len(written)))
    assert 20 <= len(written) < 30
    assert sink.missed == 1000 - len(written)
    assert len(os.listdir("/proc/self/fd")) == handles
    (small_disk / "old.bin").unlink()
    for n in range(1000, 2000):
        sink.write(scene(n), None)
        if not sink._retry.failing:
            break
    assert n < 1000 + 61 * RATE
    for more in range(n + 1, n + 5):
        sink.write(scene(more), None)
    sink.close()
    assert lines_of(path) == [*written, *range(n, n + 5)]
    assert sink.missed == n - len(written)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 3, told
    assert "No space left on device" in told[0]
    assert "It pauses, everything else goes on. Make room in" in told[0]
    assert told[1].endswith(f"is written again; {sink.missed} frames are missing in it")
    assert told[2].endswith(f"{sink.missed} frames are missing, because they could not be written")


@pytest.mark.parametrize("suffix", ["csv", "json", "srt"])
def test_a_timeline_of_a_camera_loses_nothing(small_disk, scene, caplog, suffix):
    caplog.set_level(logging.INFO, "stream")
    paused, free = small_disk / f"t.{suffix}", small_disk.parent / f"free.{suffix}"
    for path, full in ((free, False), (paused, True)):
        sink = TimelineSink(path, scene.source)
        sink._clock_offset_seconds = 0
        for n in range(150):
            if n == 20 and full:
                fill(small_disk)
            if n == 40 and full:
                assert sink._retry.failing
                (small_disk / "old.bin").unlink()
            sink.write(scene(n), None)
            if suffix == "json":
                json.loads(path.read_text())
        sink.close()
        assert sink.missed == 0
    assert paused.read_text() == free.read_text()
    assert free.read_text().count("x" * 2000) > 100
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "It pauses" in told[0]
    assert "is written again; 0 intervals are missing" in told[1]


def test_a_timeline_keeps_so_much_and_counts_the_rest(small_disk, scene, caplog, monkeypatch):
    monkeypatch.setattr(timeline_sink, "KEPT_INTERVALS", 25)
    sink = TimelineSink(small_disk / "t.json", scene.source)
    fill(small_disk)
    for n in range(100):
        sink.write(scene(n), None)
    sink.close()
    assert sink.missed == 100
    assert "100 intervals are missing" in caplog.text


@pytest.mark.parametrize("name", ["o.jsonl", "t.csv", "t.json", "t.srt"])
def test_of_a_recording_it_is_an_error(small_disk, scene, name):
    path = small_disk / name
    sink = (JsonLinesSink if name == "o.jsonl" else TimelineSink)(path, scene.recording)
    for n in range(20):
        sink.write(scene(n, live=False), None)
    fill(small_disk)
    with pytest.raises(SinkError, match=f"{name} cannot be written any further .No space left on device"):
        deque((sink.write(scene(n, live=False), None) for n in range(20, 1000)), maxlen=0)
    with pytest.raises(SinkError, match="closed"):
        sink.write(scene(1000, live=False), None)
    sink.close()
    if name == "o.jsonl":
        assert lines_of(path) == list(range(len(lines_of(path))))
        assert 20 <= len(lines_of(path)) < 30
    elif name == "t.json":
        assert len(json.loads(path.read_text())) >= 15
    else:
        assert path.read_text().endswith("\n")


def test_a_folder_that_comes_back(tmp_path, scene):
    """The disk is gone and another one is put in its place."""
    (tmp_path / "disk").mkdir()
    path = tmp_path / "disk" / "o.jsonl"
    sink = JsonLinesSink(path, scene.source)
    (tmp_path / "disk").rmdir()
    for n in range(20):
        sink.write(scene(n), None)
    (tmp_path / "disk").mkdir()
    for n in range(20, 150):
        sink.write(scene(n), None)
    sink.close()
    assert lines_of(path) == list(range(100, 150))
    assert "written_by" in json.loads(path.read_text().splitlines()[0])


def test_pauses_grow_and_begin_anew():
    retry, attempts = Retry(), deque()
    for second in range(300):
        if retry.due(second):
            attempts.append(second)
            retry.failed(second)
    assert list(attempts) == [0, 10, 30, 70, 130, 190, 250]
    retry.worked(300)
    assert retry.due(300)
    retry.failed(310)  # soon after: it is the same fault
    assert (retry.due(369), retry.due(370)) == (False, True)
    retry.worked(370)
    retry.failed(500)
    assert (retry.due(509), retry.due(510)) == (False, True)
