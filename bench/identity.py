"""How well numbers stay with people in made crowds whose truth is known, and what following costs.

python -m bench.identity [--people N ...] [--fps N ...] [--seeds N]

People walk about a square (`bench/crowd.py`) and cross, hide each other and pass behind a pillar. Two ways of finding
them:

    detections  everybody anew in every frame; some are missed, there are ghosts and doubles
    finder      the same detections now and then, and between them crops from where the tracker expects everybody
                (`stream.people.pose_finder`), by a keypoint network that slips to neighbours and loses people

IDF1 is over what was found; `found` is the share of people in sight who were found at all.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.crowd import NOBODY, Moment, crowd, score
from bench.machine import load, machine, show, spread, write
from bench.simulated_network import Simulation, owners_of, visible
from pose.inference.steps import complete
from pose.network_descriptions import TOP_DOWN, describe_network
from stream.people.keypoint_filter import KeypointFilter
from stream.people.pose_finder import PoseFinder
from stream.people.tracker import Tracker

RESULT: Final = Path(__file__).parent / "results" / "identity.json"
FIRST_SEED: Final = 100  # the tracker's constants were chosen on walks 0 and 1
PICTURE: Final = np.zeros((1, 1, 3), np.uint8)

Numbers = list[list[int | None]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[2, 5, 10, 20])
    parser.add_argument("--fps", type=float, nargs="+", default=[5, 10, 30])
    parser.add_argument("--miss", type=float, nargs="+", default=[0.1, 0.3], help="shares of people not detected")
    parser.add_argument("--slip", type=float, default=0.1, help="share of crops that slip to a neighbour in them (0.1)")
    parser.add_argument("--lose", type=float, default=0.02, help="share of crops that show nobody (0.02)")
    parser.add_argument("--every", type=float, default=0.3, metavar="SECONDS", help="pose.detect_every_seconds (0.3)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of every crowd")
    parser.add_argument("--seeds", type=int, default=2, help="crowds of every kind")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help="choose constants on others than 100")
    parser.add_argument("--repeats", type=int, default=5, help="of the timing, 20 people at 30 frames a second")
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    args = parser.parse_args()
    before = load()
    ways: dict[str, Callable[[Sequence[Moment]], tuple[Sequence[Moment], Numbers]]] = {
        "detections": by_detections,
        "finder": partial(by_finder, slip=args.slip, lose=args.lose, every=args.every),
    }
    rows: list[dict[str, Any]] = []
    print("people  fps  miss  way         switches fragments   IDF1  found numbers")
    for people, fps, miss in itertools.product(args.people, args.fps, args.miss):
        crowds = [
            list(crowd(people, fps, args.seconds, miss=miss, seed=args.first_seed + n)) for n in range(args.seeds)
        ]
        for way, follow in ways.items():
            told = [follow(moments) for moments in crowds]
            scores = [score(*one) for one in told]
            row = {
                "people": people,
                "fps": fps,
                "miss": miss,
                "way": way,
                "switches": sum(one.switches for one in scores),
                "fragments": sum(one.fragments for one in scores),
                "idf1": round(float(np.mean([one.idf1 for one in scores])), 3),
                "found": round(float(np.mean([_found(moments) for moments, _ in told])), 3),
                "numbers": sum(one.numbers for one in scores),
                "true_numbers": people * args.seeds,
            }
            rows.append(row)
            print(
                f"{people:>6} {fps:>4g} {miss:>5.0%}  {way:<10} {row['switches']:>9} {row['fragments']:>9} "
                f"{row['idf1']:>6.3f} {row['found']:>6.3f} {row['numbers']:>7}",
                flush=True,
            )
    sums = {}
    for way in ways:
        mine = [row for row in rows if row["way"] == way]
        sums[way] = {
            **{name: sum(row[name] for row in mine) for name in ("switches", "fragments", "numbers", "true_numbers")},
            **{name: round(float(np.mean([row[name] for row in mine])), 3) for name in ("idf1", "found")},
        }
        print(f"all {way}: {sums[way]}")
    timing = _timing(ways, args.repeats) if args.repeats else {}
    for name, figures in timing.items():
        print(f"20 people, {name}: {show(figures, 2)} CPU-ms a frame")
    chosen = {name: getattr(args, name) for name in ("slip", "lose", "every", "seconds", "seeds", "first_seed")}
    write(args.out, {**chosen, "all": sums, "crowds": rows, "cpu_ms_20_people": timing}, before, machine())
    return 0


def by_detections(moments: Sequence[Moment]) -> tuple[Sequence[Moment], Numbers]:
    """The tracker follows what the detector gives of every frame."""
    tracker = Tracker()
    told = [tracker.update(moment.poses, moment.seconds) for moment in moments]
    return moments, [[None if one is None else one.number for one in identities] for identities in told]


def by_finder(moments: Sequence[Moment], *, slip: float, lose: float, every: float) -> tuple[Sequence[Moment], Numbers]:
    """The pose finder and the tracker as the recogniser has them; the moments are those that the finder saw."""
    simulation, thresholds = Simulation(slip=slip, lose=lose), describe_network(TOP_DOWN)
    finder = PoseFinder(simulation.network, detect_every_seconds=every)
    tracker = Tracker(high_score_threshold=thresholds.high_score_threshold, least_score=thresholds.apart_threshold)
    seen: list[Moment] = []
    numbers: Numbers = []
    for moment in moments:
        simulation.moment = moment
        poses = complete(finder.find(PICTURE, moment.seconds, tracker.shifts(moment.seconds)))
        told = tracker.update(poses, moment.seconds)
        finder.remember([None if one is None else one.key for one in told])
        seen.append(Moment(moment.seconds, poses, owners_of(poses, moment.truth), moment.truth))
        numbers.append([None if one is None else one.number for one in told])
    return seen, numbers


def _found(moments: Sequence[Moment]) -> float:
    """Share of those in sight who were found."""
    in_sight = [(set(np.flatnonzero(visible(moment.truth))), set(moment.owners) - {NOBODY}) for moment in moments]
    return sum(len(seen & found) for seen, found in in_sight) / max(sum(len(seen) for seen, _ in in_sight), 1)


def _timing(ways: dict[str, Any], repeats: int) -> dict[str, Any]:
    """CPU milliseconds a frame, and of the keypoint filter beside them: all of it runs on one thread. The finder's are
    with the simulation, which `simulation` shows alone."""
    moments = list(crowd(20, 30, 5.0, miss=0.1))
    milliseconds: dict[str, list[float]] = {name: [] for name in (*ways, "simulation", "keypoint filter")}

    def steady() -> None:
        keypoint_filter = KeypointFilter()
        for moment in moments:
            keypoint_filter.update(range(len(moment.poses)), moment.poses, moment.seconds)

    def simulate() -> None:
        simulation = Simulation()
        for moment in moments:
            simulation.moment = moment
            simulation.look(moment.poses.boxes)
            owners_of(moment.poses, moment.truth)

    calls: dict[str, Callable[[], object]] = {"keypoint filter": steady, "simulation": simulate}
    calls |= {name: partial(follow, moments) for name, follow in ways.items()}
    for repeat in range(-1, repeats):  # the first one warms up
        for name, call in calls.items():
            start = time.thread_time()
            call()
            if repeat >= 0:
                milliseconds[name].append(1e3 * (time.thread_time() - start) / len(moments))
    return {name: spread(values, 3) for name, values in milliseconds.items()}


if __name__ == "__main__":
    sys.exit(main())
