"""`stance demo`, for somebody with nothing at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import pytest

from stream.cli import main
from stream.sources.demo.film import Film
from stream.sources.demo.recordings import Recording, load_recordings

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def short_film(monkeypatch: pytest.MonkeyPatch) -> int:
    """The film with ten frames of every recording; how many frames that makes."""
    import stream.sources.demo.film as film

    short = {name: Recording(one.width, one.height, one.people[:, :10]) for name, one in load_recordings().items()}
    monkeypatch.setattr(film, "load_recordings", lambda: short)
    monkeypatch.setattr(film, "TITLE_SECONDS", 0.2)
    return Film().frames


def test_without_a_display_it_writes_a_film(tmp_path, monkeypatch, capsys, short_film):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    assert main(["demo", "--set", "pose.threads=1"]) == 0
    told = capsys.readouterr().err
    assert "wrote demo_stance.mp4" in told
    assert "stance run 0" in told
    assert [path.name for path in tmp_path.iterdir()] == ["demo_stance.mp4"]
    with av.open("demo_stance.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == short_film


def test_out_names_the_file_and_quiet_says_nothing(tmp_path, monkeypatch, capsys, short_film):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--out", "mine.mp4", "--quiet", "--set", "pose.threads=1"]) == 0
    assert "Next" not in capsys.readouterr().err
    assert Path("mine.mp4").stat().st_size > 1000


def test_in_a_window_where_a_display_is(tmp_path, display, worlds):
    """A real screen, and the run ended from outside: the whole film would take 34 s."""
    command = [sys.executable, "-u", "-m", "stream.cli", "demo", "--set", "pose.threads=1"]
    name, screen = display
    environment = {**os.environ, "DISPLAY": name, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as run:
        assert run.stderr is not None
        assert "q in the window ends it" in run.stderr.readline()
        for line in run.stderr:
            if line.startswith("picodet-tinypose on"):
                break
        hills = bytes((150, 184, 164))  # in the first picture, seen through a window
        assert worlds.wait_until(lambda: screen.read_bytes().count(hills) > 1000, 60)
        run.terminate()
        told = run.stderr.read()
        assert run.wait(20) == 143
    assert "demo: " in told
    assert list(tmp_path.iterdir()) == []
