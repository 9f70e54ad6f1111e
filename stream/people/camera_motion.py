"""`CameraMotion`: how the camera moved from one frame to the next, told from the background.

Corners outside people's boxes are followed by optical flow (Lucas and Kanade, 1981; pyramids by Bouguet, 2001) in a
small picture; the movement that most of them share, found by RANSAC, is the camera's: panning, tilting, rolling and
zooming. A camera that stands still gives exactly that, so nothing drifts there.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["CameraMotion"]

SIDE_PX: Final = 160  # longer side of the small picture: a few thousand pixels say enough, in a millisecond
CORNERS: Final = 60
QUALITY: Final = 0.02  # of a corner, of the best one
APART_PX: Final = 5
LEAST_CORNERS: Final = 8  # fewer may all lie on one thing that moves
STILL_PX: Final = 0.15  # in the small picture: optical flow is no more exact
MOST: Final = 0.5  # of the corners agree
MARGIN_PX: Final = 2  # round a box


class CameraMotion:
    """Compares frames of a source, each with the one that was given before. Not thread-safe; use one per source."""

    def __init__(self) -> None:
        self._before: NDArray[np.uint8] | None = None

    def update(self, bgr: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Where the background went since the frame given before: float64 `[2, 3]`, which times (x, y, 1) of a point
        of the background in that frame, px, gives its place in this one. None if it kept still or nothing can be
        said: with too few corners, or when they do not agree, as after a cut.

        Args:
            bgr: `[H, W, 3]` uint8.
            boxes: `[N, 4]`: of the people in this frame, x1, y1, x2, y2 px; corners in there are not followed.
        """
        height, width = bgr.shape[:2]
        share = min(1.0, SIDE_PX / max(height, width))
        size = max(1, round(width * share)), max(1, round(height * share))
        step = max(1, int(0.5 / share))  # of the pixels every second or third will do for the average over an area
        green = np.ascontiguousarray(bgr[::step, ::step, 1])
        small = np.asarray(cv2.resize(green, size, interpolation=cv2.INTER_AREA), np.uint8)
        before, self._before = self._before, small
        if before is None or before.shape != small.shape:
            return None
        background = np.full(small.shape, 255, np.uint8)
        for x1, y1, x2, y2 in (boxes * share).astype(int).tolist():
            top, left = max(0, y1 - MARGIN_PX), max(0, x1 - MARGIN_PX)
            background[top : max(0, y2 + MARGIN_PX + 1), left : max(0, x2 + MARGIN_PX + 1)] = 0
        corners = cv2.goodFeaturesToTrack(before, CORNERS, QUALITY, APART_PX, mask=background)
        if corners is None or len(corners) < LEAST_CORNERS:
            return None
        places, found, _ = cv2.calcOpticalFlowPyrLK(
            before, small, corners, np.empty_like(corners), winSize=(11, 11), maxLevel=2
        )
        followed = found.ravel() == 1
        start, end = corners.reshape(-1, 2)[followed], places.reshape(-1, 2)[followed]
        if len(start) < LEAST_CORNERS or (np.hypot(*(end - start).T) < STILL_PX).mean() >= MOST:
            return None
        matrix, agree = cv2.estimateAffinePartial2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=0.5)
        if matrix is None or agree.mean() < MOST:
            return None
        motion = np.array(matrix, np.float64)
        motion[:, 2] /= share
        return motion
