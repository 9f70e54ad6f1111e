"""Writing a network as ONNX, for programs that are not ours."""

from __future__ import annotations

import contextlib
import io
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from torch import Tensor, nn, onnx, zeros

from pose.errors import ExporterMissing, WeightsError, reason_of
from pose.inference.runtimes.runtime import IMAGENET_RGB
from pose.networks.architecture import NETWORKS
from pose.networks.deploy import fuse
from pose.networks.picodet import STRIDES, PicoDet, PicoDetBoxes
from pose.weight_files.checkpoint import load_network
from pose.weight_files.digest import sha256
from pose.weight_files.topdown_file import TOPDOWN_NETWORKS, load_topdown

__all__ = ["EXPORTABLE", "INPUT_NAME", "OPSET", "export_network", "export_onnx"]

EXPORTABLE: Final = (*TOPDOWN_NETWORKS, *NETWORKS)
YOLO_SIZE: Final = 640

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
        raise WeightsError(f"{path} cannot be written: {reason_of(error)}.") from error


def export_network(name: str, file: str | Path, path: str | Path, size: int | None = None) -> dict[str, str]:
    """Write one of our networks as ONNX, with what one must know to use it as the file's metadata.

    Args:
        name: one of `EXPORTABLE`.
        file: its weights.
        path: what is written.
        size: side of the square input in pixels; None takes the size the weights were trained for. The input of
            `tinypose` has one size only.

    Returns:
        The metadata.

    Raises:
        WeightsMissing, WeightsError: the weights are not there or not those of the network, the size is not one that it
            takes, or the ONNX file cannot be written.
        ExporterMissing: `onnx` is not installed.
    """
    network, height, width, facts = _opened(name, file)
    if size is not None:
        stride = int(facts["stride"])
        if name != "picodet-s" and name in TOPDOWN_NETWORKS:
            raise WeightsError(f"{name} takes {width}×{height} and nothing else. Ask for no other size.")
        if size < stride or size % stride:
            raise WeightsError(f"The size {size} is not a multiple of {stride}, which {name} needs.")
        height = width = size
    outputs = facts.pop("outputs").split()
    metadata = {"network": name, "weights_sha256": sha256(file), "size": f"{width}x{height}", **facts}
    export_onnx(network, (2, 3, height, width), path, metadata, outputs)
    return metadata


def _opened(name: str, file: str | Path) -> tuple[nn.Module, int, int, dict[str, str]]:
    """A network from its weights; height and width of its input; what is to be said of input and outputs."""
    if name not in TOPDOWN_NETWORKS:
        yolo = fuse(load_network(file, name))
        strides = yolo.head.strides
        return yolo, YOLO_SIZE, YOLO_SIZE, {
            "input": "float32 [B, 3, H, W], RGB, value / 255, letterboxed with 114",
            "outputs": " ".join(f"stride{stride}" for stride in strides),
            "output": "raw maps [B, 3, H / stride, W / stride, 57]: x, y, w, h, object, person, 17 × (x, y, score)",
            "anchors": json.dumps(yolo.head.anchors.tolist()),
            "stride": str(strides[-1]),
        }  # fmt: skip
    weights = load_topdown(file, name)
    width, height = weights.input_size
    facts = {"origin": weights.origin}
    normalised = f"RGB, (value / 255 - mean) / std; mean {IMAGENET_RGB.mean}, std {IMAGENET_RGB.std}"
    if isinstance(weights.network, PicoDet):
        return PicoDetBoxes(weights.network).eval(), height, width, facts | {
            "input": f"float32 [B, 3, H, W], {normalised}; the picture is stretched",
            "outputs": "boxes scores",
            "output": "boxes [B, C, 4]: x1, y1, x2, y2 in pixels of the input; scores [B, C]; overlapping ones are in",
            "stride": str(STRIDES[-1]),
        }  # fmt: skip
    return (
        weights.network,
        height,
        width,
        facts
        | {
            "input": f"float32 [B, 3, H, W], {normalised}; one person's box, grown by 1.25 to 3:4",
            "outputs": "heatmaps",
            "output": "heat maps of 17 keypoints [B, 17, H / 4, W / 4]",
            "stride": "32",
        },
    )


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
