"""`KeypointFilter`: keypoints that rest when the person rests and follow when the person moves.

The One-Euro filter (Casiez, Roussel, Vogel: "1€ Filter", CHI 2012): a low-pass whose cutoff frequency rises with the
speed of what it follows, so that trembling is taken out of what stands still and nothing lags that moves fast. Speed is
measured in torso lengths per second, so near and far people are treated alike, and time in seconds, so a result does
not change with the frame rate.

The defaults were chosen on clips with the shipped weights (`bench/steadiness.py` prints the figures): the trembling of
people who stand or sit falls to a quarter or less, and a squat or a run lags by 20–35 ms.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import Keypoint as K
from pose.poses import Poses

__all__ = ["KeypointFilter"]

VELOCITY_CUTOFF_HZ: Final = 1.0  # of the low-pass on the speed itself; the paper's value
HOLD_SECONDS: Final = 0.3
"""A keypoint out of sight for no longer is carried along with the others; after that the network's guess is taken."""
LEAST_TORSO: Final = 0.25
"""The torso counts for at least this share of the longest side of the box: towards the camera it looks shorter than it
is. Of an upright person it is 0.3."""


@dataclass(slots=True)
class _State:
    """What is remembered of one person."""

    seconds: float
    xy: NDArray[np.float64]  # [17, 2] px, filtered
    velocity: NDArray[np.float64]  # [17, 2] px per second, filtered
    seen_seconds: NDArray[np.float64]  # [17] when each keypoint was last seen
    guessed: NDArray[np.bool_]  # [17] whether `xy` follows what the network guesses rather than sees


class KeypointFilter:
    """Steadies the keypoints of the people of one source. Not thread-safe; use one per source.

    Args:
        resting_cutoff_hz: cutoff frequency for a keypoint at rest; lower is steadier.
        moving_cutoff_hz: what is added to it per torso length per second; higher lags less.
        keypoint_threshold: keypoints from this score on are seen, 0–1.
    """

    def __init__(
        self, *, resting_cutoff_hz: float = 1.0, moving_cutoff_hz: float = 0.7, keypoint_threshold: float = 0.5
    ):
        self.resting_cutoff_hz = resting_cutoff_hz
        self.moving_cutoff_hz = moving_cutoff_hz
        self.keypoint_threshold = keypoint_threshold
        self._people: dict[int, _State] = {}

    def update(self, people: Sequence[int], poses: Poses, seconds: float) -> Poses:
        """The same people with steadied keypoints; boxes and all scores stay as they were found.

        Args:
            people: a key for everybody in `poses`; a new key starts afresh.
            poses: the people of the next frame. A NaN coordinate counts as not seen.
            seconds: its time on a clock that never goes back.
        """
        if not people:
            return poses
        raw = poses.keypoints[..., :2].astype(np.float64)  # [N, 17, 2]
        seen = (poses.keypoints[..., 2] >= self.keypoint_threshold) & np.isfinite(raw).all(-1)  # [N, 17]
        states = [self._people.get(key) or _unknown(seconds) for key in people]
        past = np.stack([state.xy for state in states])
        velocity = np.stack([state.velocity for state in states])
        seen_seconds = np.stack([state.seen_seconds for state in states])
        guessed = np.stack([state.guessed for state in states])
        elapsed = seconds - np.array([state.seconds for state in states])[:, None, None]  # [N, 1, 1]

        hidden = ~seen & ~guessed & (seconds - seen_seconds <= HOLD_SECONDS)
        fresh = ~hidden & ((guessed == seen) | ~np.isfinite(past).all(-1))
        moving = (elapsed > 0) & ~fresh[..., None]
        step = np.where(moving, raw - past, 0.0) / np.maximum(elapsed, 1e-9)
        velocity = np.where(
            hidden[..., None], velocity, velocity + _weight(VELOCITY_CUTOFF_HZ, elapsed) * (step - velocity)
        )
        velocity = np.where(fresh[..., None], 0.0, velocity)
        speed = np.linalg.norm(velocity, axis=-1, keepdims=True) / self._torso(poses, seen)[:, None, None]
        weight = _weight(self.resting_cutoff_hz + self.moving_cutoff_hz * speed, elapsed)
        xy = np.where(fresh[..., None], raw, past + weight * (raw - past))
        led = seen & ~fresh  # those who say where the hidden ones have gone
        travelled = np.where(led[..., None], xy - past, 0.0).sum(1) / np.maximum(led.sum(1), 1)[:, None]  # [N, 2]
        xy = np.where(hidden[..., None], past + travelled[:, None], xy)

        seen_seconds = np.where(seen, seconds, seen_seconds)
        guessed = np.where(hidden, guessed, ~seen)
        for row, key in enumerate(people):
            self._people[key] = _State(seconds, xy[row], velocity[row], seen_seconds[row], guessed[row])
        keypoints = np.concatenate([xy.astype(np.float32), poses.keypoints[..., 2:]], axis=-1)
        return Poses(keypoints, poses.boxes, poses.scores)

    def keep(self, people: Collection[int]) -> None:
        """Forget everybody who is not among `people`."""
        for key in self._people.keys() - set(people):
            del self._people[key]

    @staticmethod
    def _torso(poses: Poses, seen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Length of everybody's torso, px `[N]`."""
        ends = poses.keypoints[:, (K.LEFT_SHOULDER, K.RIGHT_SHOULDER, K.LEFT_HIP, K.RIGHT_HIP)]
        ends = ends[..., :2].astype(np.float64)
        whole = seen[:, (K.LEFT_SHOULDER, K.RIGHT_SHOULDER, K.LEFT_HIP, K.RIGHT_HIP)].all(1)
        torso = np.linalg.norm(ends[:, :2].mean(1) - ends[:, 2:].mean(1), axis=-1)
        side = (poses.boxes[:, 2:] - poses.boxes[:, :2]).max(axis=1)
        return np.maximum(np.where(whole, torso, 0.0), np.maximum(LEAST_TORSO * side, 1.0))


def _unknown(seconds: float) -> _State:
    nowhere = np.full((len(K), 2), np.nan)
    return _State(seconds, nowhere, np.zeros((len(K), 2)), np.full(len(K), -math.inf), np.ones(len(K), bool))


def _weight(cutoff_hz: float | NDArray[np.float64], elapsed: NDArray[np.float64]) -> NDArray[np.float64]:
    # The paper's 1 / (1 + tau / dt) is the first order of this one, and differs where frames are far apart.
    return -np.expm1(-2 * math.pi * cutoff_hz * elapsed)
