"""One of four cameras is killed again and again: how fast does it come back, and what do the others feel?

    python -m bench.cameras_killed CLIP [--kills 50]

Four real RTSP servers send the clip at 25 fps, each a process of its own. First all run undisturbed for as long as
about half of the kills take; then one server is killed with SIGKILL and started again on its port, `--kills` times.
Measured: from the moment the server listens again to the first picture of the new connection, less what was left of the
back-off in force then (limit 2 s); frames that the other three gave, per second, with and without kills; resident
memory (limit 5 % after the first five minutes), open files and threads.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.cameras import Server, served_clip, standing
from bench.machine import limit_cores, load, machine, write
from index.posture_index import PostureIndex
from index.storage.store import choose_prefix
from pose.estimator import PoseEstimator
from stream.assembly import make_scheduler
from stream.pipeline import scenes
from stream.run.tally import Tally
from stream.settings.model import Settings
from stream.sources.opening import open_source

RATE = 25
LIMIT_SECONDS = 2.0
VICTIM = "camera 0"
FIVE_MINUTES = 300.0


class Watch:
    """The run under test, on a thread of its own, with what it has seen of each camera."""

    def __init__(self, servers: list[Server], image_size: int) -> None:
        self.sources = [open_source(server.address, name=f"camera {n}") for n, server in enumerate(servers)]
        self.epochs: dict[str, int] = {}
        self.numbers: dict[str, int] = {}
        self.first_seconds: dict[int, float] = {}
        self.tally = Tally()
        self._estimator = PoseEstimator(image_size=image_size)
        self._index = PostureIndex.load(choose_prefix(None), device="cpu")
        self._scheduler = make_scheduler(self.sources)
        self._thread = threading.Thread(target=self._run, name="watch")

    def _run(self) -> None:
        with self._scheduler:
            for scene in scenes(self._scheduler, self._estimator, self._index, Settings(), tally=self.tally):
                frame = scene.frame
                if frame.source == VICTIM and frame.epoch not in self.first_seconds:
                    self.first_seconds[frame.epoch] = frame.captured_seconds
                self.epochs[frame.source] = frame.epoch
                self.numbers[frame.source] = frame.number

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._scheduler.close()
        self._thread.join()

    def given(self) -> dict[str, int]:
        """How many frames every camera has given so far, labelled or not."""
        return dict(self.numbers)

    def wait(self, what: Any, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not what():
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True


def main() -> int:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--image-size", type=int, default=192, help="of the network, pixels")
    parser.add_argument("--undisturbed", type=float, default=120.0, metavar="SECONDS")
    parser.add_argument("--cores", type=int)
    parser.add_argument("--out", default="bench/results/cameras_killed.json")
    args = parser.parse_args()
    limit_cores(args.cores)
    before, facts = load(), machine()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        clip = served_clip(args.clip, Path(folder) / "clip.mp4", (640, 360), RATE, 20)
        servers = [Server(str(clip)) for _ in range(4)]
        for server in servers:
            stack.callback(server.kill)
        result = _kill(servers, args.kills, args.undisturbed, args.image_size)
    write(args.out, result, before, facts)
    return 0


def _kill(servers: list[Server], kills: int, undisturbed: float, image_size: int) -> dict[str, Any]:
    rng = random.Random(0)
    recoveries: list[dict[str, float]] = []
    notes: list[dict[str, Any]] = []
    with Watch(servers, image_size) as watch:
        if not watch.wait(lambda: len(watch.numbers) == 4, 30):
            raise SystemExit("Not all cameras came up.")
        began = time.monotonic()
        calm = _rates(watch, lambda: time.sleep(undisturbed))
        notes.append({"seconds": round(time.monotonic() - began), **standing()})

        def disturb() -> None:
            for number in range(kills):
                epoch = watch.epochs[VICTIM]
                servers[0].kill()
                time.sleep(rng.uniform(0.2, 6.0))
                servers[0].start()
                back = time.monotonic()
                next_try = watch.sources[0].status.next_try_seconds
                left = max(0.0, next_try - back) if next_try is not None else 0.0
                came = watch.wait(lambda epoch=epoch: epoch + 1 in watch.first_seconds, 60)
                took = watch.first_seconds[epoch + 1] - back if came else float("inf")
                recoveries.append({"took_seconds": round(took, 3), "back_off_left_seconds": round(left, 3)})
                notes.append({"seconds": round(time.monotonic() - began), "kill": number + 1, **standing()})
                print(
                    f"kill {number + 1}: back after {took:.2f} s, {left:.2f} s of them back-off; {notes[-1]}",
                    flush=True,
                )
                time.sleep(rng.uniform(1.0, 5.0))

        killed = _rates(watch, disturb)
    extra = [one["took_seconds"] - one["back_off_left_seconds"] for one in recoveries]
    settled = next((note for note in notes if note["seconds"] >= FIVE_MINUTES), notes[0])
    growth = notes[-1]["resident_mb"] / settled["resident_mb"] - 1
    result = {
        "kills": kills,
        "recovered": sum(took < float("inf") for took in extra),
        "within_limit": sum(took <= LIMIT_SECONDS for took in extra),
        "seconds_beside_back_off": {"median": round(sorted(extra)[len(extra) // 2], 3), "max": round(max(extra), 3)},
        "frames_per_second_of_the_others": {"undisturbed": calm, "with_kills": killed},
        "memory_growth_after_five_minutes": round(growth, 4),
        "recoveries": recoveries,
        "notes": notes,
    }
    for name in list(result)[:6]:
        print(f"{name}: {result[name]}")
    return result


def _rates(watch: Watch, do: Any) -> dict[str, float]:
    """Frames per second that the cameras which are left alone gave meanwhile."""
    start, before = time.monotonic(), watch.given()
    do()
    seconds, after = time.monotonic() - start, watch.given()
    return {name: round((after[name] - before[name]) / seconds, 2) for name in sorted(after) if name != VICTIM}


if __name__ == "__main__":
    sys.exit(main())
