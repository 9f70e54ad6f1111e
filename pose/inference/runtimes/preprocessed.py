"""`Preprocessed`: a network that takes pictures as cameras give them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pose.inference.runtimes.runtime import InputFormat

__all__ = ["Preprocessed"]


class Preprocessed(nn.Module):
    """A network with the order of colours and the normalisation in front: uint8 BGR `[B, H, W, 3]` to a tuple.

    Inside the graph they cost little, and no floating copy of a picture is made outside. The arithmetic in front of the
    network is in float32: 1/255 of a byte has no exact bfloat16.

    Args:
        network: from float `[B, 3, H, W]` to one tensor or a sequence of them.
        dtype: what the network computes in.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, input_format: InputFormat, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.network = network
        self.rgb = input_format.rgb
        self.dtype = dtype
        mean, std = torch.tensor(input_format.mean), torch.tensor(input_format.std)
        self.unchanged = bool((mean == 0).all() and torch.allclose(std * 255, torch.ones(3)))
        self.register_buffer("scale", (1 / (255 * std)).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("shift", (-mean / std).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        x = pictures.permute(0, 3, 1, 2)  # [B, 3, H, W], channels last in memory
        if self.rgb:
            x = x.flip(1)
        if not self.unchanged:
            x = x.float() * self.scale + self.shift
        outputs = self.network(x.to(self.dtype))
        return tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)
