"""How well numbers stay with people in made crowds whose truth is known, and what following costs.

python -m bench.identity [--against COMMIT]

People walk about a square (`bench/crowd.py`) and cross, hide each other and pass behind a pillar; the detector misses
some, sees ghosts and doubles. With --against, the tracker of an earlier commit follows the same detections.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
import types
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.crowd import Moment, crowd, score
from bench.machine import REPOSITORY, load, machine, show, spread, write

RESULT: Final = Path(__file__).parent / "results" / "identity.json"

FIRST_SEED: Final = 100  # the tracker's constants were chosen on walks 0 and 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", metavar="COMMIT", help="follow with this commit's stream/people/tracker.py too")
    parser.add_argument("--people", type=int, nargs="+", default=[2, 5, 10, 20])
    parser.add_argument("--fps", type=float, nargs="+", default=[5, 10, 30])
    parser.add_argument("--miss", type=float, nargs="+", default=[0.1, 0.3], help="shares of people not found")
    parser.add_argument("--seconds", type=float, default=20.0, help="of every crowd")
    parser.add_argument("--seeds", type=int, default=2, help="crowds of every kind")
    parser.add_argument("--repeats", type=int, default=5, help="of the timing, 20 people at 30 frames a second")
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    args = parser.parse_args()
    before = load()
    trackers = {"now": _tracker(None)}
    if args.against:
        trackers[args.against] = _tracker(args.against)

    rows: list[dict[str, Any]] = []
    print("people  fps  miss  tracker      switches fragments   IDF1 numbers")
    for people, fps, miss in itertools.product(args.people, args.fps, args.miss):
        crowds = [list(crowd(people, fps, args.seconds, miss=miss, seed=FIRST_SEED + n)) for n in range(args.seeds)]
        for name, make in trackers.items():
            scores = [score(moments, _told(make, moments)) for moments in crowds]
            row = {
                "people": people,
                "fps": fps,
                "miss": miss,
                "tracker": name,
                "switches": sum(one.switches for one in scores),
                "fragments": sum(one.fragments for one in scores),
                "idf1": round(float(np.mean([one.idf1 for one in scores])), 3),
                "numbers": sum(one.numbers for one in scores),
                "true_numbers": people * args.seeds,
            }
            rows.append(row)
            print(
                f"{people:>6} {fps:>4g} {miss:>5.0%}  {name:<12} {row['switches']:>8} {row['fragments']:>9} "
                f"{row['idf1']:>6.3f} {row['numbers']:>7}"
            )
    sums = {}
    for name in trackers:
        mine = [row for row in rows if row["tracker"] == name]
        sums[name] = {
            "switches": sum(row["switches"] for row in mine),
            "fragments": sum(row["fragments"] for row in mine),
            "idf1": round(float(np.mean([row["idf1"] for row in mine])), 3),
            "numbers": sum(row["numbers"] for row in mine),
            "true_numbers": sum(row["true_numbers"] for row in mine),
        }
        print(f"all {name}: {sums[name]}")
    timing = _timing(trackers, args.repeats)
    for name, figures in timing.items():
        print(f"20 people, {name}: {show(figures, 2)} CPU-ms a frame")
    result = {"seconds": args.seconds, "seeds": args.seeds, "all": sums, "crowds": rows, "cpu_ms_20_people": timing}
    write(args.out, result, before, machine())
    return 0


def _tracker(commit: str | None) -> Callable[[], Any]:
    """The `Tracker` of the checkout, or of a commit whose tracker is one file."""
    if commit is None:
        from stream.people.tracker import Tracker

        return Tracker
    command = ["git", "show", f"{commit}:stream/people/tracker.py"]
    source = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    module = types.ModuleType(f"tracker_of_{commit}")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(source, command[-1], "exec"), module.__dict__)
    return module.Tracker


def _told(make: Callable[[], Any], moments: Sequence[Moment]) -> list[list[int | None]]:
    tracker = make()
    # Earlier trackers gave plain numbers.
    return [[getattr(one, "number", one) for one in tracker.update(moment.poses, moment.seconds)] for moment in moments]


def _timing(trackers: dict[str, Callable[[], Any]], repeats: int) -> dict[str, Any]:
    """CPU milliseconds a frame, and of the keypoint filter beside them: all of it runs on one thread."""
    from stream.people.keypoint_filter import KeypointFilter

    moments = list(crowd(20, 30, 10.0, miss=0.1))
    milliseconds: dict[str, list[float]] = {name: [] for name in (*trackers, "keypoint filter")}

    def steady() -> None:
        keypoint_filter = KeypointFilter()
        for moment in moments:
            keypoint_filter.update(range(len(moment.poses)), moment.poses, moment.seconds)

    calls: dict[str, Callable[[], object]] = {"keypoint filter": steady}
    calls |= {name: partial(_told, make, moments) for name, make in trackers.items()}
    for repeat in range(-1, repeats):  # the first one warms up
        for name, call in calls.items():
            start = time.thread_time()
            call()
            if repeat >= 0:
                milliseconds[name].append(1e3 * (time.thread_time() - start) / len(moments))
    return {name: spread(values, 3) for name, values in milliseconds.items()}


if __name__ == "__main__":
    sys.exit(main())
