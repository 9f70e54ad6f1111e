"""Frames per second from a clip to labels and to an annotated video, beside those of the network alone.

    python -m bench.end_to_end CLIP

In one process and interleaved, so that drift of the machine hits all alike:

    network    the network only, on prepared tensors: same precision, batch, input shape, threads and cores; one batch
               after the other, all threads working on it
    parallel   the same, but every thread works on a batch of its own (CPU only)
    estimator  frames in memory to people: pre-process, network, decode, NMS
    labels     the clip to JSON lines: read, estimator, embed, search, track, smooth, write
    video      the same, drawn and encoded as H.264 beside it

See bench/README.md for the contract.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from bench.machine import allowed_cores, cpu_seconds, limit_cores, load, machine, show, spread, write

RESULT: Final = Path(__file__).parent / "results" / "end_to_end.json"


class Stages:
    """Adds up wall time and CPU time of stages; the CPU time is that of the calling thread alone."""

    def __init__(self) -> None:
        from stream.run.profile import Profile

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
    """What is measured. Each takes no argument and gives the number of frames it handled."""

    def __init__(self, clip: Path, frames: int, settings: Any, prefix: str | None, scratch: Path) -> None:
        import torch

        from stream.assembly import make_estimator, open_from_settings, open_index

        self.settings = settings
        self.scratch = scratch
        self.clip = clip
        self.profile = Stages()
        self.estimator = make_estimator(settings, self.profile.stage)
        self.index = open_index(settings, prefix)
        with open_from_settings(clip, settings) as source:
            self.pictures = [frame.bgr for frame in itertools.islice(source, frames)]
            self.source_info = source.info
        self.frames = len(self.pictures)
        self.tensors = self._tensors()
        self._torch = torch
        self.people = 0

    def _tensors(self) -> list[Any]:
        """The clip as the network's input, ready."""
        import torch

        from pose.inference.letterbox import Letterbox

        estimator, tensors = self.estimator, []
        with torch.inference_mode():
            for start, size in itertools.product(range(0, self.frames, estimator.batch_size), estimator.image_sizes):
                batch = self.pictures[start : start + estimator.batch_size]
                boxes = [Letterbox.fit(*picture.shape[:2], size, estimator._stride) for picture in batch]
                tensors.append(estimator._prepare(boxes[0].shape, batch, boxes))
        return tensors

    def _synchronise(self) -> None:
        if self.estimator.device.type == "cuda":
            self._torch.cuda.synchronize(self.estimator.device)

    def network(self) -> int:
        """The network on prepared tensors."""
        with self._torch.inference_mode():
            for x in self.tensors:
                self.estimator._model(x)
            self._synchronise()
        return self.frames

    def parallel(self) -> int:
        """The network on prepared tensors, as many batches at once as there are threads, one thread each."""
        torch, threads = self._torch, self._torch.get_num_threads()

        def work(first: int) -> None:
            with torch.inference_mode():
                for x in self.tensors[first::threads]:
                    self.estimator._model(x)

        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(work, range(threads)))
        torch.set_num_threads(threads)  # PyTorch takes a worker's value for threads to come
        return self.frames

    def estimate(self) -> int:
        """Frames in memory to people."""
        size = self.estimator.batch_size
        for start in range(0, self.frames, size):
            self.estimator(self.pictures[start : start + size])
        return self.frames

    def labels(self) -> int:
        """The clip to JSON lines."""
        return self._run(video=False)

    def video(self) -> int:
        """The clip to JSON lines and an annotated video."""
        return self._run(video=True)

    def _run(self, *, video: bool) -> int:
        from stream.assembly import open_from_settings
        from stream.drawing.overlay import Overlay
        from stream.pipeline import scenes, write
        from stream.run.profile import TimedSink
        from stream.sinks.background import BackgroundSink
        from stream.sinks.json_lines import JsonLinesSink
        from stream.sinks.video.recording import Recording

        stage, settings = self.profile.stage, self.settings
        source = open_from_settings(self.clip, settings)
        sinks: list[Any] = [TimedSink(JsonLinesSink(self.scratch / "out.jsonl", source), stage)]
        if video:
            path = self.scratch / "out.mp4"
            out = Recording(path, source, output=settings.output)
            sinks.append(BackgroundSink(TimedSink(out, stage), path.name, when_full="wait"))
        overlay = Overlay(settings.overlay, settings.pose.keypoint_threshold)
        found = scenes(source, self.estimator, self.index, settings, stage=stage)
        done = people = 0
        with closing(write(found, sinks, overlay, stage)) as written:
            for scene in written:
                done += 1
                people += len(scene.people)
                if done == self.frames:
                    break
        self.people = people
        return done

    def gflop(self) -> float:
        """Floating-point operations of one picture, two per multiply-add, in units of 10⁹."""
        from torch.utils.flop_counter import FlopCounterMode

        with self._torch.no_grad(), FlopCounterMode(display=False) as counter:
            self.estimator._model(self.tensors[0][:1].clone())
        return counter.get_total_flops() / 1e9


def measure(variants: Variants, repeats: int, budget_seconds: float) -> dict[str, Any]:
    """Every variant once to warm up, then all of them in turn, `repeats` times or until the budget is spent."""
    deadline = time.monotonic() + budget_seconds
    steps = {
        "network": variants.network,
        "parallel": variants.parallel,
        "estimator": variants.estimate,
        "labels": variants.labels,
        "video": variants.video,
    }
    if variants.estimator.device.type != "cpu":
        del steps["parallel"]
    speeds: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    stages: dict[str, list[dict[str, tuple[float, float]]]] = defaultdict(list)
    for repeat, (name, step) in itertools.product(range(-1, repeats), steps.items()):
        if repeat >= 1 and time.monotonic() > deadline:
            break  # a round that was begun does not count
        if repeat == 0 and time.monotonic() > deadline:
            sys.exit("The warm-up alone took the whole budget: this machine is too busy to measure anything on.")
        cpu_before, start = cpu_seconds(), time.perf_counter()
        frames = step()
        seconds = time.perf_counter() - start
        spent = variants.profile.take(frames)
        if repeat >= 0:
            speeds[name].append(frames / seconds)
            cpu[name].append(1e3 * (cpu_seconds() - cpu_before) / frames)
            stages[name].append(spent)
    rounds = min(len(speeds[name]) for name in steps)
    for of_all in (speeds, cpu, stages):
        for values in of_all.values():
            del values[rounds:]
    result: dict[str, Any] = {}
    for name in steps:
        # The stricter measure: of the two ways to run the network alone, the one that was faster in that round.
        best = [
            max(pair) for pair in zip(*(speeds[way] for way in ("network", "parallel") if way in speeds), strict=True)
        ]
        ratios = [ours / network for ours, network in zip(speeds[name], speeds["network"], strict=True)]
        strict = [ours / network for ours, network in zip(speeds[name], best, strict=True)]
        result[name] = {
            "frames_per_second": spread(speeds[name]),
            "over_network": spread(ratios, 3),
            "over_best": spread(strict, 3),
            "cpu_ms_per_frame": spread(cpu[name]),
            "stage_ms_per_frame": {
                stage: {
                    "wall": round(statistics.median(row[stage][0] for row in stages[name]), 3),
                    "thread_cpu": round(statistics.median(row[stage][1] for row in stages[name]), 3),
                }
                for stage in stages[name][0]
            },
        }
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=120, help="of the clip, from its start (120)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--budget", type=float, default=80, metavar="SECONDS", help="no new repeat after this (80)")
    parser.add_argument("--cores", type=int, help="keep everything on this many cores (all)")
    parser.add_argument("--threads", type=int, help="of the network (one per core)")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--network", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--index", metavar="PREFIX", help="database to search (the starter database)")
    parser.add_argument("--read-ahead", type=int, help="batches of a recording that may wait (as the library has it)")
    parser.add_argument("--cv-threads", type=int, help="threads of OpenCV (as the library has it)")
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    args = parser.parse_args()
    if not args.clip.is_file():
        parser.error(f"{args.clip}: there is no such file.")
    limit_cores(args.cores)
    before = load()

    import cv2
    import stream.reading.batcher
    import torch

    from stream.settings.model import Settings

    if args.cv_threads is not None:
        cv2.setNumThreads(args.cv_threads)
    if args.read_ahead is not None:
        stream.reading.batcher.READ_AHEAD = args.read_ahead
    settings = Settings.model_validate(
        {
            "pose": {
                "threads": args.threads or allowed_cores(),
                "batch_size": args.batch_size,
                "image_size": args.image_size,
                "network": args.network,
                "device": args.device,
                "precision": args.precision,
            }
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        variants = Variants(args.clip, args.frames, settings, args.index, Path(folder))
        figures = measure(variants, args.repeats, args.budget)
    estimator = variants.estimator
    result = {
        "clip": args.clip.name,
        "picture": f"{variants.source_info.width}x{variants.source_info.height}",
        "frames": variants.frames,
        "people_per_frame": round(variants.people / variants.frames, 2),
        "network": estimator.network,
        "runtime": getattr(estimator, "runtime", "torch"),
        "device": str(estimator.device),
        "precision": estimator.precision,
        "input": list(variants.tensors[0].shape),
        "gflop_per_picture": round(variants.gflop(), 2),
        "threads": {"torch": torch.get_num_threads(), "opencv": cv2.getNumThreads(), "cores": allowed_cores()},
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "read_ahead_batches": stream.reading.batcher.READ_AHEAD,
        "index_rows": variants.index.rows,
        "repeats": len(figures["network"]["frames_per_second"]["repeats"]),
        "figures": figures,
    }
    print(
        f"{args.clip.name} {result['picture']}, {variants.frames} frames, {result['people_per_frame']} people each; "
        f"{estimator.network} {estimator.precision} {result['gflop_per_picture']} GFLOP at {result['input']}, "
        f"{result['threads']}"
    )
    print(f"{'':<10} {'frames/s':>22} {'over network':>18} {'over the faster':>18} {'CPU-ms/frame':>13}")
    for name, row in figures.items():
        cpu = row["cpu_ms_per_frame"]["median"]
        print(
            f"{name:<10} {show(row['frames_per_second']):>22} {show(row['over_network'], 2):>18} "
            f"{show(row['over_best'], 2):>18} {cpu:>13.1f}"
        )
    for name in ("estimator", "labels", "video"):
        stages = figures[name]["stage_ms_per_frame"].items()
        print(f"{name}, ms/frame wall (CPU of its thread):", end=" ")
        print(", ".join(f"{stage} {spent['wall']:.2f} ({spent['thread_cpu']:.2f})" for stage, spent in stages))
    write(args.out, result, before, machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
