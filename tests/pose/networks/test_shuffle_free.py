"""TinyPose without shuffles is TinyPose."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pose.networks.shuffle_free import without_shuffles
from pose.networks.tinypose import ShuffleUnit, TinyPose


def made(channels: tuple[int, ...], modules: tuple[int, ...]) -> TinyPose:
    """Weights that tell every channel from every other, and answers that do not fade on their way."""
    torch.manual_seed(0)
    network = TinyPose(channels, modules).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            nn.init.normal_(module.bias, 0, 0.5)
            module.weight.data *= 0.7
    return network


@pytest.mark.parametrize(
    ("channels", "modules"), [((40, 80, 160, 320), (2, 4, 2)), ((4, 6, 8), (1, 3)), ((6, 4), (2,))], ids=str
)
def test_same_heat_maps(channels: tuple[int, ...], modules: tuple[int, ...]) -> None:
    network = made(channels, modules).double()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fast = without_shuffles(network)
    assert not any(isinstance(module, ShuffleUnit) for module in fast.modules())
    x = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    with torch.inference_mode():
        expected, actual = network(x), fast(x)
    assert expected.std() > 0.1
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-9 * float(expected.abs().max()))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_on_openvino() -> None:
    """In fp32 nothing but the order of sums, of which the added products are zeros."""
    pytest.importorskip("openvino")
    from pose.inference.runtimes import IMAGENET_RGB, NetworkSpec, open_runtime
    from tests.pose.inference.runtimes.toy import pictures

    network = made((40, 80, 160, 320), (2, 4, 2)).float()
    images = pictures(2, 256, 192)
    answers = []
    for built in (network, without_shuffles(network)):
        spec = NetworkSpec("tinypose", lambda built=built: built, None, (256, 192), IMAGENET_RGB)
        with open_runtime(spec, "openvino", precision="fp32", threads=1) as running:
            answers.append(torch.from_numpy(running(images)[0]))
    torch.testing.assert_close(answers[1], answers[0], rtol=0, atol=2e-5 * float(answers[0].abs().max()))
