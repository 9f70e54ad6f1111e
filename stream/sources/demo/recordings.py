"""`Recording`: keypoints of real people over time, without any picture of them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import KEYPOINT_COUNT

__all__ = ["FRAMES_PER_SECOND", "RECORDINGS", "Recording", "dump_recordings", "load_recordings"]

FRAMES_PER_SECOND: Final = 25
RECORDINGS: Final = Path(__file__).with_name("recordings.npz")
"""The recordings that ship; the README beside them says whose clips they come from."""

_PER_PIXEL: Final = 8  # steps of a stored coordinate
_PER_SCORE: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The people of one stretch of a clip.

    Attributes:
        width: of the clip, px.
        height: of the clip, px.
        people: float32 `[P, F, 17, 3]` at `FRAMES_PER_SECOND`: x, y in pixels of the clip and score 0–1; −1 in all of
            somebody's scores in frames where that person is not there.

    Raises:
        ValueError: `people` is of another shape.
    """

    width: int
    height: int
    people: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.people.ndim != 4 or self.people.shape[2:] != (KEYPOINT_COUNT, 3):
            raise ValueError(f"people has shape {self.people.shape}, expected [P, F, {KEYPOINT_COUNT}, 3]")

    @property
    def frames(self) -> int:
        """F, how many frames it lasts."""
        return self.people.shape[1]


def dump_recordings(recordings: Mapping[str, Recording]) -> bytes:
    """The bytes of a file of recordings: whole numbers, eighths of a pixel and hundredths of a score."""
    arrays: dict[str, NDArray[np.int16]] = {}
    for name, recording in recordings.items():
        stored = recording.people * np.array([_PER_PIXEL, _PER_PIXEL, _PER_SCORE], np.float32)
        stored[recording.people[:, :, 0, 2] < 0] = [0, 0, -_PER_SCORE]
        # Differences from frame to frame are small numbers, which pack well.
        whole = np.rint(stored).astype(np.int16)
        arrays[f"{name}_steps"] = np.concatenate((whole[:, :1], whole[:, 1:] - whole[:, :-1]), axis=1)
        arrays[f"{name}_size"] = np.array([recording.width, recording.height], np.int16)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def load_recordings(file: Path = RECORDINGS) -> dict[str, Recording]:
    """The recordings of a file, by name."""
    found = {}
    with np.load(file) as arrays:
        for key in arrays.files:
            name, _, kind = key.rpartition("_")
            if kind == "steps":
                stored = np.cumsum(arrays[key], axis=1, dtype=np.int16)
                people = stored / np.array([_PER_PIXEL, _PER_PIXEL, _PER_SCORE], np.float32)
                width, height = arrays[f"{name}_size"].tolist()
                found[name] = Recording(width, height, people.astype(np.float32))
    return found
