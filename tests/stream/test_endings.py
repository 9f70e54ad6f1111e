"""However a run ends, every file is whole, and the exit code says how. Strategy: real processes, real signals, a real
terminal that is closed, real pipes whose reader leaves."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import av
import pytest

ROOT = Path(__file__).resolve().parents[2]
FAST = ["--set", "pose.image_size=128", "--set", "pose.threads=1"]
COMMAND = [sys.executable, "-m", "stream.cli"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
OUTPUTS = ["--out", "o.mp4", "--jsonl", "o.jsonl", "--timeline", "o.json"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def long_clip(tmp_path, worlds):
    return worlds.write_clip(tmp_path / "long.mp4", [n / 30 for n in range(3000)])


@pytest.fixture
def clip(tmp_path, worlds):
    return worlds.write_clip(tmp_path / "clip.mp4", [n / 30 for n in range(45)])


def under_way():
    return Path("o.jsonl").exists() and Path("o.jsonl").stat().st_size > 20_000


def check_whole(told=""):
    """Every file is complete, and ended before the clip did."""
    assert "Traceback" not in told
    lines = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    assert json.loads(Path("o.json").read_text()) == []
    with av.open("o.mp4") as container:
        stream = container.streams.video[0]
        assert stream.frames == sum(packet.size > 0 for packet in container.demux(stream))  # an ordinary, closed MP4
        count = stream.frames
    assert 0 < len(lines) < 3000
    assert abs(count - len(lines)) <= 1


@pytest.mark.parametrize(
    ("numbers", "code"),
    [
        ([signal.SIGHUP], 129),
        ([signal.SIGHUP, signal.SIGHUP, signal.SIGTERM], 129),
        ([signal.SIGTERM, signal.SIGHUP, signal.SIGTERM], 143),
    ],
)
def test_signals(long_clip, worlds, numbers, code):
    with subprocess.Popen(
        [*COMMAND, "run", str(long_clip), *OUTPUTS, *FAST], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        assert worlds.wait_until(under_way, 60)
        for number in numbers:  # close on one another, as from the kernel and from the shell
            process.send_signal(number)
            time.sleep(0.002)
        told = process.communicate(timeout=30)[1]
    assert process.returncode == code, told
    check_whole(told)


def test_a_terminal_that_is_closed(long_clip, worlds):
    master, slave = pty.openpty()

    def make_it_the_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [*COMMAND, "run", str(long_clip), *OUTPUTS, *FAST], stdin=slave, stdout=slave, stderr=slave, env=ENVIRONMENT,
        start_new_session=True, preexec_fn=make_it_the_terminal,
    )  # fmt: skip
    os.close(slave)
    try:
        assert worlds.wait_until(under_way, 60)
    finally:
        os.close(master)
    assert process.wait(30) == 129
    check_whole()


def test_under_nohup_the_run_goes_on(long_clip, worlds):
    with subprocess.Popen(
        ["nohup", *COMMAND, "run", str(long_clip), *OUTPUTS, *FAST],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    ) as process:  # fmt: skip
        assert worlds.wait_until(under_way, 60)
        process.send_signal(signal.SIGHUP)
        size = Path("o.jsonl").stat().st_size
        assert worlds.wait_until(lambda: Path("o.jsonl").stat().st_size > size + 20_000, 30)
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=30)[1]
    assert process.returncode == 143
    check_whole(told)


def ended(arguments, *, read=0, **options):
    """Exit code and standard error of a command whose reader leaves after so many lines."""
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, env=ENVIRONMENT, **options)
    for _ in range(read):
        process.stdout.readline()
    process.stdout.close()
    told = "" if process.stderr is None else process.stderr.read().decode()
    return process.wait(60), told


@pytest.mark.parametrize(
    ("command", "read"), [("--help", 0), ("info", 0), ("info --json", 1), ("run clip.mp4", 0), ("run clip.mp4", 1)]
)
def test_a_reader_who_has_seen_enough(clip, command, read):
    arguments = command.split()
    if arguments[0] == "run":
        arguments += ["--jsonl", "-", "--quiet", *FAST]
    code, told = ended(arguments, read=read, stderr=subprocess.PIPE)
    assert code == 0
    assert not any(word in told for word in ("stance:", "Error", "error", "reads it", "Traceback")), told


def test_other_outputs_are_finished_without_a_reader(clip):
    code, told = ended(
        ["run", str(clip), "--jsonl", "-", "--out", "o.mp4", "--quiet", *FAST], read=1, stderr=subprocess.PIPE
    )
    assert (code, "reads it" in told) == (0, False)
    with av.open("o.mp4") as container:
        assert container.streams.video[0].frames == 45


def test_a_reader_of_both_streams_leaves(clip):
    code, _ = ended(["run", str(clip), "--out", "o.mp4", *FAST], stderr=subprocess.STDOUT)
    assert code == 0
    with av.open("o.mp4") as container:
        assert container.streams.video[0].frames == 45


def test_standard_output_that_is_full_or_closed(clip):
    for arguments in (["info"], ["run", str(clip), "--jsonl", "-", "--quiet", *FAST]):
        for where, code in (("> /dev/full", 2), (">&-", 2 if arguments[0] == "run" else 0)):
            done = subprocess.run(
                ["sh", "-c", f'"$@" {where}', "sh", *COMMAND, *arguments],
                capture_output=True, text=True, env=ENVIRONMENT, check=False,
            )  # fmt: skip
            assert done.returncode == code, (arguments, where, done.stderr)
            last = done.stderr.splitlines()[-1]
            assert last.startswith("stance: ") or code == 0, done.stderr
            assert "Traceback" not in done.stderr
