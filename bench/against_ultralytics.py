"""Stance from a clip to labelled people, against `track` of ultralytics with the weights of yolo11n-pose.

    python -m bench.against_ultralytics CLIP ... --peer-python PATH --peer-weights yolo11n-pose.pt

Every side runs in a process and environment of its own, on the same cores; they take turns. Each is in its best runtime
and precision on a CPU, which is OpenVINO's choice for both. Both are judged on the same labelled pictures by the same
rules, each with the threshold that it has in its speed rows (the peer's `track`: 0.1), so that speed can be read beside
quality. See bench/README.md for the contract and for the peer's environment.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.keypoints import DATA
from bench.machine import limit_cores, load, machine, show, write
from bench.network import about, add_network_options, estimator_of
from bench.sides import Side, SideError, report, stance_side, take_turns
from pose.datasets.labelled import LabelledSet
from pose.datasets.reading import read_labelled
from pose.evaluation.average_precision import evaluate_pose, score_detections
from pose.poses import Poses

RESULT: Final = Path(__file__).parent / "results" / "against_ultralytics.json"
PEER: Final = Path(__file__).with_name("peer_ultralytics.py")
TRACK_THRESHOLD: Final = 0.1  # what the peer's `track` starts with


def start_peer(args: argparse.Namespace, clip: Path, folder: Path, size: int, batch: int, threads: int) -> Side:
    """The peer with an input of `size` pixels."""
    scratch = Path(tempfile.mkdtemp(dir=folder))
    command = [args.peer_python, str(PEER), str(clip.resolve()), "--weights", str(args.peer_weights.resolve())]
    command += ["--size", str(size), "--batch-size", str(batch), "--threads", str(threads), "--scratch", str(scratch)]
    return Side(command, scratch / "log", folder=scratch)


def speeds(args: argparse.Namespace, clip: Path, folder: Path, threads: int) -> dict[str, Any]:
    """The speed rows of one clip."""
    sides = {"stance": stance_side(clip, threads, folder / f"{clip.stem}.log")}
    try:
        for size in args.size:
            for batch in args.batch_size:
                sides[f"peer {size} px, batch {batch}"] = start_peer(args, clip, folder, size, batch, threads)
        take_turns(sides, args.frames, args.repeats, args.budget)
    finally:
        for side in sides.values():
            side.close()
    rows = {name: report(side, sides["stance"]) for name, side in sides.items()}
    print(f"{clip.name}, {args.frames} frames, {threads} cores and threads each")
    print(f"{'':<22}{'frames/s':>22} {'Stance is × as fast':>20} {'CPU-ms/frame':>13} {'people':>7} {'crops':>6}")
    for name, row in rows.items():
        row["stance_over_this"] = report(sides["stance"], sides[name])["over_reference"]
        print(
            f"{name:<22}{show(row['frames_per_second']):>22} {show(row['stance_over_this'], 2):>20} "
            f"{row['cpu_ms_per_frame']['median']:>13.1f} {row['people_per_frame']:>7} "
            f"{row.get('crops_per_frame', '–'):>6}"
        )
    return rows


def qualities(args: argparse.Namespace, clip: Path, folder: Path, threads: int) -> dict[str, Any]:
    """AP of all sides on the same labelled pictures."""
    labelled = read_labelled(args.data)
    labelled = replace(labelled, pictures=labelled.pictures[: args.limit])
    estimator = estimator_of(args)
    ours = evaluate_pose(estimator, labelled, quiet=True)
    rows: dict[str, Any] = {"stance": {**about(estimator), "ap": round(ours.ap, 4), "ap50": round(ours.ap50, 4)}}
    estimator.close()
    for size in args.size:
        side = start_peer(args, clip, folder, size, 1, threads)
        found = folder / f"found-{size}.npz"
        side.ask(pictures=[str(picture.path.resolve()) for picture in labelled.pictures], found=str(found))
        side.close()
        row: dict[str, float] = {}
        rows[f"peer {size} px"] = row
        for name, threshold in (("", TRACK_THRESHOLD), ("_from_0.001", 0.001)):
            scores = score_detections(labelled, _people(labelled, found, threshold))
            row |= {f"ap{name}": round(scores.ap, 4), f"ap50{name}": round(scores.ap50, 4)}
    for name, row in rows.items():
        print(f"{args.data.name}, {len(labelled)} pictures: {name} {row}")
    nearest = min(args.size, key=lambda size: abs(rows[f"peer {size} px"]["ap"] - rows["stance"]["ap"]))
    print(f"nearest to ours in AP: {nearest} px")
    return {"data": args.data.name, "pictures": len(labelled), "nearest_size": nearest, "figures": rows}


def _people(labelled: LabelledSet, file: Path, threshold: float) -> list[Poses]:
    """Whom the peer found in every picture, best first; their boxes, which nothing judges, are empty."""
    with np.load(file) as arrays:
        keypoints, scores, picture = arrays["keypoints"], arrays["scores"], arrays["picture"]
    everybody = []
    for number in range(len(labelled)):
        rows = np.flatnonzero((picture == number) & (scores >= threshold))
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        everybody.append(Poses(keypoints[rows], np.zeros((len(rows), 4), np.float32), scores[rows]))
    return everybody


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    parser.add_argument("--peer-python", metavar="PATH", help="the Python of an environment with ultralytics")
    parser.add_argument("--peer-weights", type=Path, metavar="FILE", help="yolo11n-pose.pt")
    parser.add_argument("--size", type=int, nargs="+", default=[416, 640], help="longest sides of the peer's input")
    parser.add_argument("--batch-size", type=int, nargs="+", default=[1, 4], help="of the peer")
    parser.add_argument("--data", type=Path, default=DATA, help="labelled pictures (../shared/data/coco_val300)")
    parser.add_argument("--limit", type=int, help="only the first so many of them; 0 leaves AP out")
    parser.add_argument("--frames", type=int, default=120, help="of the clip, from its start (120)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--budget", type=float, default=90, metavar="SECONDS", help="of a clip: no new repeat after it")
    parser.add_argument("--cores", type=int, help="cores, and threads of the network, of every side (all)")
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    add_network_options(parser)
    args = parser.parse_args()
    if args.peer_python is None or args.peer_weights is None:
        print(
            "Skipped: no peer. Make its environment as bench/README.md says, then give --peer-python and its weights."
        )
        return 0
    if not os.access(args.peer_python, os.X_OK) or not args.peer_weights.is_file():
        parser.error(f"{args.peer_python} is no program, or {args.peer_weights} no file.")
    threads = limit_cores(args.cores)
    before = load()
    result: dict[str, Any] = {"frames": args.frames, "threads_and_cores": threads, "clips": {}}
    with tempfile.TemporaryDirectory() as name:
        try:
            for clip in args.clips:
                result["clips"][clip.name] = speeds(args, clip, Path(name), threads)
            if args.limit != 0:
                result["average_precision"] = qualities(args, args.clips[0], Path(name), threads)
        except SideError as error:
            print(f"A side broke off:\n{error}", file=sys.stderr)
            return 1
    write(args.out, result, before, machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
