"""`Runtime`: what runs a network on arrays; and `NetworkSpec`, what a runtime must know about the network."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

__all__ = ["BYTES_BGR", "IMAGENET_RGB", "UNIT_RGB", "Arrays", "InputFormat", "NetworkSpec", "Runtime", "checked"]

Arrays = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, slots=True)
class InputFormat:
    """What a network wants to see instead of BGR 0–255: (value / 255 − mean) / std, in its order of colours.

    Attributes:
        mean, std: per channel, in the network's order of colours, for values of 0–1.
        rgb: whether the network wants RGB; otherwise BGR.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    rgb: bool = True


IMAGENET_RGB: Final = InputFormat((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
UNIT_RGB: Final = InputFormat((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
BYTES_BGR: Final = InputFormat((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255), rgb=False)
"""The pictures as they are, for a network whose first convolution takes them so (see `fold_input`)."""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network that can be built, and what has to be known before it is.

    Attributes:
        name: for the log and for cache files.
        build: gives the network with its weights, on the CPU, in float32 and in evaluation mode: from float
            `[B, 3, H, W]` to one tensor or a sequence of them, each `[B, …]`. Only called when nothing is cached, so
            that PyTorch need not be imported otherwise.
        digest: SHA-256 of the weights file, in hexadecimal; None for weights of no file, which are never cached.
        size: height and width of the input in pixels; None where any is taken.
        input_format: what the network wants to see.
    """

    name: str
    build: Callable[[], nn.Module]
    digest: str | None
    size: tuple[int | None, int | None]
    input_format: InputFormat


class Runtime(Protocol):
    """Runs one network on pictures. Any thread may call, several at once.

        with open_runtime(spec) as runtime:
            heatmaps, = runtime(crops)

    Attributes:
        concurrency: how many calls at once use the device best.
        batch: how many pictures in one call use it best.
        precision: `fp32`, `bf16` or `fp16`.
    """

    @property
    def concurrency(self) -> int: ...

    @property
    def batch(self) -> int: ...

    @property
    def precision(self) -> str: ...

    def submit(self, pictures: NDArray[np.uint8]) -> Future[Arrays]:
        """Begin a call, or put it behind those that were begun before; never waits.

        The queue has no bound of its own: whoever submits says how many people of how many sources it may hold.

        Args:
            pictures: uint8 `[B, H, W, 3]`, BGR; not to be changed before the result is there. B may be 0.

        Returns:
            The network's outputs to come, float32 `[B, …]` each. What is called when they are there (see
            `Future.add_done_callback`) runs on the runtime's own thread, so it must be short.

        Raises:
            ValueError: the pictures are not of that kind, or not of the network's size.
            RuntimeError: the runtime is closed.
        """
        ...

    def __call__(self, pictures: NDArray[np.uint8]) -> Arrays:
        """The same, waiting for the outputs; more than `batch` pictures are shared out over several calls."""
        ...

    def describe(self) -> str:
        """One line for the log: what runs where and how."""
        ...

    def close(self) -> None:
        """Let the calls that run end, cancel the others. Twice does no harm."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: Any) -> None: ...


def checked(pictures: NDArray[np.uint8], spec: NetworkSpec) -> NDArray[np.uint8]:
    """The pictures, contiguous.

    Raises:
        ValueError: they are not uint8 `[B, H, W, 3]` of the network's size.
    """
    height, width = spec.size
    if (
        pictures.dtype != np.uint8
        or pictures.ndim != 4
        or pictures.shape[3] != 3
        or pictures.shape[1] != (height or pictures.shape[1])
        or pictures.shape[2] != (width or pictures.shape[2])
        or 0 in pictures.shape[1:]
    ):
        raise ValueError(
            f"{spec.name} was given {pictures.dtype} {list(pictures.shape)} "
            f"instead of uint8 [B, {height or 'H'}, {width or 'W'}, 3]."
        )
    return np.ascontiguousarray(pictures)
