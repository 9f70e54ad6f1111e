"""Writing a network as ONNX, for programs that are not ours."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from torch import Tensor, nn, onnx, zeros

from pose.errors import ExporterMissing, WeightsError

__all__ = ["INPUT_NAME", "OPSET", "export_onnx"]

OPSET: Final = 17
"""Every operation of our networks is in it, and so are all runtimes since 2022."""

INPUT_NAME: Final = "image"


def export_onnx(
    network: nn.Module,
    example_shape: Sequence[int],
    path: str | Path,
    metadata: Mapping[str, str],
    output_names: Sequence[str],
) -> None:
    """Write a network as ONNX, whole or not at all.

    The batch is open, height and width are those of the example. PyTorch's older exporter is used, because it needs the
    package `onnx` alone and its graphs keep the open batch.

    Args:
        network: in evaluation mode, from float32 `[B, 3, H, W]` to one tensor or a sequence of them.
        example_shape: `[B, 3, H, W]`.
        metadata: kept in the file as `metadata_props`.
        output_names: one for each tensor.

    Raises:
        ExporterMissing: `onnx` is not installed.
        ValueError: the network has not as many outputs as there are names.
        WeightsError: the file cannot be written.
    """
    try:
        import onnx as library
    except ImportError as error:
        raise ExporterMissing(
            "The package onnx is not installed. Install it with `pip install 'stance[export]'`."
        ) from error
    path = Path(path)
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's age, and of shapes that become constants: they are
        onnx.export(
            _Flat(network, len(output_names)).eval(),
            (zeros(*example_shape),),
            stream,  # type: ignore[arg-type]  # the older exporter takes it
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=list(output_names),
            dynamic_axes={name: {0: "batch"} for name in (INPUT_NAME, *output_names)},
        )
    model = library.load_model_from_string(stream.getvalue())
    library.helper.set_model_props(model, dict(metadata))
    library.checker.check_model(model)
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(model.SerializeToString())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise WeightsError(f"{path} cannot be written: {error.strerror or error}.") from error


class _Flat(nn.Module):
    """Outputs as a tuple, counted."""

    def __init__(self, network: nn.Module, count: int):
        super().__init__()
        self.network = network
        self.count = count

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        outputs = self.network(x)
        flat = tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)
        if len(flat) != self.count:
            raise ValueError(f"the network has {len(flat)} outputs, not {self.count}")
        return flat
