"""Choosing a device and a precision, with and without a GPU."""

from __future__ import annotations

import pytest
import torch

from pose.errors import DeviceError
from pose.inference import device as devices
from pose.inference.device import choose_device, choose_precision


@pytest.fixture(params=[0, 2], ids=["no GPU", "two GPUs"])
def gpus(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many GPUs PyTorch says there are."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: request.param)
    return request.param


def test_auto(gpus: int) -> None:
    assert choose_device("auto") == torch.device("cuda:0" if gpus else "cpu")
    assert choose_device("cpu") == torch.device("cpu")


def test_a_gpu_by_name(gpus: int) -> None:
    if gpus:
        assert choose_device("cuda") == torch.device("cuda:0")
        assert choose_device("cuda:1") == torch.device("cuda:1")
        with pytest.raises(DeviceError, match="there are 2 GPUs, from cuda:0"):
            choose_device("cuda:2")
    else:
        for wanted in ("cuda", "cuda:0"):
            with pytest.raises(
                DeviceError, match=rf"^pose\.device is '{wanted}', but .*\. Set pose\.device to auto or cpu\.$"
            ):
                choose_device(wanted)


@pytest.mark.parametrize("wanted", ["gpu", "cuda:x", "cuda:-1", "cuda:²", "CPU", "", "mps"])
def test_no_such_device(wanted: str) -> None:
    with pytest.raises(DeviceError, match="There is no device"):
        choose_device(wanted)


def test_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda:0")
    for has, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(devices, "cpu_has_bf16", lambda has=has: has)
        assert choose_precision("auto", cpu) == dtype
    assert choose_precision("auto", gpu) == choose_precision("fp16", gpu) == torch.float16
    assert choose_precision("fp32", gpu) == torch.float32
    assert choose_precision("bf16", cpu) == torch.bfloat16
    with pytest.raises(DeviceError, match="fp16 needs a GPU"):
        choose_precision("fp16", cpu)
    with pytest.raises(DeviceError, match="no precision 'int8'"):
        choose_precision("int8", cpu)
