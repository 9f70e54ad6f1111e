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
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import KEYPOINT_COUNT
from pose.keypoints import Keypoint as K
from pose.poses import Poses

__all__ = ["KeypointFilter"]

VELOCITY_CUTOFF_HZ: Final = 1.0  # of the low-pass on the speed itself; the paper's value
HOLD_SECONDS: Final = 0.3
"""A keypoint out of sight for no longer is carried along with the others; after that the network's guess is taken."""
LEAST_TORSO: Final = 0.25
"""The torso counts for at least this share of the longest side of the box: towards the camera it looks shorter than it
is. Of an upright person it is 0.3."""


_TORSO: Final = np.array((K.LEFT_SHOULDER, K.RIGHT_SHOULDER, K.LEFT_HIP, K.RIGHT_HIP))
_HIPS_TO_SHOULDERS: Final = np.array((0.5, 0.5, -0.5, -0.5))

_PERSON: Final = np.dtype(
    [
        ("seconds", float),  # when last in a frame
        ("xy", float, (2, KEYPOINT_COUNT)),  # px, filtered; this way round, what is said of keypoints goes for x and y
        ("velocity", float, (2, KEYPOINT_COUNT)),  # px per second, filtered
        ("seen_seconds", float, KEYPOINT_COUNT),  # when each keypoint was last seen
        ("source", np.int8, KEYPOINT_COUNT),  # what `xy` follows: 2 what is seen, 1 what the network guesses, 0 nothing
    ],
    align=True,
)
"""What is remembered of one person; as an array of these, all people of a frame are read and written at once."""


class KeypointFilter:
    """Steadies the keypoints of the people of one source. Not thread-safe; use one per source.

    Args:
        min_cutoff_hz: cutoff frequency for a keypoint at rest; lower is steadier.
        beta: what is added to it per torso length per second; higher lags less.
        keypoint_threshold: keypoints from this score on are seen, 0–1.
    """

    def __init__(self, *, min_cutoff_hz: float = 1.0, beta: float = 0.7, keypoint_threshold: float = 0.5):
        self.min_cutoff_hz = min_cutoff_hz
        self.beta = beta
        self.keypoint_threshold = keypoint_threshold
        self._rows: dict[int, int] = {}  # by key
        self._people: NDArray[np.void] = np.zeros(0, _PERSON)

    def update(self, people: Sequence[int], poses: Poses, seconds: float) -> Poses:
        """The same people with steadied keypoints; boxes and all scores stay as they were found.

        Args:
            people: a key for everybody in `poses`; a new key starts afresh.
            poses: the people of the next frame. A NaN coordinate counts as not seen.
            seconds: its time on a clock that never goes back.
        """
        if not people:
            return poses
        raw = poses.keypoints[..., :2].transpose(2, 0, 1).astype(np.float64, order="C")  # [2, N, 17]
        finite = np.isfinite(raw[0] + raw[1])  # [N, 17]
        seen = (poses.keypoints[..., 2] >= self.keypoint_threshold) & finite
        rows = self._rows_of(people, seconds)
        known = self._people.take(rows)  # a copy, put back at the end
        # One plane per coordinate, `[2, N, 17]`, as steps on contiguous arrays cost half.
        xy, velocity = (known[name].swapaxes(0, 1).copy(order="C") for name in ("xy", "velocity"))
        elapsed = (seconds - known["seconds"])[:, None]  # [N, 1]
        hidden = (seconds - known["seen_seconds"] <= HOLD_SECONDS) & ~seen
        followed = seen | hidden
        source = followed.view(np.int8) + (followed | finite).view(np.int8)  # as in `_PERSON`
        fresh = source != known["source"]  # starts at rest where it is found
        np.copyto(xy, raw, where=fresh)
        np.copyto(velocity, 0.0, where=fresh)

        # Offsets point back, from where a keypoint is found to where it was: that is the sign of expm1.
        offset, turns = xy - raw, elapsed * (-2 * math.pi)
        change = velocity + offset / np.maximum(elapsed, 1e-9)
        change *= np.expm1(turns * VELOCITY_CUTOFF_HZ)
        some_hidden = np.count_nonzero(hidden) > 0
        if some_hidden:
            np.copyto(change, 0.0, where=hidden)
        velocity += change
        squared = velocity * velocity
        speed = np.sqrt(squared[0] + squared[1]) / self._torso(raw, poses.boxes, seen)  # [N, 17]
        step = np.expm1((self.min_cutoff_hz + self.beta * speed) * turns) * offset
        if some_hidden:
            led = seen & ~fresh  # those who say where the hidden ones have gone
            travelled = np.add.reduce(step, 2, where=led)  # [2, N]
            travelled /= np.maximum(np.add.reduce(led, 1), 1)
            np.copyto(step, travelled[..., None], where=hidden)
        xy += step

        known["seconds"], known["source"] = seconds, source
        known["xy"], known["velocity"] = xy.swapaxes(0, 1), velocity.swapaxes(0, 1)
        np.putmask(known["seen_seconds"], seen, seconds)
        self._people.put(rows, known)
        keypoints = poses.keypoints.copy()
        keypoints[..., :2] = xy.transpose(1, 2, 0)
        return Poses(keypoints, poses.boxes, poses.scores)

    def keep(self, people: Collection[int]) -> None:
        """Forget everybody who is not among `people`."""
        kept = [key for key in self._rows if key in people]
        if len(kept) < len(self._rows):
            self._people = self._people[[self._rows[key] for key in kept]]
            self._rows = {key: row for row, key in enumerate(kept)}

    def _rows_of(self, people: Sequence[int], seconds: float) -> list[int]:
        """Where everybody stands in `_people`; whoever is not there yet is added."""
        new = [key for key in people if key not in self._rows]
        if new:
            self._rows |= {key: len(self._people) + place for place, key in enumerate(new)}
            unknown = np.zeros(len(new), _PERSON)
            unknown["seconds"], unknown["seen_seconds"] = seconds, -math.inf
            self._people = np.concatenate((self._people, unknown))
        return [self._rows[key] for key in people]

    @staticmethod
    def _torso(xy: NDArray[np.float64], boxes: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Length of everybody's torso, px `[N, 1]`."""
        sides = np.subtract(boxes[:, 2:], boxes[:, :2], dtype=np.float64)
        torso = np.maximum(LEAST_TORSO * np.maximum(sides[:, 0], sides[:, 1]), 1.0)
        whole = np.logical_and.reduce(seen.take(_TORSO, axis=1), axis=1)
        x, y = np.vecdot(xy.take(_TORSO, axis=2), _HIPS_TO_SHOULDERS)
        return np.maximum(torso, np.hypot(x, y), where=whole, out=torso)[:, None]
