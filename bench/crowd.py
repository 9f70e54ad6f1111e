"""A made world for the tracker: people who walk about a square, with every detection's true owner known.

They cross, hide each other and pass behind a pillar. The detector misses some, scores the half hidden lower and cuts
their boxes, trembles, finds a person twice now and then, and sees people where there are none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.assignment import best_pairs
from pose.keypoints import KEYPOINT_COUNT
from pose.keypoints import Keypoint as K
from pose.poses import Poses

__all__ = ["NOBODY", "Moment", "Score", "Truth", "crowd", "found_at", "score", "walkers"]

NOBODY: Final = -1
WIDTH, HEIGHT = 1920, 1080
HORIZON: Final = 250  # px from the top
CAMERA_METRES: Final = 2.2  # above the ground
FOCAL: Final = 1320.0  # px per metre at one metre
NEAR, FAR = 4.0, 14.0  # metres from the camera
PILLAR: Final = (880, 1000, 7.0)  # from and to, px; metres from the camera
STEP: Final = 1 / 60  # seconds of the simulation
THRESHOLD: Final = 0.35  # the detector gives nothing below this score

# An upright person, in units of the height: x to the right, y up from the ground.
_STANDING: Final = np.array(
    [
        [0.00, 0.92], [0.02, 0.94], [-0.02, 0.94], [0.04, 0.93], [-0.04, 0.93],
        [0.10, 0.80], [-0.10, 0.80], [0.13, 0.64], [-0.13, 0.64], [0.14, 0.50], [-0.14, 0.50],
        [0.07, 0.50], [-0.07, 0.50], [0.07, 0.27], [-0.07, 0.27], [0.07, 0.04], [-0.07, 0.04],
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Truth:
    """Where everybody is at one time.

    Attributes:
        seconds: the time.
        bodies: everybody's keypoints, px `[P, 17, 2]`.
        hidden: which of them cannot be seen, bool `[P, 17]`.
    """

    seconds: float
    bodies: NDArray[np.float64]
    hidden: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Moment:
    """What the detector gives of one frame, and the truth.

    Attributes:
        seconds: time of the frame.
        poses: the detections, best first.
        owners: who each of them is, int `[N]`; `NOBODY` for a ghost and for a person found a second time.
        truth: where everybody is.
    """

    seconds: float
    poses: Poses
    owners: NDArray[np.int64]
    truth: Truth


@dataclass(frozen=True, slots=True)
class Score:
    """How well numbers followed people.

    Attributes:
        switches: how often a person's number changed.
        fragments: how often a person who had a number was found and had none.
        idf1: harmonic mean of identity precision and recall over detections (Ristani et al., 2016), 0–1.
        numbers: how many numbers were given.
    """

    switches: int
    fragments: int
    idf1: float
    numbers: int


def walkers(people: int, fps: float, seconds: float = 30.0, *, seed: int = 0) -> Iterator[Truth]:
    """Where everybody is in every frame; the same walk for the same seed at any frame rate."""
    paths = _walk(people, seconds, np.random.default_rng(seed))  # [T, N, 2]: metres to the right, metres away
    tall = np.random.default_rng([seed, 1]).uniform(1.55, 1.9, people)
    for number in range(int(seconds * fps)):
        at = number / fps
        place = paths[round(at / STEP)]
        bodies = _picture(place, tall, at)  # [N, 17, 2]
        yield Truth(at, bodies, _hidden(bodies, place[:, 1]))


def crowd(
    people: int,
    fps: float,
    seconds: float = 30.0,
    *,
    miss: float = 0.15,
    ghosts_per_second: float = 2.0,
    twice: float = 0.04,
    seed: int = 0,
) -> Iterator[Moment]:
    """Moments of a made world; the same walk for the same seed at any frame rate.

    Args:
        people: how many walk about.
        fps: frames per second.
        seconds: how long.
        miss: share of fully visible people that are not found, 0–1.
        ghosts_per_second: detections where nobody is, each in one frame; half of them at always the same two places.
        twice: share of detections that come with a second, worse one of the same person, 0–1.
        seed: of the walk and of the noise.
    """
    rng = np.random.default_rng([seed, round(fps * 1000)])
    haunted = [rng.uniform((100, 300), (WIDTH - 100, 700)) for _ in range(2)]
    for now in walkers(people, fps, seconds, seed=seed):
        at, truth, hidden = now.seconds, now.bodies, now.hidden
        found: list[tuple[NDArray[np.float64], NDArray[np.float64], float, int]] = []
        for owner in range(people):
            seen = 1 - hidden[owner].mean()
            if rng.random() > (1 - miss) * np.clip((seen - 0.15) / 0.35, 0, 1):
                continue
            confidence = 0.78 * (0.45 + 0.55 * seen) + rng.normal(0, 0.07)
            detection = found_at(truth[owner], hidden[owner], rng)
            found.append((*detection, confidence, owner))
            if rng.random() < twice:
                keypoints, box = found_at(truth[owner], hidden[owner], rng, blur=1.5)
                size = box[2:] - box[:2]
                stretched = box + np.concatenate([-size, size]) * rng.uniform(0.08, 0.2, 4)
                found.append((keypoints, stretched, 0.75 * confidence, NOBODY))
        for _ in range(rng.poisson(ghosts_per_second / fps)):
            place = rng.uniform((0, 250), (WIDTH, 800)) if rng.random() < 0.5 else haunted[rng.integers(2)]
            body = place + _STANDING * (1, -1) * rng.uniform(120, 400)
            found.append(
                (*found_at(body, np.zeros(KEYPOINT_COUNT, bool), rng, blur=2.0), rng.uniform(0.3, 0.6), NOBODY)
            )
        found = sorted((item for item in found if item[2] >= THRESHOLD), key=lambda item: -item[2])
        if not found:
            yield Moment(at, Poses.empty(), np.zeros(0, np.int64), now)
            continue
        keypoints, boxes, scores, owners = (np.stack(column) for column in zip(*found, strict=True))
        yield Moment(at, Poses(keypoints, boxes, np.minimum(scores, 1.0)), owners, now)


def score(moments: Sequence[Moment], told: Sequence[Sequence[int | None]]) -> Score:
    """Judge the numbers that a tracker told for every detection of every moment."""
    latest: dict[int, int] = {}
    numbered: dict[int, bool] = {}
    together: Counter[tuple[int, int]] = Counter()
    switches = fragments = truths = claims = 0
    for moment, numbers in zip(moments, told, strict=True):
        for owner, number in zip(moment.owners.tolist(), numbers, strict=True):
            claims += number is not None
            if owner == NOBODY:
                continue
            truths += 1
            if number is not None:
                together[owner, number] += 1
                switches += latest.get(owner, number) != number
                latest[owner] = number
            fragments += numbered.get(owner, False) and number is None
            numbered[owner] = number is not None
    owners, numbers = sorted({pair[0] for pair in together}), sorted({pair[1] for pair in together})
    counts = np.array([[together[owner, number] for number in numbers] for owner in owners], float)
    right = sum(counts[pair] for pair in best_pairs(counts, 1.0)) if counts.size else 0.0
    given = {number for numbers in told for number in numbers if number is not None}
    return Score(switches, fragments, float(2 * right / max(truths + claims, 1)), len(given))


def _walk(people: int, seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Everybody's place at every step of the simulation: `[T, N, 2]`, metres to the right and metres away."""

    def somewhere() -> NDArray[np.float64]:
        away = rng.uniform(NEAR, FAR)
        return np.array([rng.uniform(-0.9, 0.9) * WIDTH / 2 * away / FOCAL, away])

    steps = int(seconds / STEP) + 2
    paths = np.zeros((steps, people, 2))
    for person in range(people):
        place, goal, velocity = somewhere(), somewhere(), np.zeros(2)
        pace, pause = rng.uniform(0.6, 1.6), 0.0
        for step in range(steps):
            way = goal - place
            distance = float(np.linalg.norm(way))
            if distance < 0.3:
                goal, pace = somewhere(), rng.uniform(0.6, 1.6)
                pause = rng.uniform(0.5, 3.0) if rng.random() < 0.4 else 0.0
            pause = max(pause - STEP, 0.0)
            wanted = np.zeros(2) if pause else way / max(distance, 1e-9) * pace
            velocity += (wanted - velocity) * STEP / 0.3
            place = place + velocity * STEP
            paths[step, person] = place
    return paths


def _picture(place: NDArray[np.float64], tall: NDArray[np.float64], at: float) -> NDArray[np.float64]:
    """Keypoints in the picture, px `[N, 17, 2]`."""
    scale = FOCAL / place[:, 1]  # px per metre
    feet = np.stack([WIDTH / 2 + place[:, 0] * scale, HORIZON + CAMERA_METRES * scale], -1)
    body = np.repeat(_STANDING[None], len(place), 0)
    swing = np.sin(2 * np.pi * (at + np.arange(len(place)) / 7))  # one stride a second
    for joint, reach in ((K.LEFT_ANKLE, 0.16), (K.LEFT_KNEE, 0.08), (K.LEFT_WRIST, -0.12), (K.LEFT_ELBOW, -0.05)):
        body[:, joint, 0] += reach * swing
        body[:, joint + 1, 0] -= reach * swing
    return feet[:, None] + body * (1, -1) * (tall * scale)[:, None, None]


def _hidden(bodies: NDArray[np.float64], away: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which keypoints somebody nearer or the pillar covers, `[N, 17]`."""
    low, high = bodies.min(1), bodies.max(1)
    trim = 0.15 * (high - low) * (1, 0)  # a body does not fill its box
    low, high = low + trim, high - trim
    inside = (bodies[:, :, None] >= low) & (bodies[:, :, None] <= high)  # [N, 17, N, 2]
    covered = (inside.all(-1) & (away[None, :] < away[:, None])[:, None]).any(-1)
    left, right, distance = PILLAR
    behind = (bodies[..., 0] >= left) & (bodies[..., 0] <= right) & (away[:, None] > distance)
    outside = (bodies < 0).any(-1) | (bodies >= (WIDTH, HEIGHT)).any(-1)
    return covered | behind | outside


def found_at(
    body: NDArray[np.float64], hidden: NDArray[np.bool_], rng: np.random.Generator, blur: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keypoints `[17, 3]` and box `[4]` as a detector gives them. Half of the boxes end where the view ends."""
    size = float(np.ptp(body[:, 1]))
    xy = body + rng.normal(0, blur * size, body.shape) * np.where(hidden, 0.05, 0.012)[:, None]
    sure = np.where(hidden, rng.normal(0.35, 0.15, len(body)), rng.normal(0.9, 0.05, len(body))).clip(0, 1)
    shown = body[~hidden] if rng.random() < 0.5 and (~hidden).sum() > 2 else body
    box = np.concatenate([shown.min(0) - 0.06 * size, shown.max(0) + 0.06 * size])
    return np.concatenate([xy, sure[:, None]], 1), box + rng.normal(0, blur * 0.02 * size, 4)
