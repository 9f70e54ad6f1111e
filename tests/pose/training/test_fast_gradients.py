"""Convolutions with quick gradients against PyTorch's own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from pose.training.fast_gradients import FastConv2d, use_fast_gradients


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("groups", [1, 6])
@pytest.mark.parametrize("bias", [True, False])
def test_outputs_and_gradients_are_those_of_a_plain_convolution(stride, kernel, groups, bias):
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 6, kernel, stride, kernel // 2, groups=groups, bias=bias)
    fast = copy.deepcopy(plain)
    use_fast_gradients(fast)
    assert type(fast) is FastConv2d
    x = torch.randn(3, 6, 13, 10).to(memory_format=torch.channels_last)
    gradients, outputs = [], []
    for convolution in (plain, fast):
        own = x.clone().requires_grad_()
        y = convolution(own)
        (y * torch.linspace(-1, 1, y.numel()).reshape(y.shape)).sum().backward()
        gradients.append([own.grad, *(parameter.grad for parameter in convolution.parameters())])
        outputs.append(y)
    torch.testing.assert_close(outputs[1], outputs[0])
    for found, expected in zip(gradients[1], gradients[0], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_half_precision_keeps_gradients_of_weights_in_single():
    torch.manual_seed(0)
    fast = nn.Conv2d(8, 8, 3, 2, 1, groups=8)
    use_fast_gradients(fast)
    x = torch.randn(2, 8, 12, 12)
    with torch.autocast("cpu", torch.bfloat16):
        y = fast(x)
    assert y.dtype == torch.bfloat16
    y.float().square().sum().backward()
    plain = nn.Conv2d(8, 8, 3, 2, 1, groups=8)
    plain.load_state_dict(fast.state_dict())
    plain(x).square().sum().backward()
    assert fast.weight.grad.dtype == torch.float32
    # bfloat16 has 8 bits: each product is off by up to 1/256 of its size, and they add up
    torch.testing.assert_close(
        fast.weight.grad, plain.weight.grad, rtol=0.02, atol=0.02 * float(plain.weight.grad.abs().max())
    )


def test_other_convolutions_are_left_alone():
    network = nn.Sequential(nn.Conv2d(2, 2, 3, dilation=2), nn.Conv2d(2, 2, 3, padding="same"), nn.Conv1d(2, 2, 3))
    use_fast_gradients(network)
    assert not any(isinstance(module, FastConv2d) for module in network)
