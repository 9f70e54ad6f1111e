"""The command line as a user meets it: what works ends with 0 and files; what does not, with one sentence and 2.

Most calls run in this process. Ctrl-C, SIGTERM and a closed pipe are given to real processes. Everything uses the
shipped weights and the starter database; clips are made here, and real ones are taken where `../shared` has them.
"""

import csv
import json
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from stream.cli import main
from stream.sources.address import redact

ROOT = Path(__file__).resolve().parents[2]
FAST = ["--set", "pose.image_size=128", "--set", "pose.threads=1"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def clip(tmp_path, worlds):
    return worlds.write_clip(tmp_path / "clip.mp4", [n / 30 for n in range(45)])


def start(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "stream.cli", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options,
    )  # fmt: skip


def fault(capsys, *arguments):
    """The one sentence a faulty call prints; checks that the exit code is 2 and that there is no traceback."""
    assert main([*arguments]) == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told
    sentence = told.strip().splitlines()[-1]
    assert sentence.startswith("stance: ")
    return sentence


def frames_and_duration(path):
    with av.open(str(path)) as container:
        times = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
        stream = container.streams.video[0]
        return len(times), float(stream.duration * stream.time_base)


def test_run_writes_a_video_and_a_line_per_frame(clip, capsys):
    assert main(["run", str(clip), "--out", "o.mp4", "--jsonl", "o.jsonl", "--profile", *FAST]) == 0
    lines = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(45))
    count, duration = frames_and_duration("o.mp4")
    assert count == 45
    assert duration == pytest.approx(1.5, abs=0.01)
    told = capsys.readouterr().err
    assert "45 frames" in told
    for stage in ("read", "pre-process", "detector", "nms", "track", "embed", "search", "smooth", "draw", "write"):
        assert stage in told


def test_run_without_outputs_annotates_a_recording_beside_you(clip, tmp_path):
    assert main(["run", str(clip), "--quiet", *FAST]) == 0
    assert frames_and_duration(tmp_path / "clip_stance.mp4")[0] == 45


def test_run_prints_json_lines_and_nothing_else_on_standard_output(clip, capsys):
    assert main(["run", str(clip), "--jsonl", "-", *FAST]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 45
    assert all("people" in json.loads(line) for line in lines)


def test_run_writes_a_timeline_and_then_no_video(shared_videos, tmp_path, capsys):
    clip = shared_videos / "two_people_1080p.mp4"
    for name in ("t.csv", "t.json", "t.srt"):
        assert main(["run", str(clip), "--timeline", name, *FAST]) == 0
        assert f"wrote {name}" in capsys.readouterr().err
    lines = list(csv.DictReader(Path("t.csv").read_text(encoding="utf-8").splitlines()))
    assert lines
    assert [int(line["person"]) for line in lines] == [one["person"] for one in json.loads(Path("t.json").read_text())]
    assert max(float(line["to_seconds"]) for line in lines) <= 2.6
    assert "-->" in Path("t.srt").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv", "t.json", "t.srt"]


def test_run_offline_gives_every_frame_in_order(clip, capsys):
    assert main(["run", str(clip), "--offline", "--out", "o.mp4", "--jsonl", "o.jsonl", *FAST]) == 0
    lines = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(45))
    assert frames_and_duration("o.mp4")[0] == 45
    assert "45 frames" in capsys.readouterr().err


def test_evaluate_video(clip, tmp_path, capsys):
    Path("clip.csv").write_text("from_seconds,to_seconds,posture\n0,1,sitting\n1,1.5,lying\n")
    assert main(["evaluate-video", str(clip), "--intervals", "clip.csv", "--json", *FAST]) == 0
    (told,) = json.loads(capsys.readouterr().out)["clips"]  # a clip of nobody
    assert (told["frames"], told["accuracy"], told["nobody"], told["true_changes"]) == (45, 0.0, 1.0, 1)
    assert (told["missed_changes"], told["max_delay_seconds"]) == (1, None)
    assert main(["evaluate-video", str(clip), str(clip), "--intervals", str(tmp_path), "--offline", *FAST]) == 0
    told = capsys.readouterr().out
    assert told.count("0.0% of 45 judged frames right") == 2
    assert "1 of 1 missed" in told


def test_run_on_a_picture_and_on_a_folder_of_pictures(tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        cv2.imwrite(str(folder / name), np.full((90, 120, 3), 80, np.uint8))
    assert main(["run", str(folder / "a.png"), "--out", "one.png", *FAST]) == 0
    assert cv2.imread("one.png").shape == (90, 120, 3)
    assert main(["run", str(folder), *FAST]) == 0
    written = sorted(path.name for path in (tmp_path / "pictures_stance").iterdir())
    assert written == ["a.png", "b.jpg"]


def test_weights_and_check(clip, capsys):
    assert main(["weights", "list"]) == 0
    told = capsys.readouterr().out
    assert all(network in told for network in ("picodet-s", "tinypose", "yolov7-w6-pose"))
    assert main(["check", str(clip), *FAST]) == 0
    told = capsys.readouterr().out
    assert [line.split()[0] for line in told.splitlines()] == ["ok"] * 4
    assert re.search(r"picodet-tinypose, weights picodet-s \(\w{12}\), tinypose \(\w{12}\), on cpu in", told)
    assert main(["check", "missing.mp4", *FAST]) == 2
    assert "FAULT source 1: missing.mp4" in capsys.readouterr().out


def test_check_looks_at_a_picture_of_a_camera(clip, rtsp_server, capsys):
    server = rtsp_server(clip, login="bob:secret")
    Path("config.yaml").write_text(
        f"sources:\n- {{name: door, address: '{server.address('bob:secret')}', rotation: 90}}\n"
    )
    assert main(["check", *FAST]) == 0  # without arguments, those of the settings
    assert "ok    source 1: door, 128×192, live" in capsys.readouterr().out
    assert main(["check", "door", "hall=missing.mp4", *FAST]) == 2
    told = capsys.readouterr().out
    assert "ok    source 1: door" in told
    assert "FAULT source 2: missing.mp4" in told


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    commands = "run build add query info evaluate evaluate-video check cameras weights export evaluate-pose train"
    for command in commands.split():
        assert re.search(rf"^    {command}\s", told, re.MULTILINE), command


class TestBadInput:
    def test_no_such_file(self, capsys):
        assert "missing.mp4" in fault(capsys, "run", "missing.mp4")

    def test_a_text_file_named_mp4(self, capsys):
        Path("notes.mp4").write_text("Buy milk.\n" * 50)
        assert "notes.mp4" in fault(capsys, "run", "notes.mp4")

    def test_a_truncated_file_without_its_index(self, clip, capsys):
        Path("cut.mp4").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
        assert "cut.mp4" in fault(capsys, "run", "cut.mp4")

    def test_a_truncated_file_keeps_what_could_be_read(self, tmp_path, worlds, capsys):
        whole = worlds.write_clip(
            tmp_path / "whole.mp4", [n / 30 for n in range(90)], options={"movflags": "faststart"}
        )
        Path("cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
        sentence = fault(capsys, "run", "cut.mp4", "--out", "o.mp4", "--jsonl", "o.jsonl", *FAST)
        assert "of 90" in sentence
        lines = len(Path("o.jsonl").read_text().splitlines())
        assert 20 < lines < 90
        assert frames_and_duration("o.mp4")[0] == lines

    def test_check_gives_a_dead_address_up_in_time_and_keeps_its_password(self, capfd):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"rtsp://admin:hunter2@127.0.0.1:{silent.getsockname()[1]}/cam"
            assert main(["check", address, "--set", "source.open_timeout_seconds=1", "--verbose"]) == 2
        told = "".join(capfd.readouterr())
        assert f"FAULT source 1: {redact(address)} does not answer within 1 s. Check the address" in told
        assert "hunter2" not in told

    def test_an_empty_folder(self, tmp_path, capsys):
        (tmp_path / "empty").mkdir()
        assert "empty" in fault(capsys, "build", "empty")
        assert "empty" in fault(capsys, "run", "empty")

    def test_pictures_without_class_folders(self, tmp_path, capsys):
        (tmp_path / "loose").mkdir()
        cv2.imwrite("loose/a.png", np.zeros((50, 50, 3), np.uint8))
        assert "loose" in fault(capsys, "build", "loose")

    def test_a_database_with_fewer_labels_than_rows(self, clip, capsys):
        copy_starter("mine")
        labels = pickle.loads(Path("mine_labels.pkl").read_bytes())
        Path("mine_labels.pkl").write_bytes(pickle.dumps(labels[:-3]))
        Path("mine.json").unlink()
        import faiss

        bare = faiss.IndexFlatL2(25)
        bare.add(np.zeros((len(labels), 25), np.float32))
        faiss.write_index(bare, "mine.faiss")
        assert "label" in fault(capsys, "run", str(clip), "--index", "mine")
        assert not Path("clip_stance.mp4").exists()

    def test_labels_that_are_a_program(self, clip, tmp_path, capsys):
        copy_starter("mine")
        Path("mine.json").unlink()

        class Evil:
            def __reduce__(self):
                return os.system, (f"touch {tmp_path}/harm",)

        Path("mine_labels.pkl").write_bytes(pickle.dumps([Evil()]))
        assert "system" in fault(capsys, "query", str(clip), "--index", "mine")
        assert not (tmp_path / "harm").exists()

    def test_weights_of_another_network(self, clip, capsys):
        ours = str(ROOT / "weights" / "tinypose.safetensors")
        sentence = fault(
            capsys, "run", str(clip), "--set", f"pose.weights={ours}", "--set", "pose.network=yolov7-w6-pose"
        )
        assert "holds weights of tinypose, not of yolov7-w6-pose" in sentence

    def test_a_configuration_with_three_faults(self, clip, capsys):
        Path("config.yaml").write_text("pose:\n  devise: cpu\nindex:\n  k: 0\noverlay:\n  boxes: 7\n")
        assert main(["run", str(clip)]) == 2
        told = capsys.readouterr().err
        for line in (2, 4, 6):
            assert f"config.yaml line {line}: " in told

    @pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a GPU here")
    def test_a_gpu_that_is_not_there(self, clip, capsys):
        assert "pose.device" in fault(capsys, "run", str(clip), "--set", "pose.device=cuda")

    def test_an_output_that_is_the_source_or_cannot_be_written(self, clip, capsys):
        before = clip.read_bytes()
        assert "source itself" in fault(capsys, "run", str(clip), "--out", str(clip))
        assert clip.read_bytes() == before
        assert "does not exist" in fault(capsys, "run", str(clip), "--out", "no/such/folder/o.mp4")

    def test_a_timeline_in_no_known_format_or_of_pictures(self, clip, capsys):
        assert ".csv, .json or .srt" in fault(capsys, "run", str(clip), "--timeline", "t.txt")
        cv2.imwrite("a.png", np.zeros((50, 50, 3), np.uint8))
        assert "no time" in fault(capsys, "run", "a.png", "--timeline", "t.csv")
        assert not Path("t.csv").exists()

    def test_looking_ahead_where_nothing_lies_ahead(self, capsys):
        cv2.imwrite("a.png", np.zeros((50, 50, 3), np.uint8))
        assert "Only a recording can be looked ahead in" in fault(capsys, "run", "a.png", "--offline")

    def test_clips_and_intervals_that_do_not_match(self, clip, tmp_path, capsys):
        assert "2 clips and 1 files" in fault(capsys, "evaluate-video", str(clip), str(clip), "--intervals", "a.csv")
        assert "clip.csv is missing" in fault(capsys, "evaluate-video", str(clip), "--intervals", str(tmp_path))
        Path("a.csv").write_text("from_seconds,to_seconds,posture\n0,1,swimming\n")
        assert "'swimming'" in fault(capsys, "evaluate-video", str(clip), "--intervals", "a.csv")

    def test_a_corrupt_picture_among_good_ones_is_named(self, tmp_path, capsys):
        folder = tmp_path / "mixed"
        folder.mkdir()
        cv2.imwrite("mixed/a.png", np.zeros((50, 50, 3), np.uint8))
        (folder / "b.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
        assert main(["run", "mixed", "--jsonl", "o.jsonl", *FAST]) == 0
        assert "b.jpg" in capsys.readouterr().err
        assert len(Path("o.jsonl").read_text().splitlines()) == 1


def copy_starter(prefix):
    for file in (ROOT / "index" / "starter").glob("pose_index*"):
        shutil.copy(file, file.name.replace("pose_index", prefix, 1))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_with_complete_files(tmp_path, worlds, number, code):
    long = worlds.write_clip(tmp_path / "long.mp4", [n / 30 for n in range(3000)])
    outputs = ["--out", "o.mp4", "--jsonl", "o.jsonl", "--timeline", "o.json"]
    process = start("run", str(long), *outputs, *FAST, cwd=tmp_path)
    assert worlds.wait_until(lambda: Path("o.jsonl").exists() and Path("o.jsonl").stat().st_size > 20_000, 60)
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == code, told
    assert "Traceback" not in told
    lines = len(Path("o.jsonl").read_text().splitlines())
    count, _ = frames_and_duration("o.mp4")
    assert 0 < lines < 3000
    assert json.loads(Path("o.json").read_text()) == []  # nobody is in the clip, and the file is complete
    assert abs(count - lines) <= 1  # the signal may fall between the two outputs of one frame


def test_ctrl_c_leaves_a_timeline_up_to_the_last_frame(tmp_path, shared_videos, worlds):
    clip = shared_videos / "street_pedestrians.mp4"
    process = start("run", str(clip), "--jsonl", "o.jsonl", "--timeline", "o.csv", *FAST, cwd=tmp_path)
    assert worlds.wait_until(lambda: Path("o.csv").exists() and len(Path("o.csv").read_text().splitlines()) > 3, 60)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    frames = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    lines = list(csv.DictReader(Path("o.csv").read_text(encoding="utf-8").splitlines()))
    # People without a number yet are in the lines only.
    numbered = [frame["seconds"] for frame in frames for person in frame["people"] if person["track"] is not None]
    # The signal may fall between the two outputs of one frame.
    assert abs(sum(int(line["frames"]) for line in lines) - len(numbered)) <= len(frames[-1]["people"])
    assert max(float(line["to_seconds"]) for line in lines) > max(numbered) - 0.2


def test_a_camera_is_watched_until_ctrl_c(tmp_path, clip, worlds, rtsp_server):
    server = rtsp_server(clip)
    address = f"rtsp://127.0.0.1:{server.port}/cam"
    process = start("run", address, "--out", "o.mp4", "--jsonl", "o.jsonl", *FAST, cwd=tmp_path)
    assert worlds.wait_until(lambda: Path("o.jsonl").exists() and Path("o.jsonl").stat().st_size > 5_000, 60)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert re.search(r"capture to label \d+ ms \(p95 \d+ ms\)", told)
    assert frames_and_duration("o.mp4")[0] > 5


def test_every_person_of_a_real_clip_is_in_every_line(shared_videos):
    clip = shared_videos / "two_people_1080p.mp4"
    assert main(["run", str(clip), "--out", "o.mp4", "--jsonl", "o.jsonl", "--quiet"]) == 0
    lines = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    assert len(lines) == 72
    assert sum(len(line["people"]) >= 2 for line in lines) > 40
    assert all(len(person["keypoints"]) == 17 for line in lines for person in line["people"])
    assert frames_and_duration("o.mp4")[0] == 72
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith(("read ", "write "))]
    assert left == []


def test_names_that_the_terminal_cannot_write_are_escaped(tmp_path):
    folder = tmp_path / "gr\u00f6\u00dfe" / "\u7acb"
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"\xff\xe4.jpg")).write_bytes(b"\xff\xd8\xff damaged")
    (folder / "leer.jpg").write_bytes(b"\xff\xd8\xff damaged")
    for command, code in (
        (["build", "gr\u00f6\u00dfe/\u7acb"], 2), (["query", "gr\u00f6\u00dfe/\u7acb"], 2),
        (["info", "--index", "n\u00f6"], 2),
    ):  # fmt: skip
        process = subprocess.run(
            [sys.executable, "-m", "stream.cli", *command],
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C", "PYTHONUTF8": "0"},
            check=False,
        )
        assert process.returncode == code, (command, process.stderr)
        assert b"Traceback" not in process.stderr
        assert b"stance: " in process.stderr or b"FAULT" in process.stdout
