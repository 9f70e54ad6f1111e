"""Which runtime is taken, and what is said where it cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pose.errors import DeviceError, RuntimeMissing
from pose.inference.runtimes import choice
from pose.inference.runtimes.choice import choose_runtime, open_runtime
from tests.pose.inference.runtimes.toy import pictures, spec

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def no_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "openvino"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(choice, "openvino_is_installed", lambda: False)


def test_openvino_on_cpus() -> None:
    pytest.importorskip("openvino")
    assert choose_runtime("auto", "cpu") == "openvino"
    assert choose_runtime("openvino", "cpu") == choose_runtime("openvino") == "openvino"
    assert choose_runtime("torch", "cpu") == "torch"


def test_pytorch_on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr("pose.inference.device_name.gpu_is_possible", lambda: True)
    assert choose_runtime() == choose_runtime("auto", "cuda:0") == "torch"
    with pytest.raises(DeviceError, match="not on 'cuda:0'"):
        choose_runtime("openvino", "cuda:0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="cuda:0"):
        choose_runtime("auto", "cuda:0")


@pytest.mark.usefixtures("no_openvino")
def test_pytorch_where_openvino_is_not_installed() -> None:
    assert choose_runtime("auto", "cpu") == "torch"
    with open_runtime(spec(), device="cpu", precision="fp32", threads=1) as running:
        assert "PyTorch" in running.describe()
        assert len(running(pictures(1))) == 2


@pytest.mark.usefixtures("no_openvino")
def test_openvino_is_missed_with_its_cure() -> None:
    with pytest.raises(RuntimeMissing, match=r"pip install 'stance\[cpu\]'") as caught:
        choose_runtime("openvino")
    assert "\n" not in str(caught.value)


def test_unknown_words() -> None:
    with pytest.raises(DeviceError, match="no runtime 'onnx'"):
        choose_runtime("onnx")
    with pytest.raises(DeviceError, match="no device 'tpu'"):
        choose_runtime("auto", "tpu")
    with pytest.raises(DeviceError, match="no precision 'int4'"):
        open_runtime(spec(), device="cpu", precision="int4")


def test_choosing_imports_neither_pytorch_nor_openvino() -> None:
    code = (
        "from pose.inference.runtimes.choice import choose_runtime; choose_runtime('auto', 'cpu');"
        "import sys; print(*sorted({'torch', 'openvino', 'cv2'} & {*sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == ""
