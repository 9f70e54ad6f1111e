"""`stance serve` from the command line to a person on the page, and its faults in one sentence."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from stream.cli import main

ROOT = Path(__file__).resolve().parents[3]

pytest.importorskip("uvicorn", reason="the extra web is not installed (pip install '.[web]')")


def test_people_of_the_demo_are_on_the_page_until_it_is_ended(tmp_path, worlds):
    command = [sys.executable, "-u", "-m", "stream.cli", "serve", "film=demo:live", "--port", "0", "--no-browser"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, "--set", "pose.threads=1"], stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    ) as run:
        assert run.stderr is not None
        link = next(found for line in run.stderr if (found := re.search(r"http://127\.0\.0\.1:\d+/", line)))

        def people() -> int:
            with urllib.request.urlopen(f"{link[0]}api/cameras", timeout=10) as answer:
                (state,) = json.load(answer)["cameras"]
            assert state["camera"] == "film"
            return state["people"]

        assert worlds.wait_until(people, 60)
        run.terminate()
        told = run.stderr.read()
        assert run.wait(20) == 143
    assert "film: " in told
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken(tmp_path, worlds, capsys):
    clip = worlds.write_clip(tmp_path / "clip.mp4", [0.0])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", str(clip), "--port", port, "--no-browser"]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].endswith("Choose another port.")


def test_without_the_extra_the_cure_is_said(tmp_path, worlds, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    clip = worlds.write_clip(tmp_path / "clip.mp4", [0.0])
    assert main(["run", str(clip), "--web", "0"]) == 2
    assert "pip install '.[cpu,web]'" in capsys.readouterr().err
