"""A made world for the pose finder: a detector and a keypoint network that look at people whose places are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from pose.detections import Detections
from pose.inference.steps import Answer
from pose.top_down import TopDown
from tests.worlds import poses

PICTURE = np.zeros((480, 640, 3), np.uint8)


class World(TopDown):
    """Shows the people that are put into it.

    Attributes:
        people: keypoints `[17, 3]` each.
        unseen: people that the detector misses, by their place in `people`.
        score: the detector's.
        ghosts: boxes that the detector takes for people.
        ghost_score: its score of those.
        looks: how many crops were looked at, detection by detection and frame by frame.
        detections: how often the detector ran.
    """

    def __init__(self, *people, max_people=20):
        self.people = list(people)
        self.unseen = set()
        self.score = 0.9
        self.ghosts = []
        self.ghost_score = 0.5
        self.looks = self.detections = 0
        self.angles = []
        super().__init__(SimpleNamespace(ask=self._detect, max_people=max_people), SimpleNamespace(ask=self._look))

    def _detect(self, bgr, *, turned=False):
        self.detections += 1
        seen = [one for place, one in enumerate(self.people) if place not in self.unseen]
        boxes = np.concatenate([poses(*seen).boxes, np.array(self.ghosts, np.float32).reshape(-1, 4)])
        scores = np.array([self.score] * len(seen) + [self.ghost_score] * len(self.ghosts), np.float32)
        return Answer((), lambda _: Detections.upright(boxes, scores))

    def _look(self, bgr, boxes, angles=None, expected=None, *, thorough=False):
        self.looks += len(boxes)
        self.angles += [] if angles is None else list(angles)
        found = np.stack([self._in(box) for box in boxes]) if len(boxes) else np.zeros((0, 17, 3), np.float32)
        return Answer((), lambda _: found.copy())

    def _in(self, box):
        """Whoever is nearest to the middle of the crop, if the crop holds that middle at all."""
        middle = (box[:2] + box[2:]) / 2
        nearest, away = None, np.inf
        for one in self.people:
            centre = (one[:, :2].min(0) + one[:, :2].max(0)) / 2
            distance = np.abs((centre - middle) / (box[2:] - box[:2]).max()).max()
            if distance < min(away, 0.6):
                nearest, away = one, distance
        if nearest is None:  # a network always says something
            return np.concatenate((np.tile(middle, (17, 1)), np.full((17, 1), 0.08)), 1).astype(np.float32)
        return nearest.astype(np.float32)
