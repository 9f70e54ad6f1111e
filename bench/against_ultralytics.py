"""Stance from a clip to labelled people, against `track` of ultralytics with an untrained yolov8n-pose.

    python -m bench.against_ultralytics CLIP --peer-python PATH

Every side runs in a process and environment of its own, on the same cores, with the same input size; they take turns.
The peer's weights are random, so it finds nobody and does nothing after its NMS; Stance finds, names and tracks people
in the same time. See bench/README.md for the contract and for the peer's environment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any, Final

from bench.machine import REPOSITORY, limit_cores, load, machine, show, spread, write

RESULT: Final = Path(__file__).parent / "results" / "against_ultralytics.json"
PEER: Final = Path(__file__).with_name("peer_ultralytics.py")


class SideError(RuntimeError):
    """A side could not start or broke off."""


class Side:
    """A process that waits for its turn: it is asked for a number of frames and tells how long they took."""

    def __init__(self, command: list[str], log: IO[bytes]) -> None:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        if "-m" in command:
            environment["PYTHONPATH"] = str(REPOSITORY)
        self._log = log
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
        self.about = self._answer()
        self.passes: list[dict[str, Any]] = []

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._log.flush()
            tail = Path(self._log.name).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-15:]
            raise SideError("\n".join(tail) or f"ended with code {self._process.returncode}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def run(self, frames: int) -> dict[str, Any]:
        """One pass over the first `frames` frames of the clip."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"frames": frames}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


def start_sides(args: argparse.Namespace, folder: Path, threads: int) -> dict[str, Side]:
    """Stance, and the peer with every runtime it has; a peer's runtime that cannot be had is told and left out."""
    clip = str(args.clip.resolve())
    command = [sys.executable, "-m", "bench.side_stance", clip]
    command += ["--image-size", str(args.image_size), "--threads", str(threads)]
    if args.batch_size:
        command += ["--batch-size", str(args.batch_size)]
    if args.index:
        command += ["--index", args.index]
    sides = {"stance": Side(command, (folder / "stance.log").open("wb"))}
    height, width = sides["stance"].about["input"]
    batch = sides["stance"].about["batch_size"]
    for name, runtime, batch_size in (
        (f"peer torch, batch {batch}", "torch", batch),
        ("peer openvino, batch 1", "openvino", 1),
        (f"peer openvino, batch {batch}", "openvino", batch),
    ):
        scratch = folder / f"{runtime}-{batch_size}"
        if name in sides:
            continue
        scratch.mkdir()
        command = [args.peer_python, str(PEER), clip, "--runtime", runtime, "--batch-size", str(batch_size)]
        command += ["--height", str(height), "--width", str(width), "--threads", str(threads)]
        command += ["--mode", args.mode, "--scratch", str(scratch)]
        try:
            sides[name] = Side(command, (folder / f"{runtime}-{batch_size}.log").open("wb"))
        except SideError as error:
            print(f"{name} is left out; it said:\n{error}", file=sys.stderr)
    return sides


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--peer-python", metavar="PATH", help="the Python of an environment with ultralytics")
    parser.add_argument("--mode", choices=("track", "predict"), default="track", help="of the peer")
    parser.add_argument("--frames", type=int, default=120, help="of the clip, from its start (120)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--budget", type=float, default=90, metavar="SECONDS", help="no new repeat after this (90)")
    parser.add_argument("--cores", type=int, help="cores, and threads of the network, of every side (all)")
    parser.add_argument("--batch-size", type=int, help="of both (what Stance takes by itself)")
    parser.add_argument("--image-size", type=int, default=416, help="longest side of the network's input")
    parser.add_argument("--index", metavar="PREFIX", help="database Stance searches (the starter database)")
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    args = parser.parse_args()
    if not args.clip.is_file():
        parser.error(f"{args.clip}: there is no such file.")
    if args.peer_python is None:
        print("Skipped: no peer. Make its environment as bench/README.md says, then give --peer-python PATH.")
        return 0
    if not os.access(args.peer_python, os.X_OK):
        parser.error(f"--peer-python {args.peer_python}: there is no such program.")
    threads = limit_cores(args.cores)
    before = load()
    sides: dict[str, Side] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            sides = start_sides(args, Path(folder), threads)
            if len(sides) == 1:
                print("Skipped: the peer does not run in that environment (see above).")
                return 0
            deadline = time.monotonic() + args.budget
            for side in sides.values():  # warm-up
                side.run(args.frames)
            for repeat in range(args.repeats):
                if repeat >= 1 and time.monotonic() > deadline:
                    break
                for side in sides.values():
                    side.passes.append(side.run(args.frames))
        except SideError as error:
            print(f"A side broke off:\n{error}", file=sys.stderr)
            return 1
        finally:
            for side in sides.values():
                side.close()
    figures = {name: report(side, sides["stance"]) for name, side in sides.items()}
    about = sides["stance"].about
    print(f"{args.clip.name}, {args.frames} frames, input {about['input']}, {threads} cores and threads each")
    print(f"{'':<26}{'GFLOP':>6} {'frames/s':>22} {'Stance is × faster':>20} {'CPU-ms/frame':>13} {'GFLOP/s':>8}")
    for name, row in figures.items():
        cpu, rate = row["cpu_ms_per_frame"]["median"], row["gflop_per_second"]
        print(
            f"{name + ' ' + row['precision']:<26}{row['gflop_per_picture']:>6} {show(row['frames_per_second']):>22} "
            f"{show(row['stance_over_this'], 2):>20} {cpu:>13.1f} {rate:>8.0f}"
        )
    result = {
        "clip": args.clip.name,
        "frames": args.frames,
        "input": about["input"],
        "threads_and_cores": threads,
        "repeats": len(sides["stance"].passes),
        "figures": figures,
    }
    write(args.out, result, before, machine())
    return 0


def report(side: Side, stance: Side) -> dict[str, Any]:
    """The figures of one side over its passes."""
    speeds = [one["frames"] / one["seconds"] for one in side.passes]
    ours = [one["frames"] / one["seconds"] for one in stance.passes]
    frames = spread(speeds)
    return {
        **side.about,
        "frames_per_second": frames,
        "stance_over_this": spread([a / b for a, b in zip(ours, speeds, strict=True)], 3),
        "cpu_ms_per_frame": spread([1e3 * one["cpu_seconds"] / one["frames"] for one in side.passes]),
        "gflop_per_second": round(frames["median"] * side.about["gflop_per_picture"], 1),
        "people_per_frame": round(side.passes[-1]["people"] / side.passes[-1]["frames"], 2),
        "torch_threads": side.passes[-1]["torch_threads"],
    }


if __name__ == "__main__":
    sys.exit(main())
