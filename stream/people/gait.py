"""`Gait`: whether people stand, walk or run, told from how they move over about a step.

A single picture hardly tells a step from a stand, nor a walk from a jog: of 186 pictures of walkers 97 look more like
people who stand or run. Three things do. They count body heights and media time, so that near and far people and all
frame rates are alike:

- *swing*: how fast the ankles move against each other. Neither camera motion nor squatting changes it. It is taken over
  pairs of frames about 0.17 s apart, without regard to which ankle is which, as a network mixes them up in side views;
- *travel*: how fast the torso moves across the background, whatever the camera does (`CameraMotion`);
- *shank*: how far a shin folds up. When a foot swings forward, a walker's knee bends by 60 degrees, a jogger's by 90
  and more (Novacheck, 1998), with the thigh 10 to 20 degrees forward: the shin is 45 degrees from upright, or all but
  level. As its height in the picture counts, by that of the other, more upright shin, the view does not matter, and a
  camera that looks down little.

What swing and travel should be follows from speed and from the angle between the way and the line of sight, which
nobody knows, so the likelihood is averaged over both. The change from walking to running is at about 2 m/s, 1.1 body
heights per second (Hreljac, 1995). In both, ankles get apart by about a step, so swing goes with travel where the view
is from the side; of those who come along the line of sight only the lifting of the feet is seen. The keypoint filter
flattens the swing of fast ankles, so its spread is wide. The camera may follow a person before a plain wall, and
keypoints may jump: everything may also be anything.

Cadence by itself tells less: in a second there are two steps of a walk and three of a run, and a trot has two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import fmean, median
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose.keypoints import Keypoint as K

__all__ = ["GAITS", "Gait", "Motion", "gait_likelihoods"]

GAITS: Final = ("standing", "walking", "running")
"""The labels that gait tells apart, in the order of its likelihoods."""

WINDOW_SECONDS: Final = 0.5  # a step of a walk; what was before is over
LEAST_SAMPLES: Final = 4  # or so many frames, of a slow camera
LEAST_SECONDS: Final = 0.4  # before that nothing is said: a step of a quick walk, of 2.5 a second
SAMPLE_SECONDS: Final = 0.06  # between frames that are looked at; twice the pause of 30 frames per second
LAG_SECONDS: Final = 0.17
LAGS_SECONDS: Final = (0.12, 0.34)  # between the frames of a pair: 3 frames per second are enough
LEAST_PAIRS: Final = 3
SEEN: Final = 0.3  # score of the ankles and of the torso that a sample needs
FASTEST: Final = 4.0  # body heights per second; whoever is faster was cut to
TORSO_SHARE: Final = 0.29  # shoulders to hips, of the body height (Winter, 2009)
BODY_SHARE: Final = 0.78  # shoulders to hips and on to an ankle

_TORSO: Final = (K.LEFT_SHOULDER, K.RIGHT_SHOULDER, K.LEFT_HIP, K.RIGHT_HIP)
_KNEES: Final = (K.LEFT_KNEE, K.RIGHT_KNEE)
_ANKLES: Final = (K.LEFT_ANKLE, K.RIGHT_ANKLE)


@dataclass(frozen=True, slots=True)
class Motion:
    """How somebody moved in the last second.

    Attributes:
        swing: of the ankles against each other, body heights per second; NaN where they were not seen.
        travel: of the torso across the background, body heights per second.
        shank: height in the picture of the more folded shin, the lower quartile over the window, as a share of the
            other's: 1 where both are upright, 0 where it is level, below where the foot is above the knee; NaN where
            shins were not seen.
    """

    swing: float
    travel: float
    shank: float = math.nan


@dataclass(frozen=True, slots=True)
class _Sample:
    seconds: float
    x: float  # of the torso, px
    y: float
    height: float  # of the body, px
    apart: tuple[float, float] | None  # from ankle to ankle, px; None where one was not seen
    swing: float | None  # with an earlier sample, px per second
    shins: tuple[float, float] | None  # from knee down to ankle, px: the lesser and the larger; None where not seen

    def carried(self, camera: NDArray[np.float64]) -> _Sample:
        """The same with its place where it would be in the picture of a later frame."""
        x, y = (camera @ (self.x, self.y, 1.0)).tolist()
        return replace(self, x=x, y=y)


@dataclass(slots=True)
class _Memory:
    samples: list[_Sample] = field(default_factory=list)
    motion: Motion | None = None


class Gait:
    """Watches the people of one source move. Not thread-safe; use one per source.

    Args:
        gap_seconds: whoever was out of sight for longer is watched anew.
    """

    def __init__(self, *, gap_seconds: float = 0.4) -> None:
        self._gap_seconds = gap_seconds
        self._seconds = -math.inf
        self._people: dict[int, _Memory] = {}

    def due(self, seconds: float) -> bool:
        """Whether a frame of this time is looked at; frames that come faster say the same as the one before."""
        return seconds - self._seconds >= SAMPLE_SECONDS

    def update(
        self,
        keys: Sequence[int],
        keypoints: NDArray[np.float32],
        seconds: float,
        camera: NDArray[np.float64] | None = None,
    ) -> list[Motion | None]:
        """How the people of one more frame move; None for those who were not watched for long enough.

        Args:
            keys: the tracker's, one per person.
            keypoints: `[N, 17, 3]`: x, y in px and score.
            seconds: the frame's time on a clock that never goes back.
            camera: `[2, 3]`: how the background moved since the last frame that was due, see `CameraMotion`; None
                where it kept still.
        """
        if not self.due(seconds):
            return [self._people[key].motion if key in self._people else None for key in keys]
        self._seconds = seconds
        if camera is not None:
            for memory in self._people.values():
                memory.samples = [sample.carried(camera) for sample in memory.samples]
        torso = keypoints[:, _TORSO]  # [N, 4, 3]
        shoulders, hips = torso[:, :2, :2].mean(axis=1), torso[:, 2:, :2].mean(axis=1)
        ankles = keypoints[:, _ANKLES, :2]
        long = np.linalg.norm(shoulders - hips, axis=1)
        legs = np.linalg.norm(ankles - hips[:, None], axis=2).max(axis=1, initial=0.0)
        seen = keypoints[:, _ANKLES, 2].min(axis=1, initial=1.0) >= SEEN
        heights = np.maximum(long / TORSO_SHARE, np.where(seen, (long + legs) / BODY_SHARE, 0.0)).tolist()
        apart = (ankles[:, 0] - ankles[:, 1]).tolist()
        shins = np.sort(ankles[..., 1] - keypoints[:, _KNEES, 1], axis=1).tolist()
        bent = (seen & (keypoints[:, _KNEES, 2].min(axis=1, initial=1.0) >= SEEN)).tolist()
        places = ((shoulders + hips) / 2).tolist()
        told = torso[..., 2].min(axis=1, initial=1.0) >= SEEN
        people: dict[int, _Memory] = {}
        for row, key in enumerate(keys):
            memory = people[key] = self._people.get(key) or _Memory()
            if told[row] and heights[row] > 0:
                self._watch(
                    memory,
                    seconds,
                    places[row],
                    heights[row],
                    tuple(apart[row]) if seen[row] else None,
                    tuple(shins[row]) if bent[row] else None,
                )
            elif memory.samples and seconds - memory.samples[-1].seconds > self._gap_seconds:
                people[key] = _Memory()
        for key, memory in self._people.items():  # out of sight, perhaps for a moment only
            if key not in people and memory.samples and seconds - memory.samples[-1].seconds <= self._gap_seconds:
                people[key] = memory
        self._people = people
        return [people[key].motion for key in keys]

    def _watch(
        self,
        memory: _Memory,
        seconds: float,
        place: Sequence[float],
        height: float,
        apart: tuple[float, float] | None,
        shins: tuple[float, float] | None,
    ) -> None:
        samples = memory.samples
        if samples:
            last = samples[-1]
            elapsed = seconds - last.seconds
            moved = math.dist(place, (last.x, last.y))
            if elapsed > self._gap_seconds or moved > FASTEST * height * max(elapsed, SAMPLE_SECONDS):
                samples.clear()
                memory.motion = None
        swing = None if apart is None else _swing(samples, seconds, apart)
        samples.append(_Sample(seconds, place[0], place[1], height, apart, swing, shins))
        while len(samples) > LEAST_SAMPLES and samples[0].seconds < seconds - WINDOW_SECONDS:
            samples.pop(0)
        memory.motion = _motion(samples)


def _swing(samples: Sequence[_Sample], seconds: float, apart: tuple[float, float]) -> float | None:
    """How fast the way from ankle to ankle changes, px per second, since the sample that is nearest to `LAG_SECONDS`
    ago; None where there is none. Without regard to which ankle is which."""
    best, partner = math.inf, None
    for sample in reversed(samples):
        lag = seconds - sample.seconds
        if lag > LAGS_SECONDS[1]:
            break
        if lag >= LAGS_SECONDS[0] and sample.apart is not None and abs(lag - LAG_SECONDS) < best:
            best, partner = abs(lag - LAG_SECONDS), sample
    if partner is None or partner.apart is None:
        return None
    (x, y), (old_x, old_y) = apart, partner.apart
    return min(math.hypot(x - old_x, y - old_y), math.hypot(x + old_x, y + old_y)) / (seconds - partner.seconds)


def _motion(samples: Sequence[_Sample]) -> Motion | None:
    if samples[-1].seconds - samples[0].seconds < LEAST_SECONDS:
        return None
    height = median(sample.height for sample in samples)
    begin = samples[-1].seconds - WINDOW_SECONDS + LAG_SECONDS  # pairs of which both are in the window, or the last few
    pairs = [(sample.seconds, sample.swing) for sample in samples if sample.swing is not None]
    late = sum(since >= begin for since, _ in pairs)
    swings = [swing for _, swing in pairs[-max(late, LEAST_PAIRS) :]]
    swing = fmean(swings) / height if len(swings) >= LEAST_PAIRS else math.nan
    middle = sum(sample.seconds for sample in samples) / len(samples)
    since = [sample.seconds - middle for sample in samples]
    x = sum(time * sample.x for time, sample in zip(since, samples, strict=True))
    y = sum(time * sample.y for time, sample in zip(since, samples, strict=True))
    travel = math.hypot(x, y) / sum(time * time for time in since) / height  # the slope of least squares
    return Motion(swing, travel, _shank(samples))


def _shank(samples: Sequence[_Sample]) -> float:
    """The lower quartile of the lesser shin over the median of the larger; see `Motion`."""
    shins = [sample.shins for sample in samples if sample.shins is not None]
    if len(shins) < LEAST_PAIRS:
        return math.nan
    lesser = sorted(shin for shin, _ in shins)
    upright = median(shin for _, shin in shins)
    return lesser[len(lesser) // 4] / upright if upright > 0 else math.nan


_Grid: TypeAlias = NDArray[np.float64]

_ANGLES: Final = (np.arange(8) + 0.5) * (math.pi / 16)  # between way and line of sight, 0 to a right angle
_SPEEDS: Final = {"walking": (0.4, 0.6, 0.8, 1.0), "running": (1.0, 1.4, 1.8, 2.2)}
_SWING_OF_TRAVEL: Final = 1.5  # from the side
_LIFT_OF_SPEED: Final = 0.45  # what is seen of the feet from the front
_REST_SWING: Final = 0.07  # trembling keypoints, shifting one's weight
_SWING_SPREAD: Final = {"standing": 0.9, "walking": 0.45, "running": 0.45}  # of its logarithm
_LEAST_SWING: Final = 0.02  # below it is only noise
_REST_TRAVEL: Final = 0.07  # leaning, and noise
_TRAVEL_SPREAD: Final = 0.12  # of the speed
_FOLLOWED_TRAVEL: Final = 0.25  # of people whom the camera follows, or who are on a treadmill: half of the cases
_ANY: Final = 3.0  # body heights per second: up to this any speed is possible, however one moves,
_ANY_TRAVEL: Final = 0.1  # with this probability: the camera pans, and nothing behind tells
_ANY_SWING: Final = 0.05  # keypoints jump
_SHANK: Final = {"standing": (0.92, 0.1), "walking": (0.72, 0.12), "running": (0.35, 0.2)}
"""Mean and spread. Of one picture each, taken at any phase of a step, the lower quartile in the starter database is
0.91, 0.69 and 0.18 (438, 89 and 255 people; its runners race, a jogger's shins stay lower, by 0.45)."""
_ANY_SHANK: Final = 0.1  # keypoints jump
_SHANKS: Final = (-0.5, 1.0)  # beyond, it says nothing more


def _expected(gait: str) -> tuple[_Grid, _Grid, _Grid]:
    """Travel, its standard deviation, and swing of the cases of a gait, which are equally likely: `[C]` each."""
    if gait not in _SPEEDS:
        return np.zeros(1), np.array([_REST_TRAVEL]), np.array([_REST_SWING])
    speed, angle = (grid.ravel() for grid in np.meshgrid(_SPEEDS[gait], _ANGLES))
    travel, spread = speed * np.sin(angle), _REST_TRAVEL + _TRAVEL_SPREAD * speed
    swing = np.hypot(_SWING_OF_TRAVEL * travel, _LIFT_OF_SPEED * speed)
    still = np.zeros_like(travel)
    return (
        np.concatenate((travel, still)),
        np.concatenate((spread, still + _FOLLOWED_TRAVEL)),
        np.concatenate((swing, swing)),
    )


_TRAVEL, _SPREAD, _SWING = (np.concatenate(parts) for parts in zip(*map(_expected, GAITS), strict=True))
_COUNTS: Final = np.array([len(_expected(gait)[0]) for gait in GAITS])
_STARTS: Final = _COUNTS.cumsum() - _COUNTS
_WIDTH: Final = np.repeat([_SWING_SPREAD[gait] for gait in GAITS], _COUNTS)
_ROOT: Final = math.sqrt(2 * math.pi)


@lru_cache(maxsize=256)  # a motion holds for several frames
def gait_likelihoods(motion: Motion) -> tuple[float, float, float]:
    """How well standing, walking and running explain a motion: probabilities if nothing else were known, adding up
    to 1. Without ankles only travel counts."""
    # Speeds across the picture are not negative, which doubles the density near zero.
    along = np.exp(-0.5 * ((motion.travel - _TRAVEL) / _SPREAD) ** 2)
    along += np.exp(-0.5 * ((motion.travel + _TRAVEL) / _SPREAD) ** 2)
    likely = (1 - _ANY_TRAVEL) / _ROOT * along / _SPREAD + _ANY_TRAVEL / _ANY
    if not math.isnan(motion.swing):
        seen = max(motion.swing, _LEAST_SWING)
        density = np.exp(-0.5 * (np.log(seen / _SWING) / _WIDTH) ** 2) / (_WIDTH * seen * _ROOT)
        likely *= (1 - _ANY_SWING) * density + _ANY_SWING / _ANY
    densities = np.add.reduceat(likely, _STARTS) / _COUNTS
    if not math.isnan(motion.shank):
        densities *= _shank_densities(motion.shank)
    standing, walking, running = (densities / densities.sum()).tolist()
    return standing, walking, running


def _shank_densities(shank: float) -> _Grid:
    """How likely every gait has this shank."""
    low, high = _SHANKS
    mean, spread = np.array([_SHANK[gait] for gait in GAITS]).T
    near = np.exp(-0.5 * ((min(max(shank, low), high) - mean) / spread) ** 2) / (spread * _ROOT)
    return (1 - _ANY_SHANK) * near + _ANY_SHANK / (high - low)
