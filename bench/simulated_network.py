"""A detector and a keypoint network that look at a made world (`bench/crowd.py`) in place of pictures.

The detector misses people and sees ghosts and doubles, as the world has it. The keypoint network looks at whoever fills
a crop best; now and then it slips to a neighbour who is in the crop too, or sees nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.crowd import NOBODY, Moment, Truth, found_at
from pose.boxes import iou
from pose.detections import Detections
from pose.evaluation.oks import oks
from pose.inference.steps import Answer
from pose.keypoints import KEYPOINT_COUNT
from pose.poses import Poses
from pose.top_down import TopDown

__all__ = ["Simulation", "owners_of", "visible"]

LEAST_SEEN: Final = 0.3  # share of the keypoints in sight, of somebody who can be seen in a crop
IN_THE_CROP: Final = 0.2  # IoU of a person with a crop, from which on it shows the person
THEIRS: Final = 0.5  # OKS of keypoints with the person whose they are


class Simulation:
    """The two networks of one made video. Set `moment` before every frame.

    Args:
        slip: share of crops that show a neighbour, of those with a neighbour in them, 0–1.
        lose: share of crops that show nobody, 0–1.
        seed: of the noise.
        max_people: see `PersonDetector`.

    Attributes:
        moment: what there is to see now.
        network: to be given to `PoseFinder`.
        crops: how many crops were looked at so far.
    """

    def __init__(self, *, slip: float = 0.0, lose: float = 0.0, seed: int = 0, max_people: int = 30) -> None:
        self.moment: Moment
        self.crops = 0
        self.max_people = max_people
        self._slip, self._lose = slip, lose
        self._rng = np.random.default_rng([seed, 7])
        self.network = TopDown(_Detector(self), _Keypoints(self))  # type: ignore[arg-type]

    def look(self, boxes: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """The keypoints `[N, 17, 3]` that crops show."""
        self.crops += len(boxes)
        truth, rng = self.moment.truth, self._rng
        seen = np.flatnonzero(visible(truth))
        overlap = iou(boxes, _boxes_of(truth)[seen])
        keypoints = np.zeros((len(boxes), KEYPOINT_COUNT, 3), np.float32)
        for row, (box, own) in enumerate(zip(boxes, overlap, strict=True)):
            there = [place for place in np.argsort(-own) if own[place] > IN_THE_CROP]
            slips, loses = rng.random() < self._slip, rng.random() < self._lose
            if not there or loses:
                keypoints[row] = _nobody(box, rng)
                continue
            owner = seen[there[1] if slips and len(there) > 1 else there[0]]
            keypoints[row], _ = found_at(truth.bodies[owner], truth.hidden[owner], rng)
        return keypoints


class _Detector:
    def __init__(self, simulation: Simulation) -> None:
        self.max_people = simulation.max_people
        self._simulation = simulation

    def ask(self, _: object, *, turned: bool = False) -> Answer[Detections]:
        poses = self._simulation.moment.poses
        return Answer((), lambda _: Detections.upright(poses.boxes, poses.scores))


class _Keypoints:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def ask(
        self,
        _: object,
        boxes: NDArray[np.float32],
        __: object = None,
        ___: object = None,
        *,
        thorough: bool = False,
    ) -> Answer[NDArray[np.float32]]:
        keypoints = self._simulation.look(boxes)
        return Answer((), lambda _: keypoints)


def owners_of(poses: Poses, truth: Truth) -> NDArray[np.int64]:
    """Whose keypoints these are, `[N]`; `NOBODY` for a ghost and for whoever was found a second time."""
    owners = np.full(len(poses), NOBODY)
    labelled = np.concatenate((truth.bodies, (~truth.hidden[..., None]).astype(float)), axis=2)
    areas = np.ptp(truth.bodies, axis=1).clip(1).prod(axis=1)
    values = np.nan_to_num(oks(poses.keypoints, labelled, areas))
    for person, owner in _best_first(values):
        if values[person, owner] < THEIRS:
            break
        if owners[person] == NOBODY and owner not in owners:
            owners[person] = owner
    return owners


def visible(truth: Truth) -> NDArray[np.bool_]:
    """Who can be seen, `[P]`."""
    seen: NDArray[np.bool_] = (~truth.hidden).mean(axis=1) >= LEAST_SEEN
    return seen


def _best_first(values: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    for place in np.argsort(-values, axis=None):
        person, owner = divmod(int(place), values.shape[1])
        yield person, owner


def _boxes_of(truth: Truth) -> NDArray[np.float64]:
    low, high = truth.bodies.min(axis=1), truth.bodies.max(axis=1)
    margin = 0.06 * (high - low)[:, 1:]
    return np.concatenate((low - margin, high + margin), axis=1)


def _nobody(box: NDArray[np.floating[Any]], rng: np.random.Generator) -> NDArray[np.float64]:
    """What the network makes of a crop without a person: peaks anywhere, hardly any of them sure."""
    places = box[:2] + rng.random((KEYPOINT_COUNT, 2)) * (box[2:] - box[:2])
    return np.concatenate((places, rng.normal(0.22, 0.1, (KEYPOINT_COUNT, 1)).clip(0, 1)), axis=1)
