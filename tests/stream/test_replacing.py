"""No output takes the place of another output, or of a file that is not its own. Strategy: whole runs of the command in
an empty folder; before and after, every byte of what must stay is compared."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from stream.cli import main
from stream.errors import SinkError
from stream.run.replacing import check_apart

ROOT = Path(__file__).resolve().parents[2]
FAST = ["--quiet", "--set", "pose.image_size=128", "--set", "pose.threads=1"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def clip(tmp_path, worlds):
    return worlds.write_clip(tmp_path / "clip.mp4", [n / 30 for n in range(5)])


@pytest.fixture
def other_clip(tmp_path, worlds):
    return worlds.write_clip(tmp_path / "other.mp4", [n / 30 for n in range(7)])


def frames(path):
    with av.open(str(path)) as container:
        return container.streams.video[0].frames


def refused(capsys, *arguments):
    """The sentences of a run that is refused, which leaves every file as it was."""
    before = {path: path.read_bytes() for path in Path.cwd().rglob("*") if path.is_file()}
    assert main(["run", *map(str, arguments), *FAST]) == 2
    assert {path: path.read_bytes() for path in Path.cwd().rglob("*") if path.is_file()} == before
    return capsys.readouterr().err


@pytest.mark.parametrize(
    "outputs",
    [
        ["--out", "same.mp4", "--jsonl", "same.mp4"],
        ["--out", "same.mp4", "--jsonl", "./folder/../same.mp4"],
        ["--timeline", "same.json", "--jsonl", "same.json"],
        ["--out", "link.mp4", "--jsonl", "same.mp4"],
        ["--out", "hard.mp4", "--jsonl", "clip_stance.mp4"],
        ["--jsonl", "other_stance.mp4", "--out", "other_stance.mp4"],
    ],
)
@pytest.mark.parametrize("replace", [[], ["--replace"]])
def test_two_outputs_in_one_file(clip, capsys, outputs, replace):
    Path("folder").mkdir()
    Path("link.mp4").symlink_to("same.mp4")
    assert main(["run", str(clip), *FAST]) == 0
    os.link("clip_stance.mp4", "hard.mp4")
    assert "would destroy each other" in refused(capsys, clip, *outputs, *replace)


def test_what_holds_nothing_may_be_named_twice(tmp_path):
    check_apart([("--out", Path("/dev/null")), ("--jsonl", Path("/dev/null"))])
    with pytest.raises(SinkError, match="two outputs"):
        check_apart([("--out", tmp_path / "a"), ("--timeline", tmp_path / "b"), ("--jsonl", tmp_path / "a")])


def test_several_sources_have_timelines_of_their_own(clip, other_clip, capsys):
    assert main(["run", str(clip), str(other_clip), "--timeline", "t.csv", *FAST]) == 0
    Path("t_clip.csv").rename("kept.csv")
    told = refused(capsys, clip, other_clip, "--timeline", "t.csv", "--jsonl", "t_clip.csv")
    assert "would destroy each other" in told


def test_what_a_run_wrote_for_this_source_is_replaced_and_nothing_else(clip, other_clip, capsys):
    outputs = ["--out", "o.mp4", "--jsonl", "o.jsonl"]
    for _ in range(2):
        assert main(["run", str(clip), *outputs, *FAST]) == 0
    assert main(["run", "./clip.mp4", *outputs, *FAST]) == 0  # the same file by another name
    capsys.readouterr()
    told = refused(capsys, other_clip, *outputs)
    assert told.splitlines() == [
        "stance: o.mp4 exists already. Add --replace to write over it, or choose another name for the output.",
        "o.jsonl exists already. Add --replace to write over it, or choose another name for the output.",
    ]
    assert "o.jsonl exists" in refused(capsys, clip, other_clip, "--jsonl", "o.jsonl")
    assert main(["run", str(other_clip), *outputs, "--replace", *FAST]) == 0
    assert frames("o.mp4") == len(Path("o.jsonl").read_text().splitlines()) == 7
    assert "o.mp4 exists" in refused(capsys, clip, *outputs)


@pytest.mark.parametrize("name", ["notes.jsonl", "film.mp4", "t.csv"])
@pytest.mark.parametrize("content", [b"Dear diary\n", b'{"frame": 0}\n', b"\0\1\2", b"[]", b"\xff\xfe"])
def test_a_file_of_somebody_else(clip, capsys, name, content):
    Path(name).write_bytes(content)
    option = {"notes.jsonl": "--jsonl", "film.mp4": "--out", "t.csv": "--timeline"}[name]
    assert f"{name} exists already" in refused(capsys, clip, option, name)
    assert main(["run", str(clip), option, name, "--replace", *FAST]) == 0
    assert Path(name).read_bytes() != content


def test_a_file_that_holds_nothing_is_no_loss(clip):
    for name in ("o.mp4", "o.jsonl", "t.csv"):
        Path(name).touch()
    assert main(["run", str(clip), "--out", "o.mp4", "--jsonl", "o.jsonl", "--timeline", "t.csv", *FAST]) == 0


def test_a_timeline_has_no_room_for_a_mark(clip, capsys):
    assert main(["run", str(clip), "--timeline", "t.csv", *FAST]) == 0
    assert "t.csv exists already" in refused(capsys, clip, "--timeline", "t.csv")


def test_pictures(tmp_path, capsys):
    picture = np.full((90, 120, 3), 80, np.uint8)
    for name in ("a.png", "b.png"):
        cv2.imwrite(name, picture)
    for _ in range(2):
        assert main(["run", "a.png", *FAST]) == 0
        assert main(["run", "a.png", "--out", "o.png", *FAST]) == 0
    assert cv2.imread("o.png").shape == (90, 120, 3)
    assert "o.png exists already" in refused(capsys, "b.png", "--out", "o.png")
    for folder in ("mine", "theirs"):
        Path(folder).mkdir()
        for name in ("000000.jpg", "x.jpg"):
            cv2.imwrite(f"{folder}/{name}", picture)
    for _ in range(2):
        assert main(["run", "mine", *FAST]) == 0
    assert "holds other pictures already" in refused(capsys, "mine", "--out", "theirs")
    assert main(["run", "mine", "--out", "theirs", "--replace", *FAST]) == 0


def test_a_recording_that_is_cut_never_asks_and_never_replaces(clip, other_clip):
    cut = ["--set", "output.segment_minutes=0.001"]
    assert main(["run", str(other_clip), "--out", "o.mp4", *FAST]) == 0
    before = Path("o.mp4").read_bytes()
    for _ in range(2):
        assert main(["run", str(clip), "--out", "o.mp4", *cut, *FAST]) == 0
    assert Path("o.mp4").read_bytes() == before
    assert len(list(Path().glob("o_*.mp4"))) == 2 * len(list(Path().glob("o_*_2.mp4"))) > 2


def test_a_run_that_fails_to_start_empties_nothing(clip, worlds, capsys):
    """The files are the run's own, so it may replace them; but it does not come to that."""
    outputs = ["--out", "o.mp4", "--jsonl", "o.jsonl", "--timeline", "t.csv", "--replace"]
    assert main(["run", str(clip), *outputs, *FAST]) == 0
    capsys.readouterr()
    good = clip.read_bytes()
    faults = [
        ["--set", "pose.weights=missing.safetensors"], ["--index", "missing"], ["--set", "index.k=0"],
        ["missing.mp4"], ["missing.png", "--offline"],
    ]  # fmt: skip
    for extra in faults:
        refused(capsys, clip, *extra, *outputs)
    clip.write_bytes(good[: len(good) // 2])
    refused(capsys, clip, *outputs)
    clip.write_bytes(b"no video at all")
    refused(capsys, clip, *outputs)


def test_a_camera_that_never_gives_a_picture_empties_nothing(worlds):
    before = {"o.jsonl": '{"frame":0}\n', "t.csv": "person\n"}
    for name, text in before.items():
        Path(name).write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "stream.cli", "run", "rtsp://127.0.0.1:9/cam", "--replace", "--jsonl", "o.jsonl",
         "--timeline", "t.csv", *FAST[1:]],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in process.stderr:
        if "rtsp" in line:  # it tries again
            break
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "wrote" not in told
    assert {name: Path(name).read_text() for name in before} == before


def test_a_video_that_was_killed_is_known_again(tmp_path, worlds):
    clip = worlds.write_clip(tmp_path / "long.mp4", [n / 30 for n in range(3000)])
    command = [sys.executable, "-m", "stream.cli", "run", str(clip), "--out", "o.mp4", "--jsonl", "o.jsonl", *FAST]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert worlds.wait_until(lambda: Path("o.mp4").exists() and Path("o.mp4").stat().st_size > 50_000, 60)
    process.kill()
    process.wait()
    clip = worlds.write_clip(clip, [n / 30 for n in range(5)])  # other pictures in the same place
    assert main(["run", str(clip), "--out", "o.mp4", "--jsonl", "o.jsonl", *FAST]) == 0
    assert frames("o.mp4") == 5


def test_the_mark_says_nothing_of_the_place(clip):
    assert main(["run", str(clip), "--out", "o.mp4", "--jsonl", "o.jsonl", *FAST]) == 0
    first, second = map(json.loads, Path("o.jsonl").read_text().splitlines()[:2])
    with av.open("o.mp4") as container:
        comment = container.metadata["comment"]
    assert comment == f"Annotated by Stance, {first['written_by']}"
    assert first["written_by"].startswith("stance-run-")
    assert "written_by" not in second
