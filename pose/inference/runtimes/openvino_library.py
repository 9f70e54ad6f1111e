"""OpenVINO's package and its core: imported in one place, without telemetry; one core for the whole process."""

from __future__ import annotations

import importlib.util
import sys
import threading
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from pose.errors import RuntimeMissing

if TYPE_CHECKING:
    import openvino

__all__ = ["import_openvino", "openvino_is_installed", "shared_core"]

_making_core = threading.Lock()


def openvino_is_installed() -> bool:
    """Whether OpenVINO can be imported; does not import it."""
    return importlib.util.find_spec("openvino") is not None


def import_openvino() -> ModuleType:
    """The module `openvino`.

    OpenVINO's package `openvino_telemetry` reports every import and conversion over the network unless the user has
    opted out. A program that watches cameras must not do so unasked, so it is hidden; OpenVINO then takes its own stub.
    Where the program has imported OpenVINO before, its choice stands.

    Raises:
        RuntimeMissing: it is not installed, or its libraries do not load.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as error:
        raise RuntimeMissing(
            f"OpenVINO cannot be imported ({error}). Install it with `pip install 'stance[cpu]'`, "
            "or set pose.runtime to torch."
        ) from error
    # What its binding knows of NumPy it looks up at the first array, and two threads that do so together wait for each
    # other for ever: one inside the look-up for Python's lock, the other with Python's lock for the look-up.
    openvino.Tensor(np.zeros(1, np.uint8), shared_memory=True)
    openvino.Type.u8.to_dtype()
    return openvino


def shared_core() -> openvino.Core:
    """The one `openvino.Core` of this process, which lives until the process ends. Thread-safe.

    A core loads the CPU plug-in, and the plug-in (seen in 2026.4, on Linux) gives the thread that loads it
    an alternate stack for signal handlers (`sigaltstack`), which it frees with the core and its last compiled network.
    Two cores that end in the order in which they were made, or one that ends on another thread, leave that thread with
    a stack that is gone. The next signal that Python handles, ctrl-C or the end of a child process, then kills the
    process with SIGSEGV at whatever it happens to do. So there is only one core, and it is never freed.

    Raises:
        RuntimeMissing: as in `import_openvino`.
    """
    with _making_core:
        return _core()


@cache
def _core() -> openvino.Core:
    return import_openvino().Core()
