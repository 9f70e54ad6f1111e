"""Importing OpenVINO: in one place, without its telemetry, with a sentence where it is not installed."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import numpy as np

from pose.errors import RuntimeMissing

__all__ = ["import_openvino", "openvino_is_installed"]


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
