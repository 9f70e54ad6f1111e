"""A small network whose answers can be told apart, and specs of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pose.inference.runtimes.runtime import IMAGENET_RGB, InputFormat, NetworkSpec

__all__ = ["HEIGHT", "WIDTH", "Brightness", "Toy", "counted", "pictures", "spec", "toy"]

HEIGHT, WIDTH = 32, 24


class Toy(nn.Module):
    """Two outputs of different shape, through what our networks are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2, 1)
        self.depthwise = nn.Conv2d(8, 8, 5, padding=2, groups=8)
        self.last = nn.Conv2d(16, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.relu(self.first(x))
        x = torch.cat([x, nn.functional.hardswish(self.depthwise(x))], 1)
        return self.last(x), x.mean((2, 3)).sigmoid()


class Brightness(nn.Module):
    """The mean of every channel in the network's own order: an answer that is known without another library."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def toy(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return Toy().eval()


def spec(
    build: Callable[[], nn.Module] = toy,
    digest: str | None = None,
    size: tuple[int | None, int | None] = (HEIGHT, WIDTH),
    input_format: InputFormat = IMAGENET_RGB,
    name: str = "toy",
) -> NetworkSpec:
    return NetworkSpec(name, build, digest, size, input_format)


def counted(build: Callable[[], nn.Module] = toy) -> tuple[Callable[[], nn.Module], list[int]]:
    """The same, and a list that grows with every call."""
    calls: list[int] = []

    def building() -> nn.Module:
        calls.append(1)
        return build()

    return building, calls


def pictures(count: int, height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
