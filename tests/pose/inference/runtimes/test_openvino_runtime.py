"""OpenVINO's own: the cache of compiled networks, and what leaves the machine (nothing)."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pose.errors import DeviceError, PoseError
from pose.inference.runtimes.openvino_runtime import OpenVinoRuntime
from pose.inference.runtimes.runtime import UNIT_RGB
from tests.pose.inference.runtimes.toy import counted, pictures, spec, toy

pytest.importorskip("openvino")

ROOT = Path(__file__).resolve().parents[4]


def opened(build=toy, digest: str | None = "1", **changes: object) -> OpenVinoRuntime:  # type: ignore[no-untyped-def]
    return OpenVinoRuntime(replace(spec(build, digest), **changes), precision="fp32", threads=1)  # type: ignore[arg-type]


def files(folder: Path) -> list[Path]:
    return sorted((folder / "compiled").glob("*"))


def test_the_second_time_nothing_is_built(cache_folder: Path) -> None:
    build, calls = counted()
    with opened(build) as first:
        expected = first(pictures(2))
    with opened(build) as second:
        actual = second(pictures(2))
    assert len(calls) == 1
    assert (first.from_cache, second.from_cache) == (False, True)
    for one, two in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, two)
    assert "from cache" in second.describe()
    assert len(files(cache_folder)) == 1


def test_threads_and_calls_are_not_part_of_the_key() -> None:
    opened().close()
    with OpenVinoRuntime(spec(toy, "1"), precision="fp32", threads=2, concurrency=2) as running:
        assert running.from_cache
        assert running.concurrency == 2


@pytest.mark.parametrize(
    "change", [{"digest": "2"}, {"size": (64, 64)}, {"input_format": UNIT_RGB}, {"name": "other"}], ids=str
)
def test_anything_that_changes_the_graph_is_built_anew(change: dict[str, object]) -> None:
    opened().close()
    build, calls = counted()
    opened(build, **change).close()
    assert len(calls) == 1


def test_changed_code_is_built_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    opened().close()
    monkeypatch.setattr("pose.inference.runtimes.openvino_runtime._code_digest", lambda: "of tomorrow")
    with opened() as running:
        assert not running.from_cache


def test_weights_of_no_file_are_not_kept(cache_folder: Path) -> None:
    opened(digest=None).close()
    assert files(cache_folder) == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign", "empty", "valid but no network"])
def test_a_damaged_file_is_built_anew(cache_folder: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    from pose.inference.runtimes.model_cache import ModelCache

    opened().close()
    (file,) = files(cache_folder)
    whole = file.read_bytes()
    if damage == "valid but no network":
        ModelCache().write(file, b"not what OpenVINO wrote")
    else:
        middle = len(whole) // 2
        file.write_bytes(
            {
                "cut": whole[:middle],
                "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
                "foreign": b"something else",
                "empty": b"",
            }[damage]
        )
    build, calls = counted()
    with caplog.at_level(logging.DEBUG, "pose"), opened(build) as running:
        assert len(running(pictures(1))) == 2
    assert len(calls) == 1
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]
    assert file.read_bytes()[:20] == whole[:20]
    with opened() as again:
        assert again.from_cache


def test_a_folder_that_cannot_be_written_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")  # root may write anywhere, so permissions would prove nothing
    monkeypatch.setenv("STANCE_CACHE_DIR", str(tmp_path / "file"))
    for _ in range(2):
        with opened() as running:
            assert len(running(pictures(1))) == 2
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1
    assert "STANCE_CACHE_DIR" in caplog.text


RACER = """
import sys, numpy as np
from tests.pose.inference.runtimes.toy import pictures, spec, toy
from pose.inference.runtimes.openvino_runtime import OpenVinoRuntime
for _ in range(4):
    with OpenVinoRuntime(spec(toy, "race"), precision="fp32", threads=1) as running:
        print(*(output.astype(np.float64).sum().round(3) for output in running(pictures(2))))
    if not running.from_cache and len(sys.argv) > 1:
        break
"""


def test_processes_that_race_for_the_cache(cache_folder: Path) -> None:
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER], cwd=ROOT, text=True, stdout=subprocess.PIPE) for _ in range(3)
    ]
    ending = threading.Event()
    spoiled = threading.Thread(target=spoil, args=(cache_folder, ending))  # somebody damages files meanwhile
    spoiled.start()
    lines = {line for racer in racers for line in racer.communicate(timeout=120)[0].splitlines()}
    ending.set()
    spoiled.join()
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert len(lines) == 1
    assert not [file for file in files(cache_folder) if file.suffix == ".part"]


def spoil(folder: Path, ending: threading.Event) -> None:
    while not ending.wait(0.05):
        for file in files(folder):
            if file.suffix == ".compiled":
                file.write_bytes(file.read_bytes()[:-1])


def test_a_warm_start_imports_no_pytorch_and_reports_nothing(cache_folder: Path) -> None:
    code = """
import sys
from pose.inference.runtimes.choice import open_runtime
from pose.inference.runtimes.runtime import IMAGENET_RGB, NetworkSpec
def build():
    from tests.pose.inference.runtimes.toy import toy
    return toy()
import numpy as np
with open_runtime(NetworkSpec("toy", build, "warm", (32, 24), IMAGENET_RGB), device="cpu", threads=1) as running:
    running(np.zeros((1, 32, 24, 3), np.uint8))
print(*sorted(name for name in ("torch", "openvino_telemetry") if sys.modules.get(name)))
"""
    cold, warm = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
        for _ in range(2)
    )
    assert cold.stdout.strip() == "torch"
    assert warm.stdout.strip() == ""
    assert cold.stderr == warm.stderr == ""


SIGNALLED = """
import signal, threading
from tests.pose.inference.runtimes.toy import spec, toy
from pose.inference.runtimes.openvino_runtime import OpenVinoRuntime
signal.signal(signal.SIGINT, lambda *_: print("handled", flush=True))
first, second = (OpenVinoRuntime(spec(toy, name), precision="fp32", threads=1) for name in "ab")
{closing}
print("closed", flush=True)
signal.raise_signal(signal.SIGINT)
"""
CLOSING = {
    "the older one first": "first.close(); second.close()",
    "on another thread": "other = threading.Thread(target=second.close); other.start(); other.join()",
}


@pytest.mark.parametrize("order", CLOSING)
def test_signals_are_handled_after_networks_are_closed(order: str) -> None:
    """OpenVINO's plug-in gives the thread that loads it a stack for signal handlers, and frees that at its end."""
    code = SIGNALLED.format(closing=CLOSING[order])
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (process.returncode, process.stdout) == (0, "closed\nhandled\n")


def test_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match="no precision 'int8'"):
        OpenVinoRuntime(spec(), precision="int8")
    from pose.inference.runtimes.openvino_runtime import _choose_precision

    assert _choose_precision("auto", ["FP32", "BF16"]) == _choose_precision("bf16", ["FP32", "BF16"]) == "bf16"
    assert _choose_precision("auto", ["FP32"]) == "fp32"
    with pytest.raises(DeviceError, match="does not compute in bf16"):
        _choose_precision("bf16", ["FP32"])


class Untranslatable(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.lstsq(x, x).solution


def test_a_network_that_openvino_cannot_take() -> None:
    with pytest.raises(PoseError, match=r"Set pose\.runtime to torch"):
        opened(Untranslatable)
