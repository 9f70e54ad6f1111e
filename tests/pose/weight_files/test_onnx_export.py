"""ONNX files say under ONNX Runtime what the network says under PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pose.errors import ExporterMissing, WeightsError
from pose.networks.architecture import Architecture
from pose.networks.picodet import PicoDet
from pose.networks.tinypose import TinyPose
from pose.weight_files.checkpoint import load_network, save_network
from pose.weight_files.digest import sha256
from pose.weight_files.onnx_export import export_network, export_onnx
from pose.weight_files.topdown_file import save_topdown
from tests.golden.make_pose import made_network
from tests.pose.inference.runtimes.toy import toy

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

# The same sums in another order, in float32: relative to the largest value of the output.
TOLERANCE = 2e-5


def session(file: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def assert_same(network: nn.Module, file: Path, shape: Sequence[int]) -> None:
    running = session(file)
    for batch in (1, 3):
        x = torch.rand(batch, *shape[1:], generator=torch.Generator().manual_seed(batch)) * 2 - 1
        with torch.inference_mode():
            expected = network(x)
        expected = [expected] if isinstance(expected, Tensor) else list(expected)
        actual = running.run(None, {"image": x.numpy()})
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert one.shape == tuple(other.shape)
            np.testing.assert_allclose(one, other.numpy(), atol=TOLERANCE * float(other.abs().max()), rtol=0)


def test_toy(tmp_path: Path) -> None:
    network, file = toy(), tmp_path / "toy.onnx"
    export_onnx(network, (1, 3, 32, 24), file, {"network": "toy", "written": "für alle"}, ["maps", "shares"])
    assert_same(network, file, (1, 3, 32, 24))
    assert [output.name for output in session(file).get_outputs()] == ["maps", "shares"]
    assert session(file).get_modelmeta().custom_metadata_map == {"network": "toy", "written": "für alle"}


def test_tinypose(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = TinyPose().half().float().eval()  # as the file keeps it
    save_topdown(network, tmp_path / "w.safetensors", (192, 256), "made in a test")
    metadata = export_network("tinypose", tmp_path / "w.safetensors", tmp_path / "n.onnx")
    assert_same(network, tmp_path / "n.onnx", (1, 3, 256, 192))
    assert metadata["size"] == "192x256"
    assert metadata["weights_sha256"] == sha256(tmp_path / "w.safetensors")
    assert metadata["origin"] == "made in a test"
    assert session(tmp_path / "n.onnx").get_modelmeta().custom_metadata_map == metadata
    with pytest.raises(WeightsError, match="192×256 and nothing else"):
        export_network("tinypose", tmp_path / "w.safetensors", tmp_path / "other.onnx", 320)
    assert not (tmp_path / "other.onnx").exists()


def test_picodet(tmp_path: Path) -> None:
    from pose.networks.picodet import PicoDetBoxes

    torch.manual_seed(0)
    network = PicoDet().half().float().eval()
    save_topdown(network, tmp_path / "w.safetensors", (320, 320), "made in a test")
    for size in (None, 192):
        export_network("picodet-s", tmp_path / "w.safetensors", tmp_path / "n.onnx", size)
        assert_same(PicoDetBoxes(network), tmp_path / "n.onnx", (1, 3, size or 320, size or 320))
    with pytest.raises(WeightsError, match="200 is not a multiple of 64"):
        export_network("picodet-s", tmp_path / "w.safetensors", tmp_path / "n.onnx", 200)


def test_yolo(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_network(made_network(Architecture("yolov7-tiny-pose", width=0.125)), file)
    metadata = export_network("yolov7-tiny-pose", file, tmp_path / "n.onnx", 128)
    assert_same(load_network(file), tmp_path / "n.onnx", (1, 3, 128, 128))
    assert metadata["stride"] == "32"
    with pytest.raises(WeightsError, match="not of yolov7-w6-pose"):
        export_network("yolov7-w6-pose", file, tmp_path / "other.onnx")


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "n.onnx").mkdir()
    with pytest.raises(WeightsError, match="cannot be written"):
        export_onnx(toy(), (1, 3, 32, 24), tmp_path / "n.onnx", {}, ["maps", "shares"])
    assert [file.name for file in tmp_path.iterdir()] == ["n.onnx"]
    with pytest.raises(ValueError, match="2 outputs, not 1"):
        export_onnx(toy(), (1, 3, 32, 24), tmp_path / "m.onnx", {}, ["maps"])


def test_the_exporter_is_missed_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ExporterMissing, match=r"pip install 'stance\[export\]'"):
        export_onnx(toy(), (1, 3, 32, 24), tmp_path / "n.onnx", {}, ["maps", "shares"])
