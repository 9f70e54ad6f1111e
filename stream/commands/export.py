"""The command `stance export`: a network as ONNX."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pose.errors import WeightsError
from pose.weight_files.location import find_weights

if TYPE_CHECKING:
    from stream.settings.model import Settings

__all__ = ["register"]

NETWORKS: Final = ("picodet-s", "tinypose", "tinypose-small", "yolov7-w6-pose", "yolov7-tiny-pose")
"""A test holds them to `pose.weight_files.onnx_export.EXPORTABLE`, which would bring PyTorch with it."""


def register(subparsers: Any) -> None:
    """Add `export` to what `argparse.ArgumentParser.add_subparsers` gave.

    Sets `run`, a function of the parsed arguments and the `Settings` that gives the exit code. Faults of the user rise
    as `StanceError`.
    """
    text = "write a network as ONNX, for other programs"
    parser = subparsers.add_parser("export", help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("network", metavar="NETWORK", choices=NETWORKS, help=f"one of {', '.join(NETWORKS)}")
    parser.add_argument("--out", metavar="FILE", help="what to write (NETWORK.onnx here)")
    parser.add_argument("--weights", metavar="FILE", help="the weights (those that Stance would use)")
    parser.add_argument(
        "--size", type=int, metavar="PIXELS", help="side of the square input (what the weights were trained for)"
    )
    parser.set_defaults(run=_export)


def _export(args: argparse.Namespace, settings: Settings) -> int:
    out = Path(args.out or f"{args.network}.onnx")
    if out.suffix != ".onnx":
        raise WeightsError(f"{out} does not end in .onnx. Name another file with --out.")
    if out.exists():
        raise WeightsError(f"{out} is already there. Name another file with --out.")
    weights = Path(args.weights) if args.weights else find_weights(args.network)
    from pose.weight_files.onnx_export import export_network

    metadata = export_network(args.network, weights, out, args.size)
    print(f"{out} holds {args.network} at {metadata['size']}: {out.stat().st_size:,} bytes.")
    print(f"  input   {metadata['input']}")
    print(f"  output  {metadata['output']}")
    return 0
