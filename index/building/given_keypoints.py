"""Keypoints that are given instead of found: to judge what comes after the network apart from it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.building.pictures import printable
from index.errors import KeypointsError
from pose.array_files import read_arrays
from pose.keypoints import KEYPOINT_COUNT
from pose.poses import Poses

__all__ = ["GivenKeypoints"]

_MARGIN: Final = 0.1  # of a person's extent, on every side: the box a network draws is larger than the keypoints


class GivenKeypoints:
    """Stands where a `PoseEstimator` stands, and looks the people of a picture up by its path.

    The file is a `.npz` with `path`, P strings relative to any folder, and `keypoint`, float `[P, 17, 3]`: x, y in
    pixels of the picture, score. A picture is found by the longest end of its path that is in the file:
    `data/test/sitting/a.jpg` by `test/sitting/a.jpg`. A path that comes twice shows two people.

    Attributes:
        parts: "given keypoints" and the SHA-256 of the file, in hexadecimal.
        batch_size: as an estimator has it.

    Raises:
        KeypointsError: the file is missing, or not such a file.
    """

    batch_size: Final = 16

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)
        try:
            data = self.file.read_bytes()
            arrays = read_arrays(io.BytesIO(data))
            paths, keypoints = arrays["path"], arrays["keypoint"]
        except FileNotFoundError:
            raise KeypointsError(f"{printable(file)} is missing. Name a file of keypoints that exists.") from None
        except (OSError, ValueError, KeyError) as error:
            raise KeypointsError(
                f"{printable(file)} is no file of keypoints. Expected is a .npz with the arrays path [P] and "
                f"keypoint [P, {KEYPOINT_COUNT}, 3]."
            ) from error
        if paths.dtype.kind != "U" or keypoints.shape != (*paths.shape, KEYPOINT_COUNT, 3) or paths.ndim != 1:
            raise KeypointsError(
                f"{printable(file)} has path {paths.dtype} {paths.shape} and keypoint {keypoints.shape}; expected are "
                f"strings [P] and [P, {KEYPOINT_COUNT}, 3]."
            )
        self.parts = (("given keypoints", hashlib.sha256(data).hexdigest()),)
        self._keypoints: NDArray[np.float32] = keypoints.astype(np.float32)
        self._rows: dict[str, list[int]] = {}
        for row, path in enumerate(paths.tolist()):
            self._rows.setdefault(path.removeprefix("./"), []).append(row)

    def people(self, pictures: Sequence[Path]) -> list[Poses]:
        """The people of every picture; nobody where the file does not have it."""
        return [self._poses(self._find(picture)) for picture in pictures]

    def _find(self, picture: Path) -> list[int]:
        parts = picture.absolute().parts
        for first in range(1, len(parts)):
            if rows := self._rows.get("/".join(parts[first:])):
                return rows
        return []

    def _poses(self, rows: list[int]) -> Poses:
        keypoints = self._keypoints[rows]
        if not rows:
            return Poses.empty()
        low, high = keypoints[..., :2].min(axis=1), keypoints[..., :2].max(axis=1)
        margin = _MARGIN * (high - low)
        boxes = np.concatenate((low - margin, high + margin), axis=1)
        return Poses(keypoints, boxes, keypoints[..., 2].mean(axis=1).clip(0, 1))
