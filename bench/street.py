"""Frames per second of a clip of many people, fresh keypoints for everybody in every frame, against older code.

    python -m bench.street [CLIP] [--against 6e084b0] [--calm 0.3] [--settled 0.3]

The older code runs with the weights and the starter database of its own commit, in a process of its own, and takes
turns with ours; so does ours with keypoints of calm people less often (`pose.calm_every_seconds`), and of everybody
whose label is settled (`pose.settled_every_seconds`); `bench.detection_interval` tells what that loses. Every row says
how many crops of people and how many whole pictures a frame cost.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from bench.machine import REPOSITORY, limit_cores, load, machine, show, write
from bench.sides import Side, report, stance_side, take_turns

RESULT: Final = Path(__file__).parent / "results" / "street.json"
CLIP: Final = REPOSITORY.parent / "shared" / "videos" / "street_pedestrians.mp4"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, nargs="?", default=CLIP)
    parser.add_argument("--against", default="6e084b0", metavar="COMMIT", help="the last one with one fused network")
    parser.add_argument("--calm", type=float, default=0.3, metavar="SECONDS", help="pose.calm_every_seconds (0.3)")
    parser.add_argument(
        "--settled", type=float, default=0.3, metavar="SECONDS", help="pose.settled_every_seconds (0.3)"
    )
    parser.add_argument("--frames", type=int, default=200, help="of the clip, from its start (200)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--budget", type=float, default=120, metavar="SECONDS", help="no new repeat after this (120)")
    parser.add_argument("--cores", type=int, help="cores, and threads of the network, of every side (all)")
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    args = parser.parse_args()
    threads = limit_cores(args.cores)
    before = load()
    sides: dict[str, Side] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unpack(args.against, folder / "older")
        try:
            sides[args.against] = stance_side(args.clip, threads, folder / "older.log", folder / "older")
            sides["now"] = stance_side(args.clip, threads, folder / "now.log")
            for name, pause in (("calm", args.calm), ("settled", args.settled)):
                less = ("--set", f"{name}_every_seconds={pause}")
                log = folder / f"{name}.log"
                sides[f"{name} {pause:g} s"] = stance_side(args.clip, threads, log, REPOSITORY, *less)
            take_turns(sides, args.frames, args.repeats, args.budget)
        finally:
            for side in sides.values():
                side.close()
    figures: dict[str, Any] = {}
    for name, side in sides.items():
        row = figures[name] = report(side, sides[args.against])
        print(
            f"{name:<12}{show(row['frames_per_second']):>22} frames/s {show(row['over_reference'], 2):>20} × "
            f"{row['cpu_ms_per_frame']['median']:>7.1f} CPU-ms {row['people_per_frame']:>6} people "
            f"{row['crops_per_frame']:>6} crops {row['detections_per_frame']:>5} whole pictures"
        )
    result = {
        "clip": args.clip.name,
        "frames": args.frames,
        "threads_and_cores": threads,
        "repeats": len(sides["now"].passes),
        "figures": figures,
    }
    write(args.out, result, before, machine())
    return 0


def unpack(commit: str, folder: Path) -> None:
    """The files of a commit, its weights among them."""
    command = ["git", "archive", commit, "pose", "index", "stream", "weights", "pyproject.toml"]
    archive = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


if __name__ == "__main__":
    sys.exit(main())
