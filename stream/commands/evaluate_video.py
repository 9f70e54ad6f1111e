"""`stance evaluate-video`: how right, how steady and how quick the labels of clips are, against true postures."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.errors import IntervalsError

if TYPE_CHECKING:
    from stream.reports.video_evaluation import VideoEvaluation
    from stream.settings.model import Settings

__all__ = ["evaluation_record", "register"]


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate-video",
        help="hold the labels of clips against true postures",
        description="Run clips and hold the steady labels of the main person against intervals marked by eye.",
        epilog="An intervals file is CSV with the columns from_seconds, to_seconds and posture; moments without a "
        "posture are not judged.",
    )
    parser.add_argument("clips", metavar="CLIP", nargs="+", help="a video")
    parser.add_argument(
        "--intervals", metavar="FILE", nargs="+", required=True,
        help="one file per clip in the same order, or the folder that holds NAME.csv for every clip NAME",
    )  # fmt: skip
    parser.add_argument("--offline", action="store_true", help="look ahead before a posture is decided")
    parser.add_argument("--index", metavar="PREFIX", help="the database's files without suffix (pose_index)")
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace, settings: Settings) -> int:
    from contextlib import ExitStack

    from stream.assembly import make_estimator, open_from_settings, open_index, warn_of_other_weights
    from stream.pipeline import check_offline, scenes
    from stream.reports.true_postures import read_true_postures
    from stream.reports.video_evaluation import evaluate_video, shown_of_main_person

    files = _files(args.clips, args.intervals)
    index = open_index(settings, args.index)
    truths = [read_true_postures(file, index.classes) for file in files]
    for clip in args.clips:  # all faults of the input before the first long wait
        with open_from_settings(clip, settings) as source:
            check_offline(source)
    estimator = make_estimator(settings)
    warn_of_other_weights(index, estimator)
    records = []
    for clip, truth in zip(args.clips, truths, strict=True):
        with ExitStack() as stack:
            source = stack.enter_context(open_from_settings(clip, settings))
            found = scenes(source, estimator, index, settings, offline=args.offline)
            evaluation = evaluate_video(shown_of_main_person(found), truth)
        records.append({"clip": source.name, **evaluation_record(evaluation)})
        if not args.json:
            _print(source.name, evaluation)
    if args.json:
        print(json.dumps({"offline": args.offline, "clips": records}, indent=2, ensure_ascii=False))
    return 0


def _files(clips: Sequence[str], intervals: Sequence[str]) -> list[Path]:
    """The intervals file of every clip."""
    paths = [Path(path) for path in intervals]
    if len(paths) == 1 and paths[0].is_dir():
        return [paths[0] / f"{Path(clip).stem}.csv" for clip in clips]
    if len(paths) != len(clips):
        raise IntervalsError(
            f"There are {len(clips)} clips and {len(paths)} files of intervals. Give one for each, or their folder."
        )
    return paths


def evaluation_record(evaluation: VideoEvaluation) -> dict[str, Any]:
    """The figures as plain values that JSON can hold; what is not defined is None."""
    return {
        "minutes": round(evaluation.minutes, 4),
        "frames": evaluation.frames,
        "accuracy": _rounded(evaluation.accuracy),
        "accuracy_of_named": _rounded(evaluation.accuracy_of_named),
        "unknown": _rounded(evaluation.unknown),
        "nobody": _rounded(evaluation.nobody),
        "true_changes": len(evaluation.changes),
        "shown_changes": evaluation.shown_changes,
        "extra_changes_per_minute": _rounded(evaluation.extra_changes_per_minute),
        "missed_changes": evaluation.missed_changes,
        "median_delay_seconds": _rounded(evaluation.median_delay_seconds),
        "max_delay_seconds": _rounded(evaluation.max_delay_seconds),
        "changes": [
            {
                "seconds": change.seconds,
                "before": change.before,
                "after": change.after,
                "delay_seconds": None if change.delay_seconds is None else _rounded(change.delay_seconds),
            }
            for change in evaluation.changes
        ],
        "postures": {
            name: {
                "frames": count.frames,
                "right": count.right,
                "unknown": count.unknown,
                "nobody": count.nobody,
                "wrong": dict(sorted(count.wrong.items(), key=lambda item: -item[1])),
            }
            for name, count in evaluation.postures.items()
        },
    }


def _rounded(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def _print(name: str, evaluation: VideoEvaluation) -> None:
    print(
        f"{name}: {evaluation.accuracy:.1%} of {evaluation.frames} judged frames right, "
        f"{evaluation.unknown:.1%} unknown, {evaluation.nobody:.1%} nobody found"
    )
    print(
        f"  changes  {evaluation.shown_changes} shown, {len(evaluation.changes)} true: "
        f"{evaluation.extra_changes_per_minute:+.1f} per minute beyond the true ones"
    )
    if evaluation.changes:
        delays = "none was shown in time"
        if evaluation.delays:
            delays = f"median {evaluation.median_delay_seconds:.2f} s, longest {evaluation.max_delay_seconds:.2f} s"
        print(f"  delay    {delays}; {evaluation.missed_changes} of {len(evaluation.changes)} missed")
    width = max(map(len, evaluation.postures))
    for posture, count in evaluation.postures.items():
        wrong = ", ".join(f"{label} {n}" for label, n in sorted(count.wrong.items(), key=lambda item: -item[1])[:3])
        print(
            f"  {posture:<{width}}  {count.right} of {count.frames} frames right"
            + (f"; taken for {wrong}" if wrong else "")
        )
