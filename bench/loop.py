"""What the loop costs beside decoding and the network, and whether it stays as it is over 200,000 frames.

    python -m bench.loop [--frames 200000]

The network is replaced by one that recites made people (`bench/crowd.py`); everything else is what `stance run` uses.

- overhead: frames that lie in memory go through scheduler, tracker, keypoint filter, embedding, search in the starter
  database, vote and smoothing; milliseconds per frame, with 5 people in each, for 1, 4 and 16 sources: of CPU time, all
  threads together, and of wall time. `recital`: everybody is told in one step, as by a one-shot network. `finder`: the
  network is asked for a detection now and then and for everybody's crop in every frame, so the pose finder's own work
  is in it; cutting the crops out and reading heat maps, which belong to the network, are told apart (`crops`). The
  limit is 1 ms. The cores of a shared machine change their speed by half within minutes, so a yardstick is measured
  before and after every round: a small step of NumPy, the larger of two arrays of five people's 17 numbers. The loop is
  some thousand such steps; their number stays the same where milliseconds do not.
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
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from bench.crowd import crowd
from bench.machine import cpu_seconds, limit_cores, load, machine, show, spread, write
from index.posture_index import PostureIndex
from index.storage.store import choose_prefix
from pose.detections import Detections
from pose.inference.crops import crop_matrices, cut_crops
from pose.inference.heatmaps import decode_heatmaps
from pose.inference.steps import Answer, Steps
from pose.network_descriptions import describe_network
from pose.poses import Poses
from pose.top_down import TopDown
from stream.drawing.overlay import Overlay
from stream.frame import Frame
from stream.pipeline import scenes
from stream.pipeline import write as write_scenes
from stream.reading.scheduler import Scheduler
from stream.run.tally import Tally
from stream.settings.model import Settings
from stream.sinks.base import Sink
from stream.sinks.json_lines import JsonLinesSink
from stream.sinks.timeline.sink import TimelineSink
from stream.sinks.video.recording import Recording
from stream.sources.base import SourceInfo
from stream.sources.opening import open_source
from stream.sources.status import SourceState, SourceStatus

PEOPLE = 5
LIMIT_MS = 1.0


class Reciter:
    """In the network's place: the people of a made crowd, frame after frame of every source, which the first number of
    the picture names.

    Args:
        people: in every frame.
        two_steps: whether it has a detector and a keypoint network, or tells people with their keypoints at once.
    """

    concurrency = 2
    person_threshold = 0.2
    high_score_threshold = 0.3
    description = describe_network("yolov7-w6-pose")

    def __init__(self, people: int, *, two_steps: bool = False) -> None:
        # A finder looks again at whoever was missed, and so would be told nobody's keypoints.
        noise: dict[str, Any] = {"miss": 0.0, "twice": 0.0, "ghosts_per_second": 0.0} if two_steps else {"miss": 0.05}
        moments = [moment.poses for moment in crowd(people, 25, 16.0, **noise)]
        self._moments = moments + moments[::-1]
        self._of_source: dict[int, Iterator[Poses]] = {}
        self._now: dict[int, Poses] = {}
        self.newcomers_next: set[int] = set()
        self.top_down = TopDown(_Detector(self), _Keypoints(self)) if two_steps else None  # type: ignore[arg-type]

    def find(self, bgr: np.ndarray) -> Steps[Poses]:
        """As `PoseEstimator.find`."""
        yield ()
        return self.next_of(bgr)

    def next_of(self, bgr: np.ndarray) -> Poses:
        """The people of the next frame of a picture's source."""
        source = int(bgr[0, 0, 0])
        if source not in self._of_source:
            self._of_source[source] = islice(cycle(self._moments), 40 * source, None)
        self._now[source] = poses = next(self._of_source[source])
        return poses

    def now(self, bgr: np.ndarray) -> Poses:
        """The people of the frame that was told last."""
        return self._now[int(bgr[0, 0, 0])]


class _Detector:
    max_people = 20

    def __init__(self, reciter: Reciter) -> None:
        self._reciter = reciter

    def ask(self, bgr: np.ndarray, *, turned: bool = False) -> Answer[Detections]:
        poses = self._reciter.now(bgr)
        self._reciter.newcomers_next.add(int(bgr[0, 0, 0]))
        return Answer((), lambda _: Detections.upright(poses.boxes, poses.scores))


class _Keypoints:
    """Tells those who are nearest to the crops. The first question about a frame is for everybody who is known, so it
    turns the page; the one after a detection is for newcomers in the same frame."""

    def __init__(self, reciter: Reciter) -> None:
        self._reciter = reciter

    def ask(
        self,
        bgr: np.ndarray,
        boxes: np.ndarray,
        angles: np.ndarray | None = None,
        expected: object = None,
        *,
        thorough: bool = False,
    ) -> Answer[np.ndarray]:
        source, newcomers = int(bgr[0, 0, 0]), self._reciter.newcomers_next
        poses = self._reciter.now(bgr) if source in newcomers else self._reciter.next_of(bgr)
        newcomers.discard(source)
        if not len(poses) or not len(boxes):
            return Answer((), lambda _: np.zeros((len(boxes), 17, 3), np.float32))
        away = np.abs(boxes[:, None] - poses.boxes[None]).sum(axis=2)
        return Answer((), lambda _: poses.keypoints[away.argmin(axis=1)])


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
    for way in ("recital", "finder"):
        overhead = result[way] = _overhead(index, way == "finder", args.repeats)
        for sources, figures in overhead.items():
            print(
                f"{way}, {sources} sources, {PEOPLE} people each: "
                f"{show(figures['cpu_ms'], 2)} ms of CPU a frame, {show(figures['wall_ms'], 2)} of time "
                f"(limit {LIMIT_MS:g}), {show(figures['steps'], 0)} steps of {show(figures['step_us'], 2)} µs, "
                f"{figures['people_per_frame']} people told"
            )
    result["crops_ms"] = _crops_ms(args.repeats)
    print(f"cutting {PEOPLE} crops and reading their heat maps: {show(result['crops_ms'], 2)} ms of CPU a frame")
    if args.frames:
        result["soak"] = _soak(index, args.frames)
    write(args.out, result, before, facts)
    return 0


def _crops_ms(repeats: int) -> dict[str, Any]:
    """CPU milliseconds that five crops cost beside the network."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (720, 1280, 3), np.uint8)
    boxes = np.array([[200 * n, 100, 200 * n + 180, 600] for n in range(PEOPLE)], np.float32)
    maps = rng.random((PEOPLE, 17, 64, 48), np.float32)
    values = []
    for _ in range(repeats):
        start = time.thread_time()
        for _ in range(50):
            cut_crops(picture, crop_matrices(boxes))
            decode_heatmaps(maps)
        values.append(1e3 * (time.thread_time() - start) / 50)
    return spread(values, 3)


def _overhead(index: PostureIndex, two_steps: bool, repeats: int) -> dict[str, Any]:
    settings, people = Settings(), 0.0
    wall: dict[str, list[float]] = {"1": [], "4": [], "16": []}
    cpu: dict[str, list[float]] = {count: [] for count in wall}
    step: dict[str, list[float]] = {count: [] for count in wall}
    for repeat in range(-1, repeats):  # the first one warms up
        for count in wall:
            frames = 800 // int(count)
            sources = [InMemory(n, frames) for n in range(int(count))]
            reciter = Reciter(PEOPLE, two_steps=two_steps)
            step_before = _step_us()
            start, start_cpu = time.perf_counter(), cpu_seconds()
            with Scheduler(sources) as scheduler:
                found = scenes(scheduler, reciter, index, settings, tally=Tally())  # type: ignore[arg-type]
                told = [len(scene.people) for scene in found]
            done, people = len(told), sum(told) / len(told)
            if repeat >= 0:
                wall[count].append(1e3 * (time.perf_counter() - start) / done)
                cpu[count].append(1e3 * (cpu_seconds() - start_cpu) / done)
                step[count].append((step_before + _step_us()) / 2)
    return {
        count: {
            "cpu_ms": spread(cpu[count], 3),
            "wall_ms": spread(wall[count], 3),
            "step_us": spread(step[count], 3),
            "people_per_frame": round(people, 2),
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
            sinks: list[Sink] = [
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
