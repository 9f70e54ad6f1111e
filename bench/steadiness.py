"""How much a person's keypoints tremble, and how far they lag, with and without the keypoint filter.

python -m bench.steadiness CLIP...

Of every clip, the person seen in the most frames counts, as the pipeline finds the person with the filter off.
`trembling` is the root mean square of the second difference of seen keypoints (a step that is not the one before), in
torso lengths. `lag` is the delay of the filtered keypoints that fits best against the found ones smoothed without delay
(Gaussian, 60 ms), in milliseconds; of people who rest it says little, because there is nothing to lag behind.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.machine import load, machine, write
from bench.marked_labels import watch
from bench.network import about, estimator_of, index_of, script_parser, settings_with
from pose.keypoints import KEYPOINT_COUNT
from pose.keypoints import Keypoint as K
from pose.poses import Poses
from stream.people.keypoint_filter import KeypointFilter

RESULT: Final = Path(__file__).parent / "results" / "steadiness.json"
SMOOTH_SECONDS: Final = 0.06
LAGS: Final = np.arange(0, 0.3, 0.005)
SEEN: Final = 0.5


def main() -> int:
    parser = script_parser(__doc__, RESULT)
    parser.add_argument("clips", nargs="+", type=Path)
    args = parser.parse_args()
    before = load()

    estimator, index = estimator_of(args), index_of(args)
    figures: dict[str, Any] = {}
    for clip in args.clips:
        seconds, people = _person(watch(clip, estimator, index, settings_with(keypoint_filter={"enabled": False})))
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
    write(args.out, {**about(estimator), "clips": figures}, before, machine())
    return 0


def _person(frames: list[dict[str, Any]]) -> tuple[NDArray[np.float64], list[Poses]]:
    """Times and rows of the person seen in the most frames."""
    seen = Counter(track for frame in frames for track in frame["tracks"] if track is not None)
    if not seen:
        raise SystemExit("Nobody is followed in it. Take a clip with a person.")
    who = seen.most_common(1)[0][0]
    times, people = [], []
    for frame in frames:
        if who in frame["tracks"]:
            row = frame["tracks"].index(who)
            columns = (np.array([frame[name][row]], np.float32) for name in ("keypoints", "boxes", "scores"))
            times.append(frame["seconds"])
            people.append(Poses(*columns))
    return np.array(times), people


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
