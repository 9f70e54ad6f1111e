"""`TopDown`: a person detector, then a keypoint network on everybody's crop."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.detections import Detections
from pose.detector import PersonDetector
from pose.inference.steps import Steps
from pose.keypoint_finder import KeypointFinder, confidence, torso_angles
from pose.poses import Poses

__all__ = ["TURNED_RADIANS", "TopDown"]

TURNED_RADIANS: Final = np.pi / 4
"""Torsos turned further than this are looked at in a crop that is turned with them: the keypoint network knows upright
people best."""

POOR: Final = 0.45  # confidence in keypoints below which it is worth to look at somebody on both sides
SURELY_SOMEBODY: Final = 0.5  # the detector's score that makes those looks worth their time
LEAST_GAIN: Final = 0.15  # more confidence that this must bring: the surest of several looks is sure by chance, too


class TopDown:
    """Finds people in single pictures, and gives video its two halves one by one (see `stream.people.pose_finder`).

    A call changes nothing; any thread may ask.

    Attributes:
        detector: where people are.
        keypoints: their keypoints.
        where: the device.
    """

    def __init__(self, detector: PersonDetector, keypoints: KeypointFinder, where: str = "cpu") -> None:
        self.detector = detector
        self.keypoints = keypoints
        self.where = where

    @property
    def precision(self) -> str:
        """`fp32`, `bf16` or `fp16`."""
        return self.keypoints.runtime.precision

    @property
    def image_sizes(self) -> tuple[int, ...]:
        """Of the detector's input, px."""
        return (self.detector.size,)

    @property
    def concurrency(self) -> int:
        """How many calls at once use the device best."""
        return self.keypoints.runtime.concurrency

    def find(self, bgr: NDArray[np.uint8]) -> Steps[Poses]:
        """The people of a picture, best score first. Their score is the detector's times their keypoints'."""
        asked = self.detector.ask(bgr, turned=True)
        yield asked.futures
        found = asked.result()
        keypoints = yield from self.look(bgr, found, thorough=True)
        scores = found.scores * confidence(keypoints)
        order = np.argsort(-scores, kind="stable")
        return Poses(keypoints[order], found.boxes[order], scores[order])

    def look(self, bgr: NDArray[np.uint8], found: Detections, *, thorough: bool = False) -> Steps[NDArray[np.float32]]:
        """The keypoints `[N, 17, 3]` of people of whom nothing is known but what the detector says.

        Whoever turns out to be turned otherwise is looked at once more, upright; and on both sides, whoever shows too
        little to tell. `thorough`: see `KeypointFinder.ask`.
        """
        asked = self.keypoints.ask(bgr, found.boxes, found.angles, thorough=thorough)
        yield asked.futures
        keypoints = asked.result()
        angles = torso_angles(keypoints)
        off = np.abs((angles - found.angles + np.pi) % (2 * np.pi) - np.pi)
        turned = np.flatnonzero(off > TURNED_RADIANS)  # NaN is not
        poor = np.flatnonzero((confidence(keypoints) < POOR) & (found.scores >= SURELY_SOMEBODY))
        if not len(turned) and not len(poor):
            return keypoints
        aside = found.angles[poor] + np.float32(np.pi / 2)
        sides = found.boxes[np.concatenate((poor, poor))]
        upright = self.keypoints.ask(bgr, found.boxes[turned], angles[turned], keypoints[turned], thorough=thorough)
        both = self.keypoints.ask(bgr, sides, np.concatenate((aside, aside - np.float32(np.pi))), thorough=thorough)
        yield (*upright.futures, *both.futures)
        looks = [*zip(turned.tolist(), upright.result(), strict=True)]
        looks += zip([*poor.tolist(), *poor.tolist()], both.result(), strict=True)
        for number, (row, better) in enumerate(looks):
            gain = confidence(better[None])[0] - confidence(keypoints[row : row + 1])[0]
            if gain > (0.0 if number < len(turned) else LEAST_GAIN):
                keypoints[row] = better
        return keypoints

    def close(self) -> None:
        """End the networks' threads. Twice does no harm."""
        for runtime in (self.detector.runtime, *self.keypoints.runtimes):
            runtime.close()
