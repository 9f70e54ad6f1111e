"""Naming as a whole: people at a desk in a made world, and floors on real pictures where they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index import PostureIndex
from pose.keypoints import Keypoint as K
from stream.settings.model import IndexSettings

# Somebody at a desk, facing the camera, in units of half the shoulders' width; x to the right, y down.
_DESK = np.array(
    [
        [0, 0], [0.2, -0.2], [-0.2, -0.2], [0.4, -0.1], [-0.4, -0.1], [1, 1.3], [-1, 1.3], [1.3, 3], [-1.3, 3],
        [0.6, 3.7], [-0.6, 3.7], [0.7, 4.7], [-0.7, 4.7], [0.9, 6], [-0.9, 6], [0.9, 8], [-0.9, 8],
    ]
)  # fmt: skip
POSTURES = ("upright", "slouching", "leaning", "hand on chin")


def at_desk(posture: str, random: np.random.Generator) -> np.ndarray:
    """Keypoints `[17, 3]` of a person whose legs and hips the desk hides; the network guesses where they are."""
    body = _DESK.copy()
    side = int(random.choice([-1, 1]))
    if posture == "slouching":
        body[:5, 1] += 0.7
        body[5:7] *= [0.9, 1.2]
    elif posture == "leaning":
        body = turned(body, side * 20, about=(0, 4.7))
    elif posture == "hand on chin":
        wrist, elbow = (K.LEFT_WRIST, K.LEFT_ELBOW) if side == 1 else (K.RIGHT_WRIST, K.RIGHT_ELBOW)
        body[wrist], body[elbow] = (side * 0.25, 0.5), (side * 1.3, 3.3)
    body = turned(body * [random.uniform(0.85, 1.15), 1], random.normal(0, 3), about=(0, 0))
    body = (body + random.normal(0, 0.08, body.shape)) * random.uniform(20, 60) + random.uniform(100, 500, 2)
    body[K.LEFT_HIP :] += random.normal(0, 60, (6, 2))
    scores = np.full(17, 0.9)
    scores[K.LEFT_HIP :] = 0.1
    return np.column_stack((body, scores)).astype(np.float32)


def turned(body: np.ndarray, degrees: float, about: tuple[float, float]) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (body - about) @ np.array([[c, s], [-s, c]]) + about


def accuracy(taught: tuple[np.ndarray, list[str]], asked: tuple[np.ndarray, list[str]], embedding: str) -> float:
    index = PostureIndex(embedding, device="cpu")
    index.add(index.embedding.compute(taught[0]), taught[1])
    classifications = index.classify(index.embedding.compute(asked[0]), IndexSettings().rule)
    return float(
        np.mean(
            [classification.label == label for classification, label in zip(classifications, asked[1], strict=True)]
        )
    )


def test_a_few_frames_teach_postures_at_a_desk() -> None:
    random = np.random.default_rng(0)

    def some(count: int) -> tuple[np.ndarray, list[str]]:
        labels = [posture for posture in POSTURES for _ in range(count)]
        return np.stack([at_desk(posture, random) for posture in labels]), labels

    taught, asked = some(8), some(50)
    assert accuracy(taught, asked, "gravity59") > 0.9
    assert accuracy(taught, asked, "nose25") < 0.7  # it takes the guessed legs for real


@pytest.mark.parametrize(("name", "floor"), [("postures", 0.86), ("yoga", 0.93)])
def test_held_out_pictures(shared: Path, name: str, floor: float) -> None:
    """Unknown counts as wrong."""
    with np.load(shared / "data" / f"{name}_keypoints.npz") as arrays:
        paths, keypoints = arrays["path"].astype(str), arrays["keypoint"]
    parts = [path.split("/") for path in paths]
    splits = {}
    for split in ("train", "test"):
        rows = np.array([part[-3] == split for part in parts])
        splits[split] = keypoints[rows], [part[-2] for part in parts if part[-3] == split]
    assert accuracy(splits["train"], splits["test"], "gravity59") > floor
