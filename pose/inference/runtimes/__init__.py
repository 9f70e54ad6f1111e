"""What runs a network on arrays: PyTorch, or OpenVINO on CPUs.

Importing this is quick: PyTorch and OpenVINO come with the first network that is opened.
"""

from pose.inference.runtimes.choice import RUNTIMES, choose_runtime, open_runtime
from pose.inference.runtimes.runtime import (
    BYTES_BGR,
    IMAGENET_RGB,
    UNIT_RGB,
    Arrays,
    InputFormat,
    NetworkSpec,
    Runtime,
)

__all__ = [
    "BYTES_BGR",
    "IMAGENET_RGB",
    "RUNTIMES",
    "UNIT_RGB",
    "Arrays",
    "InputFormat",
    "NetworkSpec",
    "Runtime",
    "choose_runtime",
    "open_runtime",
]
