"""Frames per second from a clip to labels and to an annotated video, beside those of the network alone.

    python -m bench.end_to_end [CLIP]

In one process and interleaved, so that drift of the machine hits all alike:

    network    the network only: the very detector inputs and crops that `labels` asks about, as many at once as the
               runtime likes, one after the other of each kind
    labels     the clip to JSON lines: read, find people, embed, search, track, smooth, write
    video      the same, drawn and encoded as H.264 beside it

`over_network` is the share of the network's speed that is left. See bench/README.md for the contract.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.machine import REPOSITORY, allowed_cores, cpu_seconds, limit_cores, load, machine, show, spread, write
from bench.network import Calls, about, estimator_of, index_of, script_parser
from pose.inference.runtimes.runtime import Runtime
from stream.assembly import open_from_settings
from stream.drawing.overlay import Overlay
from stream.pipeline import scenes
from stream.pipeline import write as write_scenes
from stream.run.profile import Profile
from stream.settings.model import Settings
from stream.sinks.background import BackgroundSink
from stream.sinks.json_lines import JsonLinesSink
from stream.sinks.video.recording import Recording

RESULT: Final = Path(__file__).parent / "results" / "end_to_end.json"
CLIP: Final = REPOSITORY.parent / "shared" / "videos" / "street_pedestrians.mp4"


class Stages:
    """Adds up wall time and CPU time of stages; the CPU time is that of the calling thread alone."""

    def __init__(self) -> None:
        self._wall, self._cpu = Profile(), Profile(time.thread_time)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        with self._wall.stage(name), self._cpu.stage(name):
            yield

    def take(self, frames: int) -> dict[str, tuple[float, float]]:
        """Wall and CPU milliseconds per frame of every stage since the last call, in the order a frame meets them."""
        wall, cpu = (profile.milliseconds_per_frame(frames) for profile in (self._wall, self._cpu))
        self._wall.clear()
        self._cpu.clear()
        return {name: (wall[name], cpu[name]) for name in wall}


class Variants:
    """The three ways to spend a frame. Not thread-safe."""

    def __init__(self, args: argparse.Namespace, scratch: Path) -> None:
        self.clip, self.frames, self.scratch = args.clip, args.frames, scratch
        self.settings, self.stages = Settings(), Stages()
        self.estimator, self.index = estimator_of(args), index_of(args)
        self.calls, self.people = Calls(self.estimator), 0
        network = self.estimator.top_down
        if network is None:
            raise SystemExit(f"{self.estimator.network} has no detector and keypoint network of its own.")
        self._asked: list[tuple[Runtime, Any]] = []
        runtimes = (network.detector.runtime, *network.keypoints.runtimes)
        submits = [runtime.submit for runtime in runtimes]
        for runtime, submit in zip(runtimes, submits, strict=True):
            runtime.submit = partial(self._note, runtime, submit)  # type: ignore[method-assign]
        self.frames = self.labels()  # the clip may be shorter
        for runtime, submit in zip(runtimes, submits, strict=True):
            runtime.submit = submit  # type: ignore[method-assign]
        self.calls.take(1)

    def _note(self, runtime: Runtime, submit: Callable[[Any], Any], pictures: Any) -> Any:
        self._asked.append((runtime, pictures))
        return submit(pictures)

    def network(self) -> int:
        """All that was asked in the first pass over the clip, once more."""
        room = 2 * self.estimator.concurrency
        under_way: deque[Any] = deque()
        for runtime, pictures in self._asked:
            if len(under_way) >= room:
                under_way.popleft().result()
            under_way.append(runtime.submit(pictures))
        while under_way:
            under_way.popleft().result()
        return self.frames

    def labels(self) -> int:
        """The clip to JSON lines."""
        return self._run(video=False)

    def video(self) -> int:
        """The clip to JSON lines and an annotated video."""
        return self._run(video=True)

    def _run(self, *, video: bool) -> int:
        settings, stage = self.settings, self.stages.stage
        source = open_from_settings(self.clip, settings)
        sinks: list[Any] = [JsonLinesSink(self.scratch / "out.jsonl", source)]
        if video:
            path = self.scratch / "out.mp4"
            sinks.append(BackgroundSink(Recording(path, source, output=settings.output), path.name, when_full="wait"))
        overlay = Overlay(settings.overlay, settings.pose.keypoint_threshold, self.index.classes)
        found = scenes(source, self.estimator, self.index, settings, stage=stage)
        done = people = 0
        with closing(write_scenes(found, sinks, overlay, stage)) as written:
            for scene in written:
                done += 1
                people += len(scene.people)
                if done == self.frames:
                    break
        self.people = people
        return done


def measure(variants: Variants, repeats: int, budget_seconds: float) -> dict[str, Any]:
    """Every variant once to warm up, then all of them in turn, `repeats` times or until the budget is spent."""
    deadline = time.monotonic() + budget_seconds
    steps: dict[str, Callable[[], int]] = {
        "network": variants.network, "labels": variants.labels, "video": variants.video
    }  # fmt: skip
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for repeat in range(-1, repeats):
        if repeat >= 1 and time.monotonic() > deadline:
            break
        for name, step in steps.items():
            cpu, start = cpu_seconds(), time.perf_counter()
            frames = step()
            seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
            row = {"speed": frames / seconds, "cpu": 1e3 * cpu / frames, "stages": variants.stages.take(frames)}
            row |= variants.calls.take(frames)
            if repeat >= 0:
                rows[name].append(row)
    result: dict[str, Any] = {}
    for name, mine in rows.items():
        pairs = zip(mine, rows["network"], strict=True)
        result[name] = {
            "frames_per_second": spread([row["speed"] for row in mine]),
            "over_network": spread([row["speed"] / network["speed"] for row, network in pairs], 3),
            "cpu_ms_per_frame": spread([row["cpu"] for row in mine]),
            **{key: mine[-1][key] for key in ("crops_per_frame", "detections_per_frame") if key in mine[-1]},
            "stage_ms_per_frame": {
                stage: {
                    "wall": round(statistics.median(row["stages"][stage][0] for row in mine), 3),
                    "thread_cpu": round(statistics.median(row["stages"][stage][1] for row in mine), 3),
                }
                for stage in mine[0]["stages"]
            },
        }
    return result


def main() -> int:
    parser = script_parser(__doc__, RESULT)
    parser.add_argument("clip", type=Path, nargs="?", default=CLIP)
    parser.add_argument("--frames", type=int, default=120, help="of the clip, from its start (120)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--budget", type=float, default=80, metavar="SECONDS", help="no new repeat after this (80)")
    parser.add_argument("--cores", type=int, help="keep everything on this many cores (all)")
    args = parser.parse_args()
    limit_cores(args.cores)
    before = load()
    with tempfile.TemporaryDirectory() as folder:
        variants = Variants(args, Path(folder))
        figures = measure(variants, args.repeats, args.budget)
    result = {
        "clip": args.clip.name,
        "frames": variants.frames,
        "people_per_frame": round(variants.people / variants.frames, 2),
        **about(variants.estimator),
        "cores": allowed_cores(),
        "index_rows": variants.index.rows,
        "repeats": len(figures["network"]["frames_per_second"]["repeats"]),
        "figures": figures,
    }
    print({name: result[name] for name in result if name != "figures"})
    print(f"{'':<9} {'frames/s':>22} {'over network':>18} {'CPU-ms/frame':>13} {'crops':>6} {'whole':>6}")
    for name, row in figures.items():
        print(
            f"{name:<9} {show(row['frames_per_second']):>22} {show(row['over_network'], 2):>18} "
            f"{row['cpu_ms_per_frame']['median']:>13.1f} {row.get('crops_per_frame', ''):>6} "
            f"{row.get('detections_per_frame', ''):>6}"
        )
    for name in ("labels", "video"):
        stages = figures[name]["stage_ms_per_frame"].items()
        print(f"{name}, ms/frame wall (CPU of its thread):", end=" ")
        print(", ".join(f"{stage} {spent['wall']:.2f} ({spent['thread_cpu']:.2f})" for stage, spent in stages))
    write(args.out, result, before, machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
