"""The person detector and the keypoint network in other runtimes: what OpenVINO and ONNX Runtime make of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pose.inference.runtimes.openvino_library import shared_core
from pose.networks.picodet import PicoDet, PicoDetBoxes
from pose.networks.tinypose import TinyPose

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # both converters trace the old way

NETWORKS = {  # name: a network and an input for it
    "picodet": (
        PicoDetBoxes(PicoDet(channels=(4, 4, 4, 8, 8, 12), neck_channels=8)).eval(),
        torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(2)),
    ),
    "tinypose": (
        TinyPose(channels=(4, 8, 12), modules=(1, 1)).eval(),
        torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(3)),
    ),
}


def outputs(network: nn.Module, x: torch.Tensor) -> list[np.ndarray]:
    with torch.inference_mode():
        found = network(x)
    return [one.numpy() for one in (found if isinstance(found, tuple) else (found,))]


@pytest.mark.parametrize("name", NETWORKS)
def test_openvino_takes_the_network(name: str) -> None:
    openvino = pytest.importorskip("openvino")
    network, x = NETWORKS[name]
    model = openvino.convert_model(network, example_input=x, input=[tuple(x.shape)])
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = shared_core().compile_model(model, "CPU", settings)
    results = compiled(x.numpy())
    for i, expected in enumerate(outputs(network, x)):
        np.testing.assert_allclose(results[i], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_takes_the_network(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    network, x = NETWORKS[name]
    file = tmp_path / "network.onnx"
    torch.onnx.export(network, (x,), str(file), dynamo=False, opset_version=17, input_names=["pictures"])
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for actual, expected in zip(session.run(None, {"pictures": x.numpy()}), outputs(network, x), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)
