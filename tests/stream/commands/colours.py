"""A small world for commands about databases: pictures of one colour, and a network that sees people in them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from pose.poses import Poses
from stream.commands import add as add_command
from stream.commands import build as build_command
from stream.commands import import_pair as import_command
from stream.commands import info as info_command
from stream.commands import query as query_command
from stream.settings.model import Settings


class Colours:
    """Finds two people in a picture, the second one prominent, bent by the picture's blue; nobody in a black one."""

    parts: tuple[tuple[str, str], ...] = (("colours", "ab" * 32),)
    batch_size = 4
    concurrency = 2

    def __call__(self, frames: Sequence[np.ndarray], /) -> list[Poses]:
        return [self.look(frame) for frame in frames]

    def look(self, frame: np.ndarray) -> Poses:
        if not frame.any():
            return Poses.empty()
        keypoints = np.random.default_rng(0).random((2, 17, 3)).astype(np.float32) * 50
        keypoints[:, 9:, 0] += frame[0, 0, 0]
        keypoints[0, :, 2] = 0.1
        keypoints[1, :, 2] = 0.9
        return Poses(keypoints, np.float32([[1, 1, 9, 9], [0, 0, 40, 40]]), np.float32([0.5, 0.9]))


def paint(name: str, blue: int) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(".png", np.full((48, 64, 3), (blue, 0, 0), np.uint8))
    assert done
    Path(name).write_bytes(data.tobytes())
    return name


def stance(*arguments: str, settings: Settings | None = None) -> int:
    parser = argparse.ArgumentParser(prog="stance")
    commands = parser.add_subparsers(required=True)
    for module in (build_command, add_command, import_command, info_command, query_command):
        module.register(commands)
    args = parser.parse_args(arguments)
    code = args.run(args, settings or Settings())
    assert isinstance(code, int)
    return code
