"""`PersonDetector`: where people are in a picture."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.detections import Detections
from pose.inference.nms import non_maximum_suppression
from pose.inference.runtimes.runtime import Runtime
from pose.inference.steps import Answer

__all__ = ["PersonDetector"]


class PersonDetector:
    """A detection network with its way from a picture and back. A call changes nothing; any thread may ask.

    Args:
        runtime: runs the network: uint8 `[1, S, S, 3]` BGR to boxes `[1, C, 4]` in pixels of that input and scores
            `[1, C]`.
        size: S, in pixels. The picture is stretched to a square of it.
        threshold: people below this score are left out, 0–1.
        iou_threshold: of two boxes that overlap more than this, the better one stays, 0–1.
        max_people: the largest so many stay.
        stage: called with a stage's name (`pre-process`, `nms`), gives a context in which it runs; for profiling.
    """

    def __init__(
        self,
        runtime: Runtime,
        size: int,
        *,
        threshold: float,
        iou_threshold: float,
        max_people: int,
        stage: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.runtime = runtime
        self.size = size
        self.threshold = threshold
        self.iou_threshold = iou_threshold
        self.max_people = max_people
        self._stage = stage

    def ask(self, bgr: NDArray[np.uint8]) -> Answer[Detections]:
        """Start looking for people.

        Args:
            bgr: uint8 `[H, W, 3]`.
        """
        height, width = bgr.shape[:2]
        x = np.empty((1, self.size, self.size, 3), np.uint8)
        with self._stage("pre-process"):
            cv2.resize(bgr, (self.size, self.size), dst=x[0], interpolation=cv2.INTER_CUBIC)
        scale = np.array([width, height, width, height], np.float32) / self.size

        def read(outputs: list[Any]) -> Detections:
            boxes, scores = outputs[0][0].reshape(-1, 4), outputs[0][1].ravel()
            likely = scores > self.threshold
            boxes, scores = boxes[likely] * scale, scores[likely]
            with self._stage("nms"):
                keep = non_maximum_suppression(boxes, scores, self.iou_threshold)
            return self._largest(Detections(boxes[keep], scores[keep]))

        return Answer((self.runtime.submit(x),), read)

    def _largest(self, found: Detections) -> Detections:
        """At most `max_people`, the best first."""
        if len(found) <= self.max_people:
            return found
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        largest = np.argsort(-sides.prod(axis=1), kind="stable")[: self.max_people]
        return found.select(np.sort(largest))
