"""Drawn people: pictures with labels that are exact, because the picture was drawn from them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pose.datasets.labelled import LabelledSet
from pose.datasets.reading import read_labelled
from pose.keypoints import LIMBS
from tests.worlds import UPRIGHT

COLOURS = [tuple(int(v) for v in row) for row in np.random.default_rng(4).integers(60, 255, (17, 3))]


def draw_people(folder: Path, pictures: int = 8, *, seed: int = 0, prefix: str = "made") -> LabelledSet:
    """Pictures of one or two stick people in the YOLO-pose layout, and the set read back."""
    rng = np.random.default_rng(seed)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number in range(pictures):
        width, height = 192 + 32 * (number % 3), 160 + 32 * (number % 2)
        image = np.full((height, width, 3), rng.integers(60, 200, 3), np.uint8)
        lines = []
        for person in range(1 + number % 2):
            tall = height * rng.uniform(0.6, 0.8)
            nose = np.array([width * (0.3 + 0.4 * person) + rng.uniform(-8, 8), height * rng.uniform(0.12, 0.2)])
            pose = UPRIGHT + rng.normal(0, 0.015, UPRIGHT.shape)
            xy = pose * tall + nose
            for a, b in LIMBS:
                cv2.line(image, xy[a].round().astype(int).tolist(), xy[b].round().astype(int).tolist(), (20, 20, 20), 3)
            for point, colour in zip(xy, COLOURS, strict=True):
                cv2.circle(image, point.round().astype(int).tolist(), 3, colour, cv2.FILLED)
            low, high = xy.min(0) - 6, xy.max(0) + 6
            row = [0, *((low + high) / 2 / (width, height)), *((high - low) / (width, height))]
            row += [value for point in xy for value in (*(point / (width, height)), 2)]
            lines.append(" ".join(f"{value:.6f}" for value in row))
        cv2.imwrite(str(folder / "images" / f"{prefix}_{number:03d}.png"), image)
        (folder / "labels" / f"{prefix}_{number:03d}.txt").write_text("\n".join(lines) + "\n")
    return read_labelled(folder)


@pytest.fixture
def made_people(tmp_path: Path) -> LabelledSet:
    """Eight pictures of drawn people."""
    return draw_people(tmp_path / "made")
