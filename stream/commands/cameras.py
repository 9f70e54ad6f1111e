"""`stance cameras`: which cameras are plugged in here, and how to name them."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING, Any

from stream.settings.model import Settings

if TYPE_CHECKING:
    from stream.sources.devices import Camera

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "cameras",
        help="list the cameras of this machine",
        description="List the cameras of this machine. `stance run` takes the number, the path or the name.",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=_cameras)


def _cameras(args: argparse.Namespace, _: Settings) -> int:
    from stream.sources.devices import list_cameras

    cameras = list_cameras()
    if args.json:
        print(json.dumps([dataclasses.asdict(camera) for camera in cameras], indent=2, default=str))
    elif cameras:
        print("\n".join(_lines(camera) for camera in cameras))
    else:
        print("No camera is plugged in here.")
    return 0


def _lines(camera: Camera) -> str:
    lines = [f"{camera.index}  {camera.name}"]
    path = camera.stable_path or camera.path
    if path is not None:
        lines.append(f"   {path}")
    for offered in camera.formats:
        sizes = " ".join(f"{width}×{height}" for width, height in offered.sizes)
        lines.append(f"   {offered.code} {sizes}".rstrip())
    return "\n".join(lines)
