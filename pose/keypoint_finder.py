"""`KeypointFinder`: the keypoints of people whose places are known."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pose.inference.crops import CROP_SIZE, SMALL_CROP_SIZE, crop_matrices, cut_crops, rectangle_matrices, to_picture
from pose.inference.heatmaps import STRIDE, decode_heatmaps
from pose.inference.runtimes.runtime import Runtime
from pose.inference.steps import Answer
from pose.keypoints import FLIP, KEYPOINT_COUNT
from pose.keypoints import Keypoint as K

__all__ = ["VISIBLE", "KeypointFinder", "confidence", "extents", "is_somebody", "torso_angles"]

VISIBLE: Final = 0.2
"""Peaks of the heat maps below this are no sight of a keypoint."""

LARGEST_SCALE: Final = 2 / 3
"""Pixels of the picture for one of a small crop, at most: a person of 102 px. Up to 1 no pixel is lost, but the network
for small crops knows less: OKS 0.738 against 0.734 of people of 24 to 64 px, 0.750 against 0.783 up to 96 px, 0.762
against 0.810 up to 128 px (held-out people, labelled boxes)."""

LEAST_VISIBLE: Final = 4  # with fewer keypoints visible nobody is there
LEAST_CONFIDENCE: Final = 0.3  # of the visible keypoints of somebody who is there
TURNED_MARGIN: Final = 0.12  # around the keypoints of somebody who is turned, in the longer side of their box
LEAST_EXTENT: Final = 0.2  # of the visible keypoints, as a share of the box's longer side

_SHOULDERS: Final = [K.LEFT_SHOULDER, K.RIGHT_SHOULDER]
_HIPS: Final = [K.LEFT_HIP, K.RIGHT_HIP]


class KeypointFinder:
    """A top-down keypoint network with its way from crops of a picture and back. A call changes nothing; any thread may
    ask.

    Args:
        runtime: runs the network: uint8 `[B, 256, 192, 3]` BGR to heat maps `[B, 17, 64, 48]`.
        open_small: opens what runs the network for people who are small in a video, `[B, 192, 128, 3]` to
            `[B, 17, 48, 32]`; called once, when a video is first asked about, as pictures never need it. None: there
            is none.
        stage: called with a stage's name (`pre-process`, `decode`), gives a context in which it runs; for profiling.
    """

    def __init__(
        self,
        runtime: Runtime,
        open_small: Callable[[], Runtime] | None = None,
        *,
        stage: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.runtime = runtime
        self._open_small = open_small
        self._small: Runtime | None = None
        self._opening = Lock()
        self._stage = stage

    def ready_for_video(self) -> Runtime | None:
        """What runs small crops, opened at the first call; None: there is none."""
        with self._opening:
            if self._small is None and self._open_small is not None:
                self._small = self._open_small()
            return self._small

    @property
    def runtimes(self) -> tuple[Runtime, ...]:
        """All that are open."""
        return (self.runtime,) if self._small is None else (self.runtime, self._small)

    def ask(
        self,
        bgr: NDArray[np.uint8],
        boxes: NDArray[np.floating],
        angles_radians: NDArray[np.floating] | None = None,
        expected: NDArray[np.float32] | None = None,
        *,
        thorough: bool = False,
    ) -> Answer[NDArray[np.float32]]:
        """Start looking for the keypoints of N people: float32 `[N, 17, 3]`, x, y in pixels of the picture and score.

        Args:
            bgr: uint8 `[H, W, 3]`.
            boxes: `[N, 4]`: x1, y1, x2, y2 in pixels of the picture.
            angles_radians: `[N]`: how far every person is turned clockwise from upright; None: nobody is.
            expected: `[N, 17, 3]`: about where the keypoints are. Around these the crop of somebody who is turned is
                cut, as an upright box holds much more than a person who lies across it.
            thorough: for single pictures: large crops of everybody, and each in a mirror, too, the mean of both heat
                maps taken. Twice the work, and AP 0.568 → 0.582, mean OKS of large people 0.789 → 0.805 (150 held-out
                pictures).
        """
        matrices = _matrices(boxes, angles_radians, expected, CROP_SIZE)
        small = None if thorough else self.ready_for_video()
        if small is None:
            return self._ask(self.runtime, bgr, matrices, CROP_SIZE, mirrored=thorough)
        shrunk = _matrices(boxes, angles_radians, expected, SMALL_CROP_SIZE)
        is_small = np.linalg.norm(shrunk[:, :, 0], axis=1) <= LARGEST_SCALE
        of_large = self._ask(self.runtime, bgr, matrices[~is_small], CROP_SIZE)
        of_small = self._ask(small, bgr, shrunk[is_small], SMALL_CROP_SIZE)

        def read(outputs: list[Any]) -> NDArray[np.float32]:
            found = np.empty((len(matrices), KEYPOINT_COUNT, 3), np.float32)
            found[~is_small] = of_large.read(outputs[: len(of_large.futures)])
            found[is_small] = of_small.read(outputs[len(of_large.futures) :])
            return found

        return Answer((*of_large.futures, *of_small.futures), read)

    def _ask(
        self,
        runtime: Runtime,
        bgr: NDArray[np.uint8],
        matrices: NDArray[np.float64],
        size: tuple[int, int],
        *,
        mirrored: bool = False,
    ) -> Answer[NDArray[np.float32]]:
        """As `ask`, of crops of one size."""
        with self._stage("pre-process"):
            crops = cut_crops(bgr, matrices, size)
            if mirrored:
                crops = np.concatenate((crops, cut_crops(bgr, matrices @ _mirror(size[0]), size)))

        def read(outputs: list[Any]) -> NDArray[np.float32]:
            if not outputs:
                return np.zeros((0, KEYPOINT_COUNT, 3), np.float32)
            with self._stage("decode"):
                maps = np.concatenate([output[0] for output in outputs])
                if mirrored:
                    maps = (maps[: len(matrices)] + maps[len(matrices) :, FLIP, :, ::-1]) / 2
                points, scores = decode_heatmaps(maps)
            return np.concatenate((to_picture(points, matrices), scores.clip(0, 1)[..., None]), axis=2)

        batch = runtime.batch
        calls = [runtime.submit(crops[start : start + batch]) for start in range(0, len(crops), batch)]
        return Answer(tuple(calls), read)


def _matrices(
    boxes: NDArray[np.floating],
    angles_radians: NDArray[np.floating] | None,
    expected: NDArray[np.float32] | None,
    size: tuple[int, int],
) -> NDArray[np.float64]:
    """From crops of that size to the picture, `[N, 2, 3]`; see `KeypointFinder.ask`."""
    matrices = crop_matrices(boxes, angles_radians, size)
    if expected is not None and angles_radians is not None:
        for row in np.flatnonzero(angles_radians).tolist():
            centre, extent = _turned_box(expected[row], float(angles_radians[row]))
            matrices[row] = rectangle_matrices(centre, extent, angles_radians[row], size)[0]
    return matrices


def _mirror(width: int) -> NDArray[np.float64]:
    """From a mirrored crop to the crop, `[3, 3]`. Its columns of cells, which stand for pixels 0, 4, 8 …, change places
    exactly."""
    return np.array([[-1.0, 0.0, width - STRIDE], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def _turned_box(
    keypoints: NDArray[np.float32], angle_radians: float
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Centre, and width and height along the body, of the box around visible keypoints `[17, 3]` with a margin, px."""
    cosine, sine = np.cos(angle_radians), np.sin(angle_radians)
    turn = np.array([[cosine, sine], [-sine, cosine]])  # rows: along the shoulders, down the body
    points = keypoints[keypoints[:, 2] > VISIBLE, :2] @ turn.T
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2 @ turn, (high - low) + 2 * TURNED_MARGIN * float((high - low).max())


def confidence(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """How well every person's keypoints are seen, 0–1 `[N]`: the mean score of those that are visible at all.

    Args:
        keypoints: `[N, 17, 3]`.
    """
    scores = keypoints[..., 2]
    visible = scores > VISIBLE
    seen: NDArray[np.float32] = (scores * visible).sum(axis=1) / np.maximum(visible.sum(axis=1), 1)
    return seen


def torso_angles(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far every torso is turned clockwise from upright, −π to π `[N]`; NaN where shoulders or hips are not visible.

    Args:
        keypoints: `[N, 17, 3]`.
    """
    points, visible = keypoints[..., :2], keypoints[..., 2] > VISIBLE
    up = points[:, _SHOULDERS].mean(axis=1) - points[:, _HIPS].mean(axis=1)
    angles = np.arctan2(up[:, 0], -up[:, 1])
    known = visible[:, _SHOULDERS + _HIPS].all(axis=1)
    return np.where(known, angles, np.float32(np.nan)).astype(np.float32)


def is_somebody(keypoints: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether crops show a person: bool `[N]`."""
    visible = keypoints[..., 2] > VISIBLE
    low, high = extents(keypoints)
    extent = (high - low).max(axis=1)
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    enough = visible.sum(axis=1) >= LEAST_VISIBLE
    return enough & (confidence(keypoints) >= LEAST_CONFIDENCE) & (extent >= LEAST_EXTENT * sides)


def extents(keypoints: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Least and greatest x, y of the visible keypoints of N people, px `[N, 2]` each; nobody visible: 0."""
    visible = (keypoints[..., 2] > VISIBLE)[..., None]
    low = np.where(visible, keypoints[..., :2], np.inf).min(axis=1)
    high = np.where(visible, keypoints[..., :2], -np.inf).max(axis=1)
    known = np.isfinite(low)
    return np.where(known, low, 0).astype(np.float32), np.where(known, high, 0).astype(np.float32)
