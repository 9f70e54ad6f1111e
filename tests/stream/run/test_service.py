"""Whoever runs Stance hears that its frames go on, through a real socket and a real file, and hears nothing when they
do not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stream.cli import main
from stream.recogniser import Recogniser
from stream.run.service import HEARTBEAT, Service

ROOT = Path(__file__).resolve().parents[3]
UNIT = ROOT / "docs" / "deploy" / "stance.service"


class Manager:
    """The other end of `NOTIFY_SOCKET`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def heard(self, timeout_seconds: float = 0.0) -> list[str]:
        """Everything until nothing comes for so long."""
        told = []
        self._socket.settimeout(timeout_seconds or 1e-3)
        while True:
            try:
                told.append(self._socket.recv(1024).decode())
            except TimeoutError:
                return told

    def wait_for(self, message: str) -> None:
        self._socket.settimeout(60)
        while self._socket.recv(1024).decode() != message:
            pass

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    listening = Manager(str(tmp_path / "notify") if request.param == "path" else f"@stance-test-{os.getpid()}")
    yield listening
    listening.close()


def test_ready_alive_stopping(manager: Manager) -> None:
    now = [100.0]
    environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}
    with Service(environment, clock=lambda: now[0]) as service:
        assert manager.heard() == []
        service.ready()
        assert manager.heard() == ["READY=1", "WATCHDOG=1"]
        for now[0] in (100.1, 100.9, 101.0, 101.5, 102.1):
            service.alive()
        assert manager.heard() == ["WATCHDOG=1", "WATCHDOG=1"]
        now[0] = 200.0
        assert manager.heard() == []  # no timer feeds it
    assert manager.heard() == ["STOPPING=1"]
    service.close()
    service.alive()
    assert manager.heard() == []


def test_a_watchdog_for_another_process_is_not_fed(manager: Manager) -> None:
    with Service({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}) as service:
        service.ready()
    assert manager.heard() == ["READY=1", "STOPPING=1"]


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "vsock:2:3"])
def test_without_a_manager_nothing_happens(address: str) -> None:
    with Service({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1"}) as service:
        service.ready()
        service.alive()


def test_a_manager_that_goes_away_stops_nothing(tmp_path: Path) -> None:
    listening = Manager(str(tmp_path / "notify"))
    with Service({"NOTIFY_SOCKET": listening.address, "WATCHDOG_USEC": "1"}) as service:
        listening.close()
        service.ready()
        service.alive()


def test_the_heartbeat_file_is_touched_now_and_then(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now, file = [0.0], tmp_path / "heartbeat"
    with Service({HEARTBEAT: str(file)}, clock=lambda: now[0]) as service:
        service.alive()
        os.utime(file, (1, 1))
        now[0] = 4.9
        service.alive()
        assert file.stat().st_mtime == 1
        now[0] = 5.0
        service.alive()
        assert time.time() - file.stat().st_mtime < 60
    with Service({HEARTBEAT: str(tmp_path / "gone" / "heartbeat")}) as service:
        service.alive()
        service.alive()
    assert caplog.text.count("no heartbeat is kept") == 1


def test_a_run_tells_its_manager(tmp_path: Path) -> None:
    """The whole command, as systemd starts and stops it."""
    listening = Manager(str(tmp_path / "notify"))
    environment = {
        **os.environ, "NOTIFY_SOCKET": listening.address, "WATCHDOG_USEC": "300000", "PYTHONPATH": str(ROOT),
        HEARTBEAT: str(tmp_path / "heartbeat"),
    }  # fmt: skip
    command = [sys.executable, "-m", "stream.cli", "run", "demo:live", "--jsonl", "-", "--set", "pose.threads=1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as run:
        listening.wait_for("READY=1")
        for _ in range(3):
            listening.wait_for("WATCHDOG=1")
        assert (tmp_path / "heartbeat").exists()
        run.terminate()
        listening.wait_for("STOPPING=1")
        assert run.wait(20) == 143
    listening.close()


def test_a_run_that_hangs_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listening, hang, on = Manager(str(tmp_path / "notify")), threading.Event(), threading.Event()
    understand = Recogniser.understand

    def hanging(self, followed):  # type: ignore[no-untyped-def]
        if any(one.frame.number == 2 for one in followed):
            hang.set()
            on.wait(30)
        return understand(self, followed)

    monkeypatch.setattr(Recogniser, "understand", hanging)
    monkeypatch.setenv("NOTIFY_SOCKET", listening.address)
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((64, 64, 3), np.uint8))
    arguments = ["run", str(tmp_path), "--jsonl", str(tmp_path / "out.jsonl"), "--quiet", "--set", "pose.threads=1"]
    codes: list[int] = []
    running = threading.Thread(target=lambda: codes.append(main(arguments)))
    running.start()
    assert hang.wait(60)
    listening.heard(0.1)
    assert listening.heard(0.5) == []
    on.set()
    running.join(60)
    assert codes == [0]
    assert listening.heard()[-1] == "STOPPING=1"
    listening.close()


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path, worlds: Any) -> None:
    worlds.need("/usr/bin/systemd-analyze", "systemd")
    text = UNIT.read_text(encoding="utf-8")
    assert "ExecStart=/opt/stance/bin/stance run" in text
    (tmp_path / "stance.service").write_text(text.replace("/opt/stance/bin/stance", sys.executable), encoding="utf-8")
    told = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "stance.service")], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stderr) == (0, "")


def test_the_unit_starts_the_command_with_options_that_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = [line for line in UNIT.read_text(encoding="utf-8").splitlines() if line.startswith("ExecStart=")]
    with pytest.raises(SystemExit) as end:
        main([*line.split()[1:], "--help"])
    assert end.value.code == 0
    capsys.readouterr()
