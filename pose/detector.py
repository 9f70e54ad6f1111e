"""`PersonDetector`: where people are in a picture.

A detector knows upright people: of COCO turned by 90° it finds a third. So it may be asked to look at the picture lying
on its left and on its right side as well. What the three views say is put together:

- One view shows the picture upright: mostly the picture as it is, unless a turned one shows clearly more people, as
  when a camera lies on its side. Its detections count in full.
- Whom another view shows must be seen more surely, to be somebody who lies in an upright picture, and not a chair; and
  of two boxes of different views that overlap the better one stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pose.boxes import iou
from pose.crowded import say_crowded
from pose.detections import Detections
from pose.inference.nms import non_maximum_suppression
from pose.inference.runtimes.runtime import Runtime
from pose.inference.steps import Answer

__all__ = ["PersonDetector"]

VIEWS: Final = (None, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_90_CLOCKWISE)
"""How the picture is turned for each view."""

ANGLES: Final = (0.0, np.pi / 2, -np.pi / 2)
"""How far, in each view, upright people are turned clockwise in the picture itself, radians."""

# Chosen on held-out pictures of COCO val2017 and the same turned by 90°, with the start weights: AP 0.587 for the
# pictures as they are, with the other views or without, and 0.41 instead of 0.13 for the turned ones. With more trust
# in turned views (0.1, 0.5) it is 0.57 and 0.45.
COUNTED: Final = 5  # so many people, the surest, speak for a view
DOUBT: Final = 0.7  # what they count for in a turned one
DISCOUNT: Final = 0.2  # of scores in views that are not the upright one
LEAST_TURNED: Final = 0.6  # what is left of them must be above this
OVERLAP: Final = 0.3  # IoU of two boxes of different views that are one person


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

    def ask(self, bgr: NDArray[np.uint8], *, turned: bool = False) -> Answer[Detections]:
        """Start looking for people.

        Args:
            bgr: uint8 `[H, W, 3]`.
            turned: look at the picture on its sides, too, for people who lie.
        """
        height, width = bgr.shape[:2]
        scale = np.array([width, height, width, height], np.float32) / self.size
        square = np.empty((self.size, self.size, 3), np.uint8)
        with self._stage("pre-process"):
            cv2.resize(bgr, (self.size, self.size), dst=square, interpolation=cv2.INTER_CUBIC)
            views = [square if way is None else cv2.rotate(square, way) for way in VIEWS[: 3 if turned else 1]]

        def read(outputs: list[Any]) -> Detections:
            found = [self._of_view(view, *output) for view, output in enumerate(outputs)]
            people = found[0] if len(found) == 1 else _together(found)
            boxes = (people.boxes * scale).astype(np.float32)
            with self._stage("nms"):
                keep = non_maximum_suppression(boxes, people.scores, self.iou_threshold)
            return self._largest(Detections(boxes[keep], people.scores[keep], people.angles[keep]))

        return Answer(tuple(self.runtime.submit(view[None].astype(np.uint8, copy=False)) for view in views), read)

    def _of_view(self, view: int, boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> Detections:
        """What one view shows above the threshold, in pixels of the square as it stands."""
        boxes, scores = boxes.reshape(-1, 4), scores.ravel()
        likely = scores > self.threshold
        x1, y1, x2, y2 = boxes[likely].T
        side = np.float32(self.size)
        if view == 1:
            x1, y1, x2, y2 = side - y2, x1, side - y1, x2
        elif view == 2:
            x1, y1, x2, y2 = y1, side - x2, y2, side - x1
        angles = np.full(len(x1), ANGLES[view], np.float32)
        return Detections(np.stack((x1, y1, x2, y2), 1), scores[likely], angles)

    def _largest(self, found: Detections) -> Detections:
        """At most `max_people`, the best first."""
        if len(found) <= self.max_people:
            return found
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        largest = np.argsort(-sides.prod(axis=1), kind="stable")
        say_crowded(found.scores[largest[self.max_people :]], self.max_people)
        return found.select(np.sort(largest[: self.max_people]))


def _together(views: Sequence[Detections]) -> Detections:
    """What several views show, with scores as they count."""
    evidence = [float(np.sort(found.scores)[-COUNTED:].sum()) for found in views]
    upright = int(np.argmax([evidence[0], *(DOUBT * of_turned for of_turned in evidence[1:])]))
    kept = []
    for view, found in enumerate(views):
        if view != upright:
            sure = found.scores - DISCOUNT > LEAST_TURNED
            found = Detections(found.boxes[sure], found.scores[sure] - DISCOUNT, found.angles[sure])
        kept.append(found)
    people = Detections(
        np.concatenate([found.boxes for found in kept]),
        np.concatenate([found.scores for found in kept]),
        np.concatenate([found.angles for found in kept]),
    )
    other = people.angles[:, None] != people.angles
    worse = (
        other & (people.scores[:, None] < people.scores) & (iou(people.boxes, people.boxes) > OVERLAP)
    )  # the better one's column
    return people.select(np.flatnonzero(~worse.any(axis=1)))
