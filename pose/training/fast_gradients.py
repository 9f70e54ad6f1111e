"""Convolutions whose gradients are quick on the CPU.

oneDNN as PyTorch 2.13 calls it computes the gradient of a bias by running that of the weight a second time, is slow at
the latter for depthwise convolutions, and at half of all this slower still in half precision. Here the bias has its
sum. The gradient of a depthwise weight is a depthwise convolution of the input, with the output's gradient as the
kernel; that of the input is one of the output's gradient with the mirrored weight. A step of PicoDet in bfloat16 takes
0.7 of the time of the fastest without (Zen 5, one thread).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

__all__ = ["FastConv2d", "use_fast_gradients"]


class FastConv2d(nn.Conv2d):
    """A convolution with the same parameters and outputs, and the same gradients up to rounding."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        if not torch.is_grad_enabled():
            bias = self.bias if self.bias is None else self.bias.to(x.dtype)
            return F.conv2d(x, self.weight.to(x.dtype), bias, self.stride, self.padding, self.dilation, self.groups)
        return _Convolution.apply(x, self.weight, self.bias, self.stride, self.padding, self.groups)


def use_fast_gradients(network: nn.Module) -> None:
    """Make every zero-padded convolution without dilation in a network a `FastConv2d`. For training on the CPU."""
    for module in network.modules():
        plain = type(module) is nn.Conv2d and module.padding_mode == "zeros" and not isinstance(module.padding, str)
        if plain and module.dilation == (1, 1):
            module.__class__ = FastConv2d


class _Convolution(Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding, ctx.groups, ctx.has_bias = stride, padding, groups, bias is not None
        own = bias if bias is None else bias.to(x.dtype)
        return F.conv2d(x, weight.to(x.dtype), own, stride, padding, 1, groups)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_bias = gradient.sum((0, 2, 3), dtype=weight.dtype) if ctx.has_bias else None
        if ctx.groups == x.shape[1] == len(weight):
            of_x = _depthwise_input(gradient, x, weight, ctx.stride, ctx.padding) if ctx.needs_input_grad[0] else None
            of_weight = _depthwise_weight(gradient, x, weight, ctx.stride, ctx.padding)
        else:
            of_x, of_weight, _ = torch.ops.aten.convolution_backward(
                gradient, x, weight.to(x.dtype), None, ctx.stride, ctx.padding, (1, 1), False, (0, 0), ctx.groups,
                (ctx.needs_input_grad[0], True, False),
            )  # fmt: skip
        return of_x, of_weight.to(weight.dtype), of_bias, None, None, None


def _depthwise_input(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    if stride == (1, 1):
        edge = (weight.shape[2] - 1 - padding[0], weight.shape[3] - 1 - padding[1])
        return F.conv2d(gradient, weight.to(x.dtype).flip(2, 3), None, 1, edge, 1, len(weight))
    found, _, _ = torch.ops.aten.convolution_backward(  # in half precision this one is ten times as slow
        gradient.float(), x.float(), weight, None, stride, padding, (1, 1), False, (0, 0), len(weight),
        (True, False, False),
    )  # fmt: skip
    return found.to(x.dtype)


def _depthwise_weight(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    batch, channels = gradient.shape[:2]
    kernels = gradient.to(torch.float32, memory_format=torch.contiguous_format).flatten(0, 1)[:, None]
    x = x.to(torch.float32, memory_format=torch.contiguous_format).flatten(0, 1)[None]
    found = F.conv2d(x, kernels, None, 1, padding, stride, batch * channels)[0]
    return found[:, : weight.shape[2], : weight.shape[3]].unflatten(0, (batch, channels)).sum(0)[:, None]
