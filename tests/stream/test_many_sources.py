"""Several sources in one run, as a user meets them: real clips, real RTSP servers, real processes."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import pytest

from index import PostureIndex
from pose.estimator import PoseEstimator
from stream.cli import main
from stream.errors import SourceError
from stream.pipeline import scenes
from stream.run.tally import Tally
from stream.sources.opening import open_source

ROOT = Path(__file__).resolve().parents[2]
FAST = ["--set", "pose.image_size=128", "--set", "pose.threads=1"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def clips(tmp_path, worlds):
    worlds.write_clip(tmp_path / "long.mp4", [n / 30 for n in range(40)])
    worlds.write_clip(tmp_path / "short.mp4", [n / 25 for n in range(15)], size=(160, 240))
    return ["long.mp4", "short.mp4"]


@pytest.fixture(scope="module")
def estimator():
    return PoseEstimator(image_size=128, device="cpu")


@pytest.fixture(scope="module")
def index():
    return PostureIndex.load(ROOT / "index" / "starter" / "pose_index")


def start(*arguments, cwd):
    return subprocess.Popen(
        [sys.executable, "-m", "stream.cli", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def lines_of(path):
    if not Path(path).exists():
        return []
    return [
        json.loads(line)
        for line in Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
        if line[-1] == "\n"
    ]


def numbers(lines, source):
    return [line["frame"] for line in lines if line["source"] == source]


def count_frames(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_two_recordings_into_a_folder(clips, capsys):
    assert (
        main(["run", "a=long.mp4", "short.mp4", "--out", "o", "--jsonl", "o.jsonl", "--timeline", "t.csv", *FAST]) == 0
    )
    lines = lines_of("o.jsonl")
    assert numbers(lines, "a") == list(range(40))
    assert numbers(lines, "short.mp4") == list(range(15))
    assert {line["source"]: (line["width"], line["height"]) for line in lines} == {
        "a": (192, 128),
        "short.mp4": (160, 240),
    }
    assert (count_frames("o/a.mp4"), count_frames("o/short.mp4")) == (40, 15)
    for name in ("t_a.csv", "t_short.csv"):
        assert "posture" in csv.DictReader(Path(name).read_text().splitlines()).fieldnames
    told = capsys.readouterr().err
    assert "a: 40 frames" in told
    assert "short.mp4: 15 frames" in told


def test_without_outputs_every_recording_is_annotated_beside_you(clips, tmp_path):
    assert main(["run", *clips, "--quiet", *FAST]) == 0
    assert (count_frames("long_stance.mp4"), count_frames("short_stance.mp4")) == (40, 15)


def test_looking_ahead_keeps_the_sources_apart(clips):
    assert main(["run", *clips, "--offline", "--jsonl", "o.jsonl", "--quiet", *FAST]) == 0
    lines = lines_of("o.jsonl")
    assert numbers(lines, "long.mp4") == list(range(40))
    assert numbers(lines, "short.mp4") == list(range(15))


def test_sources_of_the_configuration_and_one_picked_by_name(clips):
    Path("config.yaml").write_text(
        "sources:\n"
        "  - {name: first, address: long.mp4, max_fps: 10}\n"
        "  - {name: second, address: short.mp4, rotation: 90}\n"
    )
    assert main(["run", "--jsonl", "all.jsonl", "--quiet", *FAST]) == 0
    lines = lines_of("all.jsonl")
    assert 13 <= len(numbers(lines, "first")) <= 15
    assert {(line["width"], line["height"]) for line in lines if line["source"] == "second"} == {(240, 160)}
    assert main(["run", "second", "--jsonl", "one.jsonl", "--quiet", *FAST]) == 0
    assert {line["source"] for line in lines_of("one.jsonl")} == {"second"}


def test_a_database_of_its_own_that_is_missing(clips, tmp_path):
    Path("config.yaml").write_text("sources:\n  - {name: first, address: long.mp4, index: nowhere}\n")
    assert main(["run", "--jsonl", "o.jsonl", "--quiet", *FAST]) == 2


def test_a_truncated_clip_stops_nobody_and_is_told(tmp_path, worlds, capsys):
    whole = worlds.write_clip(tmp_path / "whole.mp4", [n / 30 for n in range(90)], options={"movflags": "faststart"})
    Path("cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    assert main(["run", "cut.mp4", "whole.mp4", "--out", "o", "--jsonl", "o.jsonl", *FAST]) == 2
    assert "cut.mp4 is truncated" in capsys.readouterr().err.strip().splitlines()[-1]
    lines = lines_of("o.jsonl")
    assert numbers(lines, "whole.mp4") == list(range(90))
    assert 20 < len(numbers(lines, "cut.mp4")) < 90
    assert count_frames("o/cut.mp4") == len(numbers(lines, "cut.mp4"))
    assert count_frames("o/whole.mp4") == 90


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["long.mp4", "missing.mp4"], "missing.mp4: there is no such file"),
        (["long.mp4", "long.mp4"], "Two sources are called long.mp4"),
        (["a=long.mp4", "a=short.mp4"], "Two sources are called a"),
        (["long.mp4", "short.mp4", "--out", "o.jpg"], "several sources need a folder"),
        (["long.mp4", "short.mp4", "--out", "taken"], "taken is a file"),
        (["long.mp4", "short.mp4", "--out", "no/folder"], "does not exist"),
        ([], "No source is named"),
    ],
)
def test_faults_are_told_before_anything_is_written(clips, capsys, arguments, sentence):
    Path("taken").write_text("mine")
    before = sorted(os.listdir())
    assert main(["run", *arguments]) == 2
    assert sentence in capsys.readouterr().err.strip().splitlines()[-1]
    assert sorted(os.listdir()) == before


def test_cameras_and_a_recording_in_one_run_and_ctrl_c_ends_it_all(clips, tmp_path, worlds, rtsp_server):
    """One camera is there, one comes later, one never; one is killed and comes back. A recording stays whole."""
    here, late = rtsp_server(tmp_path / "long.mp4"), rtsp_server(tmp_path / "long.mp4")
    late.kill()
    process = start(
        "run", f"here=rtsp://127.0.0.1:{here.port}/cam", f"late=rtsp://me:secret@127.0.0.1:{late.port}/cam",
        "never=rtsp://me:secret@127.0.0.1:9/cam", "file=short.mp4", "--out", "o", "--jsonl", "o.jsonl",
        "--timeline", "t.csv", "--set", "source.retry_max_seconds=1", *FAST, cwd=tmp_path,
    )  # fmt: skip
    try:
        assert worlds.wait_until(lambda: len(numbers(lines_of("o.jsonl"), "file")) == 15, 60)
        assert worlds.wait_until(lambda: len(numbers(lines_of("o.jsonl"), "here")) > 20, 60)
        late.start()
        assert worlds.wait_until(lambda: len(numbers(lines_of("o.jsonl"), "late")) > 10, 60)
        here.kill()
        here.start()
        assert worlds.wait_until(
            lambda: any(line["epoch"] == 1 for line in lines_of("o.jsonl") if line["source"] == "here"), 60
        )
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        told = "".join(process.communicate(timeout=30))
        assert time.monotonic() - started < 10  # 3 s are promised, to a machine that has time
    finally:
        process.kill()
    assert process.returncode == 130, told
    assert "secret" not in told
    assert re.search(r"never: 0 frames.*refuses the connection", told)
    assert re.search(r"here: \d+ frames.*reconnected 1 time\b", told)
    assert told.count("never: waiting: refuses") == 1  # once, not with every attempt
    lines = lines_of("o.jsonl")
    for name in ("here", "late", "file"):
        assert numbers(lines, name) == sorted(set(numbers(lines, name)))
        assert count_frames(f"o/{name}.mp4") > 0
    assert numbers(lines, "file") == list(range(15))
    assert count_frames("o/file.mp4") == 15
    live = [line for line in lines if line["source"] != "file"]
    assert all(line["age_seconds"] > 0 and set(line["drops"]) == {"replaced", "stale", "capped"} for line in live)


def test_no_thread_and_no_file_is_left(clips, tmp_path, worlds, rtsp_server, estimator, index):
    server = rtsp_server(tmp_path / "long.mp4")
    address = f"rtsp://127.0.0.1:{server.port}/cam"

    def run():
        given = ["long.mp4", "short.mp4", open_source(address, name="cam"), open_source("rtsp://127.0.0.1:9/x")]
        seen = set()
        for scene in scenes(given, estimator, index):
            seen.add(scene.frame.source)
            if {"cam", "long.mp4", "short.mp4"} <= seen:
                break

    def held():
        return len(os.listdir("/proc/self/fd")), threading.active_count(), len(os.listdir("/proc/self/task"))

    run()  # whatever is made once and kept is made now
    before = held()
    for _ in range(3):
        run()
    assert worlds.wait_until(lambda: all(now <= then for now, then in zip(held(), before, strict=True)), 8), (
        before,
        held(),
    )


def test_a_frozen_camera_holds_up_neither_the_others_nor_the_end(
    clips, tmp_path, worlds, rtsp_server, estimator, index
):
    frozen, fine = rtsp_server(tmp_path / "long.mp4"), rtsp_server(tmp_path / "long.mp4")
    given = [
        open_source(f"rtsp://127.0.0.1:{server.port}/cam", name=name) for name, server in (("a", frozen), ("b", fine))
    ]
    tally = Tally()
    stopped_seconds = None
    for _ in scenes(given, estimator, index, tally=tally):
        if stopped_seconds is None and tally.of("a").frames > 5 and tally.of("b").frames > 5:
            frozen.freeze()
            stopped_seconds, before = time.monotonic(), tally.of("b").frames
        if stopped_seconds is not None and time.monotonic() - stopped_seconds > 3:
            break
    assert tally.of("b").frames - before > 20  # of 90; the machine may be busy
    assert given[0].status.state == "ended"  # the run has closed it
    leaving = time.monotonic()
    assert worlds.wait_until(lambda: not any(t.name.startswith("read ") for t in threading.enumerate()), 8)
    assert time.monotonic() - leaving < 6


def test_the_library_takes_several_and_tells_their_faults_at_the_end(clips, tmp_path, estimator, index):
    Path("bad.mp4").write_bytes(b"no video at all" * 100)
    with pytest.raises(SourceError, match=r"bad\.mp4"):
        next(scenes(["long.mp4", "bad.mp4"], estimator, index))
    with pytest.raises(SourceError, match="Two sources"):
        next(scenes(["long.mp4", "long.mp4"], estimator, index))
