"""Make the recordings anew that `stance demo` draws its people from.

    python -m bench.make_demo ../shared/videos --out stream/sources/demo/recordings.npz

Finds everybody in a stretch of some real clips, steadies their keypoints over time with a small Gaussian (no reason for
haste here, so it looks both ways), and keeps them at the film's frame rate. No picture of the clips is kept. Needs a
minute or two on two cores.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.pipeline import scenes
from stream.settings.model import Settings
from stream.sources.demo.recordings import FRAMES_PER_SECOND, Recording, dump_recordings

__all__ = ["STRETCHES", "Stretch", "record", "resample"]

STEADY_SECONDS: Final = 0.045  # standard deviation of the Gaussian
LONGEST_GAP_SECONDS: Final = 1.0  # that is filled, where somebody was lost and found again
LEAST_SECONDS: Final = 1.0  # people who are there for less are left out
SURE: Final = 0.2  # keypoints below count little


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a clip, and how many of its people are kept: those that are there for longest."""

    clip: str
    begin_seconds: float
    end_seconds: float
    people: int


STRETCHES: Final = {
    "standing": Stretch("standing", 2.8, 7.7, 1),
    "sitting": Stretch("lying", 12.9, 17.8, 1),
    "slipping": Stretch("worker_slips", 0.4, 9.6, 1),
    "street": Stretch("street_pedestrians", 10.2, 18.0, 12),
    "running": Stretch("running", 1.8, 5.4, 1),
}


def resample(
    seconds: NDArray[np.float64], keypoints: NDArray[np.float64], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One person's keypoints at other times, steadied: `[T, 17, 3]`, scores of −1 where the person is not there.

    Args:
        seconds: `[S]`, when the person was seen.
        keypoints: `[S, 17, 3]`.
        times: `[T]`.
    """
    weights = np.exp(-0.5 * ((times[:, None] - seconds) / _width(seconds)) ** 2)
    trust = weights[:, :, None] * np.clip(keypoints[None, ..., 2], SURE / 4, 1.0)
    total = trust.sum(axis=1) + 1e-12
    result = np.empty((len(times), 17, 3))
    for axis in (0, 1):
        result[..., axis] = (trust * keypoints[None, ..., axis]).sum(axis=1) / total
    result[..., 2] = (weights[:, :, None] * keypoints[None, ..., 2]).sum(axis=1) / (
        weights.sum(axis=1)[:, None] + 1e-12
    )
    result[~_present(seconds, times), :, 2] = -1.0
    return result


def _width(seconds: NDArray[np.float64]) -> float:
    """Wide enough for the clip's own frame rate."""
    interval = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
    return max(STEADY_SECONDS, 0.5 * interval)


def _present(seconds: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.bool_]:
    after = np.searchsorted(seconds, times)
    before = np.clip(after - 1, 0, len(seconds) - 1)
    after = np.clip(after, 0, len(seconds) - 1)
    inside = (times >= seconds[0] - 1e-6) & (times <= seconds[-1] + 1e-6)
    return inside & (seconds[after] - seconds[before] <= LONGEST_GAP_SECONDS)


def record(clip: Path, stretch: Stretch) -> Recording:
    """The people of a stretch."""
    settings = Settings.model_validate(
        {"keypoint_filter": {"enabled": False}, "pose": {"detect_every_seconds": 0.0, "precision": "fp32"}}
    )
    seen: dict[int, list[tuple[float, NDArray[np.float32]]]] = {}
    height = width = 0
    for scene in scenes(clip, settings=settings):
        height, width = scene.frame.bgr.shape[:2]
        for person in scene.people:
            if person.track is not None:
                seen.setdefault(person.track, []).append((scene.frame.seconds, scene.poses.keypoints[person.row]))
    times = np.arange(stretch.begin_seconds, stretch.end_seconds, 1 / FRAMES_PER_SECOND)
    people = []
    for sights in seen.values():
        seconds = np.array([at for at, _ in sights])
        keypoints = np.array([points for _, points in sights], np.float64)
        one = resample(seconds, keypoints, times)
        if (one[:, 0, 2] >= 0).sum() >= LEAST_SECONDS * FRAMES_PER_SECOND:
            people.append(one)
    people.sort(key=lambda one: -int((one[:, 0, 2] >= 0).sum()))
    return Recording(width, height, np.array(people[: stretch.people], np.float32))


def main() -> None:
    """Make the recordings."""
    parser = argparse.ArgumentParser(description="Make the recordings that stance demo draws its people from.")
    parser.add_argument("videos", type=Path, help="the folder of clips")
    parser.add_argument(
        "--out", type=Path, default=Path("stream/sources/demo/recordings.npz"), help="the file to write"
    )
    args = parser.parse_args()
    found = {name: record(args.videos / f"{one.clip}.mp4", one) for name, one in STRETCHES.items()}
    args.out.write_bytes(dump_recordings(found))
    for name, recording in found.items():
        print(f"{name}: {recording.people.shape[1]} frames, {recording.people.shape[0]} people")
    print(f"wrote {args.out}, {args.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
