"""What the loop costs beside decoding and the network, and whether it stays as it is over 200,000 frames.

    python -m bench.loop [--frames 200000]

The network is replaced by one that recites made people (`bench/crowd.py`); everything else is what `stance run` uses.

- overhead: frames that lie in memory go through batcher, tracker, keypoint filter, embedding, search in the starter
  database, vote and smoothing; milliseconds per frame, with 5 people in each, for 1, 4 and 16 sources: of CPU time, all
  threads together, and of wall time. Once four frames at a time, as recordings and cameras on a GPU come, and once one
  at a time, as cameras on a CPU. The limit is 1 ms. The cores of a shared machine change their speed by half within
  minutes, so a yardstick is measured before and after every round: a small step of NumPy, the larger of two arrays of
  five people's 17 numbers. The loop is some thousand such steps; their number stays the same where milliseconds do not.
- soak: a real clip of so many small pictures, read by the real file source as fast as it goes, labelled, drawn, written
  as H.264, JSON lines and a timeline. Resident memory, open files and threads are noted along the way.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from bench.crowd import crowd
from bench.machine import cpu_seconds, limit_cores, load, machine, show, spread, write
from index.posture_index import PostureIndex
from index.storage.store import choose_prefix
from pose.poses import Poses
from stream.drawing.overlay import Overlay
from stream.frame import Frame
from stream.pipeline import scenes
from stream.pipeline import write as write_scenes
from stream.reading.batcher import FrameBatcher
from stream.run.tally import Tally
from stream.settings.model import Settings
from stream.sinks.json_lines import JsonLinesSink
from stream.sinks.timeline.sink import TimelineSink
from stream.sinks.video.recording import Recording
from stream.sources.base import SourceInfo, open_source
from stream.sources.status import SourceState, SourceStatus

PEOPLE = 5
LIMIT_MS = 1.0


class Reciter:
    """In the network's place: the people of a made crowd, frame after frame of every source, which the first number of
    the picture names."""

    concurrency = 1
    device = type("Device", (), {"type": "cpu"})

    def __init__(self, people: int, batch_size: int = 4) -> None:
        self.batch_size = batch_size
        moments = [moment.poses for moment in crowd(people, 25, 16.0, miss=0.05)]
        self._moments = moments + moments[::-1]
        self._of_source: dict[int, Iterator[Poses]] = {}

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[Poses]:
        return [next(self._recital(int(picture[0, 0, 0]))) for picture in pictures]

    def _recital(self, source: int) -> Iterator[Poses]:
        if source not in self._of_source:
            self._of_source[source] = islice(cycle(self._moments), 40 * source, None)
        return self._of_source[source]


class InMemory:
    """A recording whose pictures need no decoding."""

    live, still, path = False, False, None
    info = SourceInfo(640, 480, 25.0)
    status = SourceStatus(SourceState.LIVE)

    def __init__(self, number: int, frames: int) -> None:
        self.name, self._frames = f"camera {number}", frames
        self._picture = np.full((480, 640, 3), number, np.uint8)

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self._frames):
            yield Frame(self._picture, self.name, number, 0, number / 25, time.monotonic())

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> InMemory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def main() -> int:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=200_000, help="of the soak; 0 leaves it out")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cores", type=int)
    parser.add_argument("--out", default="bench/results/loop.json")
    args = parser.parse_args()
    limit_cores(args.cores)
    before, facts = load(), machine()
    index = PostureIndex.load(choose_prefix(None), device="cpu")
    result: dict[str, Any] = {"people": PEOPLE, "limit_ms": LIMIT_MS}
    for batch_size in (4, 1):
        overhead = result[f"per_frame_by_sources_batches_of_{batch_size}"] = _overhead(index, batch_size, args.repeats)
        for sources, figures in overhead.items():
            print(
                f"{sources} sources, {PEOPLE} people each, {batch_size} frames at a time: "
                f"{show(figures['cpu_ms'], 2)} ms of CPU a frame, {show(figures['wall_ms'], 2)} of time "
                f"(limit {LIMIT_MS:g}), {show(figures['steps'], 0)} steps of {show(figures['step_us'], 2)} µs"
            )
    if args.frames:
        result["soak"] = _soak(index, args.frames)
    write(args.out, result, before, facts)
    return 0


def _overhead(index: PostureIndex, batch_size: int, repeats: int) -> dict[str, Any]:
    settings = Settings()
    wall: dict[str, list[float]] = {"1": [], "4": [], "16": []}
    cpu: dict[str, list[float]] = {count: [] for count in wall}
    step: dict[str, list[float]] = {count: [] for count in wall}
    for repeat in range(-1, repeats):  # the first one warms up
        for count in wall:
            frames = 1600 // int(count)
            sources = [InMemory(n, frames) for n in range(int(count))]
            reciter = Reciter(PEOPLE, batch_size)
            step_before = _step_us()
            start, start_cpu = time.perf_counter(), cpu_seconds()
            with FrameBatcher(sources) as batcher:
                done = sum(1 for _ in scenes(batcher, reciter, index, settings, tally=Tally()))  # type: ignore[arg-type]
            if repeat >= 0:
                wall[count].append(1e3 * (time.perf_counter() - start) / done)
                cpu[count].append(1e3 * (cpu_seconds() - start_cpu) / done)
                step[count].append((step_before + _step_us()) / 2)
    return {
        count: {
            "cpu_ms": spread(cpu[count], 3),
            "wall_ms": spread(wall[count], 3),
            "step_us": spread(step[count], 3),
            "steps": spread([1e3 * ms / us for ms, us in zip(cpu[count], step[count], strict=True)], 0),
        }
        for count in wall
    }


def _step_us() -> float:
    """What a small step of NumPy costs here and now, microseconds of this thread's CPU time."""
    a, b = np.zeros((PEOPLE, 17)), np.ones((PEOPLE, 17))
    start = time.thread_time()
    for _ in range(20_000):
        np.maximum(a, b)
    return (time.thread_time() - start) / 20_000 * 1e6


def _soak(index: PostureIndex, frames: int) -> dict[str, Any]:
    settings = Settings()
    notes: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        _write_clip(clip, frames)
        start, done = time.perf_counter(), 0
        with open_source(clip) as source:
            sinks = [
                Recording(Path(folder) / "out.mp4", source, output=settings.output),
                JsonLinesSink("/dev/null", source),
                TimelineSink(Path(folder) / "out.csv", source),
            ]
            overlay = Overlay(settings.overlay, settings.pose.keypoint_threshold, index.classes)
            found = scenes(source, Reciter(PEOPLE), index, settings, tally=Tally())  # type: ignore[arg-type]
            for _ in write_scenes(found, sinks, overlay):
                done += 1
                if done % (frames // 20) == 0:
                    notes.append({"frames": done, **_standing()})
                    print(
                        f"{done} frames, {done / (time.perf_counter() - start):.0f} a second: {notes[-1]}", flush=True
                    )
        seconds = time.perf_counter() - start
        with open_source(Path(folder) / "out.mp4") as written:
            whole = written.info.frame_count
    settled = notes[len(notes) // 4]
    growth = notes[-1]["resident_mb"] / settled["resident_mb"] - 1
    print(f"{done} frames in {seconds:.0f} s; memory {100 * growth:+.1f} % since a quarter of them")
    return {
        "frames": done,
        "frames_in_the_video": whole,
        "seconds": round(seconds, 1),
        "memory_growth_since_a_quarter": round(growth, 4),
        "notes": notes,
    }


def _standing() -> dict[str, Any]:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        "resident_mb": round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1),
        "open_files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
    }


def _write_clip(path: Path, frames: int) -> None:
    """Small pictures in which something moves."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "250"})
        stream.width, stream.height, stream.pix_fmt = 96, 72, "yuv420p"
        planes = np.full((108, 96), 110, np.uint8)
        for number in range(frames):
            planes[:72] = 110
            planes[20:40, number % 80 : number % 80 + 16] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
        container.mux(stream.encode())


if __name__ == "__main__":
    sys.exit(main())
