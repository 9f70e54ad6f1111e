"""How old is what is labelled? Four live 25 fps cameras on the cores there are, with a clock drawn into every picture.

    python -m bench.four_cameras CLIP [--cameras 4] [--seconds 60]

Real RTSP servers send pictures of the clip, encoded as they are made, with the time of their making drawn in. At the
label that time is read from the picture, so the age holds everything: encoding, network, decoding, waiting, finding
people, naming. The limit is twice the time a batch takes in the network plus one frame interval. Whether the freshest
frame is labelled is told by how much older the labelled picture is than the newest one that had arrived when its batch
was made: never more than one interval.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.cameras import Server, clock_of, raw_pictures, share, standing
from bench.machine import limit_cores, load, machine, write
from index.posture_index import PostureIndex
from index.storage.store import choose_prefix
from pose.estimator import PoseEstimator
from pose.poses import Poses
from stream.pipeline import scenes
from stream.reading.batcher import FrameBatcher
from stream.run.tally import Tally
from stream.settings.model import Settings
from stream.sources.base import open_source

RATE = 25
SIZE = (640, 360)
SETTLING_SECONDS = 5.0


def main() -> int:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--image-size", type=int, default=None)
    parser.add_argument("--cores", type=int)
    parser.add_argument("--out", default="bench/results/four_cameras.json")
    args = parser.parse_args()
    limit_cores(args.cores)
    before, facts = load(), machine()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        raw = raw_pictures(args.clip, Path(folder) / "pictures.i420", SIZE, 100)
        servers = [Server(f"{raw}:{SIZE[0]}x{SIZE[1]}@{RATE}") for _ in range(args.cameras)]
        for server in servers:
            stack.callback(server.kill)
        result = _watch(servers, args.seconds, args.image_size)
    write(args.out, result, before, facts)
    return 0


class TimedEstimator(PoseEstimator):
    """Notes how long every call takes, with all its looks."""

    def __init__(self, **options: Any) -> None:
        self.seconds: list[float] = []
        super().__init__(**options)

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Poses]:
        """As `PoseEstimator`."""
        start = time.perf_counter()
        found = super().__call__(pictures)
        self.seconds.append(time.perf_counter() - start)
        return found


def _watch(servers: list[Server], seconds: float, image_size: int | None) -> dict[str, Any]:
    estimator = TimedEstimator(image_size=image_size)
    network = estimator.seconds
    index = PostureIndex.load(choose_prefix(None), device="cpu")
    estimator.warm_up(SIZE[1], SIZE[0])
    ages: dict[str, list[float]] = {}
    behind: list[float] = []
    tally, notes = Tally(), []
    sources = [open_source(server.address, name=f"camera {n}") for n, server in enumerate(servers)]
    with FrameBatcher(sources) as batcher:
        started = time.monotonic()
        before: dict[str, float] = {}
        for scene in scenes(batcher, estimator, index, Settings(), tally=tally):
            now = time.monotonic()
            if now - started < SETTLING_SECONDS:
                network.clear()
                continue
            if now - started > seconds + SETTLING_SECONDS:
                break
            frame = scene.frame
            made = clock_of(frame.bgr)
            ages.setdefault(frame.source, []).append(now - made)
            if frame.source in before:
                behind.append(made - before[frame.source])
            before[frame.source] = made
            if len(notes) < (now - started - SETTLING_SECONDS) / seconds * 10:
                notes.append(standing())
    everything = [age for own in ages.values() for age in own]
    batch = float(np.median(network))
    limit = 2 * batch + 1 / RATE
    result = {
        "cameras": len(servers),
        "rate": RATE,
        "size": SIZE,
        "seconds": seconds,
        "batch_ms": {"median": share(network, 0.5), "p95": share(network, 0.95)},
        "limit_ms": round(1e3 * limit, 1),
        "age_ms": {"p50": share(everything, 0.5), "p95": share(everything, 0.95), "max": share(everything, 1.0)},
        "age_ms_by_camera": {name: {"p50": share(own, 0.5), "p95": share(own, 0.95)} for name, own in ages.items()},
        "ratio_to_limit": round(float(np.quantile(np.array(everything), 0.95)) / limit, 3),
        "labels_per_second": round(len(everything) / seconds, 1),
        "time_never_went_back": bool(min(behind) > 0),
        "drops": {name: tally.of(name).drops for name in ages},
        "notes": notes,
    }
    for name in ("batch_ms", "limit_ms", "age_ms", "ratio_to_limit", "labels_per_second", "drops"):
        print(f"{name}: {result[name]}")
    print(f"memory {notes[0]['resident_mb']} → {notes[-1]['resident_mb']} MB, threads {notes[-1]['threads']}")
    return result


if __name__ == "__main__":
    sys.exit(main())
