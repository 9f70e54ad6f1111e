"""How much a person's keypoints tremble, and how far they lag, with and without the keypoint filter.

python -m bench.steadiness CLIP...

Of every clip, the person seen in the most frames counts. `trembling` is the root mean square of the second difference
of seen keypoints (a step that is not the one before), in torso lengths. `lag` is the delay of the filtered keypoints
that fits best against the found ones smoothed without delay (Gaussian, 60 ms), in milliseconds; of people who rest it
says little, because there is nothing to lag behind.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.machine import load, machine, write
from pose.keypoints import KEYPOINT_COUNT
from pose.keypoints import Keypoint as K
from pose.poses import Poses

RESULT: Final = Path(__file__).parent / "results" / "steadiness.json"
SMOOTH_SECONDS: Final = 0.06
LAGS: Final = np.arange(0, 0.3, 0.005)
SEEN: Final = 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    args = parser.parse_args()
    before = load()

    from pose.estimator import PoseEstimator
    from stream.people.keypoint_filter import KeypointFilter
    from stream.settings.model import PoseSettings

    estimator = PoseEstimator(person_threshold=PoseSettings().person_threshold)
    figures: dict[str, Any] = {}
    for clip in args.clips:
        seconds, people = _person(clip, estimator)
        found = np.stack([poses.keypoints[0] for poses in people]).astype(np.float64)  # [T, 17, 3]
        keypoint_filter = KeypointFilter()
        steady = np.stack(
            [keypoint_filter.update([0], poses, t).keypoints[0] for t, poses in zip(seconds, people, strict=True)]
        ).astype(np.float64)
        shoulders, hips = found[:, [K.LEFT_SHOULDER, K.RIGHT_SHOULDER]], found[:, [K.LEFT_HIP, K.RIGHT_HIP]]
        torso = float(np.median(np.linalg.norm((shoulders.mean(1) - hips.mean(1))[:, :2], axis=-1)))
        figures[clip.name] = {
            "frames": len(seconds),
            "trembling_found": round(_trembling(found) / torso, 4),
            "trembling_steady": round(_trembling(steady) / torso, 4),
            "lag_ms": round(1e3 * _lag(seconds, found, steady)),
        }
        print(clip.name, figures[clip.name])
    write(args.out, {"weights": estimator.weights_digest[:12], "clips": figures}, before, machine())
    return 0


def _person(clip: Path, estimator: Any) -> tuple[NDArray[np.float64], list[Poses]]:
    """Times and rows of the person seen in the most frames."""
    from stream.people.tracker import Tracker
    from stream.sources.opening import open_source

    tracker, rows, seen = Tracker(), [], Counter[int]()
    with open_source(str(clip)) as source:
        for frame in source:
            (poses,) = estimator([frame.bgr])
            told = tracker.update(poses, frame.seconds)
            numbers = {one.number: row for row, one in enumerate(told) if one is not None and one.number is not None}
            seen.update(numbers.keys())
            rows.append((frame.seconds, poses, numbers))
    if not seen:
        raise SystemExit(f"{clip}: nobody is followed in it. Take a clip with a person.")
    who = seen.most_common(1)[0][0]
    there = [(t, poses.select([numbers[who]])) for t, poses, numbers in rows if who in numbers]
    return np.array([t for t, _ in there]), [poses for _, poses in there]


def _trembling(keypoints: NDArray[np.float64]) -> float:
    seen = keypoints[..., 2] >= SEEN
    step = np.linalg.norm(np.diff(keypoints[..., :2], 2, axis=0), axis=-1)
    return float(np.sqrt((step[seen[2:] & seen[1:-1] & seen[:-2]] ** 2).mean()))


def _lag(seconds: NDArray[np.float64], found: NDArray[np.float64], steady: NDArray[np.float64]) -> float:
    sigma = SMOOTH_SECONDS / float(np.median(np.diff(seconds)))
    reach = int(4 * sigma) + 1
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    smooth = [
        [np.convolve(np.pad(found[:, joint, axis], reach, mode="edge"), kernel, "valid") for axis in (0, 1)]
        for joint in range(KEYPOINT_COUNT)
    ]
    seen = found[..., 2] >= SEEN
    errors = []
    for lag in LAGS:
        late = np.array([[np.interp(seconds - lag, seconds, path) for path in joint] for joint in smooth])
        off = steady[..., :2] - late.transpose(2, 0, 1)
        errors.append(float((off[seen] ** 2).sum(-1).mean()))
    return float(LAGS[int(np.argmin(errors))])


if __name__ == "__main__":
    sys.exit(main())
