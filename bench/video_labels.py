"""How right, steady and quick the labels of five real clips are, against postures marked by eye.

    python -m bench.video_labels [FOLDER] [--before CHECKOUT] [--only CLIP ...] [--weights-folder DIR]

FOLDER holds the clips that `tests/intervals` names, which were marked before the smoothing was written. The whole
pipeline runs at the default settings with the starter database, so the frame accuracy is that of the network and of
the database first; what the smoothing answers for are the changes beyond the true ones and the delay. Ways of showing:

    frame    this frame's own label
    before   the steady label of another checkout's code, with that checkout's weights and database
    live     the steady label
    offline  the same with `--offline`
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.machine import load, machine, write
from bench.network import estimator_of, index_of, script_parser
from bench.side_labels import frames_of
from index import Classification
from pose.poses import Poses
from pose.reason import Reason
from stream.commands.evaluate_video import evaluation_record
from stream.frame import Frame
from stream.pipeline import scenes
from stream.reports.true_postures import read_true_postures
from stream.reports.video_evaluation import VideoEvaluation, evaluate_video, shown_of_main_person
from stream.scene import Person, Scene
from stream.settings.model import Settings

ROOT: Final = Path(__file__).resolve().parent.parent
INTERVALS: Final = ROOT / "tests" / "intervals"
RESULT: Final = ROOT / "bench" / "results" / "video_labels.json"
MOST_EXTRA_PER_MINUTE: Final = 1.0
LONGEST_DELAY_SECONDS: Final = 0.7

_PICTURE: Final = np.zeros((1, 1, 3), np.uint8)
_UNCLASSIFIED: Final = Classification(None, 0.0, float("nan"), None, Reason.TOO_FEW_KEYPOINTS, (), (), ())


def labels_of_ours(args: argparse.Namespace, clips: list[Path]) -> dict[str, list[dict[str, Any]]]:
    """What this checkout's code shows, by clip."""
    settings = Settings()
    estimator, index = estimator_of(args, settings), index_of(args)
    return {clip.stem: frames_of(scenes(str(clip), estimator, index, settings)) for clip in clips}


def labels_of(checkout: Path, clips: list[Path]) -> dict[str, list[dict[str, Any]]]:
    """What a checkout's code shows, by clip."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "side_labels.py"), *map(str, clips)],
        env={**os.environ, "PYTHONPATH": str(checkout)}, cwd=checkout, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return {Path(clip).stem: frames for clip, frames in json.loads(done.stdout).items()}


def scenes_of(frames: list[dict[str, Any]], way: str) -> list[Scene]:
    """The scenes that one way of showing makes of the frames of a clip, without pictures."""
    scenes = []
    for number, frame in enumerate(frames):
        count = len(frame["tracks"])
        poses = Poses(
            np.zeros((count, 17, 3), np.float32),
            np.array(frame["boxes"], np.float32).reshape(count, 4),
            np.array(frame["scores"], np.float32),
        )
        people = [
            Person(row, track, _UNCLASSIFIED, posture, 0.0, None)
            for row, (track, posture) in enumerate(zip(frame["tracks"], frame[way], strict=True))
        ]
        scenes.append(Scene(Frame(_PICTURE, "clip", number, 0, frame["seconds"], 0.0), poses, tuple(people)))
    return scenes


def together(evaluations: list[VideoEvaluation]) -> dict[str, Any]:
    """The figures of all clips as one."""
    frames = sum(one.frames for one in evaluations)
    minutes = sum(one.minutes for one in evaluations)
    true = sum(len(one.changes) for one in evaluations)
    shown = sum(one.shown_changes for one in evaluations)
    delays = [delay for one in evaluations for delay in one.delays]
    extra = (shown - true) / minutes
    return {
        "accuracy": round(sum(one.accuracy * one.frames for one in evaluations) / frames, 4),
        "unknown": round(sum(one.unknown * one.frames for one in evaluations) / frames, 4),
        "nobody": round(sum(one.nobody * one.frames for one in evaluations) / frames, 4),
        "true_changes": true,
        "shown_changes": shown,
        "extra_changes": shown - true,
        "extra_changes_per_minute": round(extra, 2),
        "missed_changes": true - len(delays),
        "max_delay_seconds": round(max(delays), 3) if delays else None,
        "steady_enough": extra <= MOST_EXTRA_PER_MINUTE,
        "quick_enough": len(delays) == true and max(delays, default=0) < LONGEST_DELAY_SECONDS,
    }


def main() -> int:
    parser = script_parser(__doc__, RESULT)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT.parent / "shared" / "videos")
    parser.add_argument("--only", nargs="+", metavar="CLIP", help="only these clips, by their names without suffix")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="older code to compare with")
    parser.add_argument("--before-name", default="before", help="what to call it in the result, such as its commit")
    args = parser.parse_args()
    names = sorted(path.stem for path in INTERVALS.glob("*.csv") if args.only is None or path.stem in args.only)
    clips = [(args.folder / f"{name}.mp4").resolve() for name in names]
    for clip in clips:
        if not clip.is_file():
            parser.error(f"{clip.name} is not in {args.folder}.")
    before = load()
    index = index_of(args)
    truths = {name: read_true_postures(INTERVALS / f"{name}.csv", index.classes) for name in names}
    ours = labels_of_ours(args, clips)
    sources = {way: (ours, way) for way in ("frame", "live", "offline")}
    if args.before is not None:
        sources["before"] = (labels_of(args.before.resolve(), clips), "live")
    ways: dict[str, Any] = {}
    name: str
    for name in [way for way in ("frame", "before", "live", "offline") if way in sources]:
        frames, way = sources[name]
        evaluations = [
            evaluate_video(shown_of_main_person(scenes_of(frames[clip], way)), truths[clip]) for clip in names
        ]
        ways[name] = {
            "all": together(evaluations),
            "clips": {clip: evaluation_record(one) for clip, one in zip(names, evaluations, strict=True)},
        }
    print(f"{'':<9}{'accuracy':>9}{'unknown':>9}{'nobody':>8}{'shown':>7}{'true':>6}{'extra':>7}{'max delay':>11}")
    for name, figures in ways.items():
        row = figures["all"]
        delay = "–" if row["max_delay_seconds"] is None else f"{row['max_delay_seconds']:.2f} s"
        print(
            f"{name:<9}{row['accuracy']:>9.3f}{row['unknown']:>9.3f}{row['nobody']:>8.3f}{row['shown_changes']:>7}"
            f"{row['true_changes']:>6}{row['extra_changes']:>7}{delay:>11}"
        )
    for clip in names:
        print(f"{clip}: " + ", ".join(f"{way} {ways[way]['clips'][clip]['accuracy']}" for way in ways))
    result = {
        "goals": {
            "extra_changes_per_minute": MOST_EXTRA_PER_MINUTE,
            "delay_seconds": LONGEST_DELAY_SECONDS,
        },
        "before": args.before_name if args.before is not None else None,
        "index_rows": index.rows,
        "ways": ways,
    }
    write(args.out, result, before, machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
