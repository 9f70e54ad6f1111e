"""How many frames of live cameras are labelled, and how old they are then: one camera, or several.

    python -m bench.live_cameras CLIP [--cameras 4] [--seconds 60]

Real RTSP servers send pictures of the clip at 25 frames a second and at the clip's own speed, encoded as they are made,
with the time of their making drawn in. At the label that time is read from the picture, so the age holds everything:
encoding, network, decoding, waiting, finding people, naming. The servers' own CPU time, which a camera would not take
from us, is told apart. `labels_per_second` counts the frames of all cameras together; time must never go back.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.cameras import Server, clock_of, raw_pictures, share, standing
from bench.machine import cpu_seconds, limit_cores, load, machine, write
from bench.network import Calls, about, add_index_option, add_network_options, estimator_of, index_of
from stream.assembly import make_scheduler
from stream.pipeline import scenes
from stream.run.tally import Tally
from stream.settings.model import Settings
from stream.sources.opening import open_source

RATE = 25
SETTLING_SECONDS = 5.0


def main() -> int:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 360), metavar=("W", "H"), help="of the pictures")
    parser.add_argument("--cores", type=int)
    parser.add_argument("--out", help="the result as JSON; - writes none (bench/results/live_cameras_N_CLIP.json)")
    add_index_option(parser)
    add_network_options(parser)
    args = parser.parse_args()
    limit_cores(args.cores)
    before, facts = load(), machine()
    size = (args.size[0], args.size[1])
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        raw = raw_pictures(args.clip, Path(folder) / "pictures.i420", size, RATE, 10.0)
        servers = [Server(f"{raw}:{size[0]}x{size[1]}@{RATE}") for _ in range(args.cameras)]
        for server in servers:
            stack.callback(server.kill)
        result = {"clip": args.clip.name, "size": size, **_watch(servers, args)}
    default = Path(__file__).parent / "results" / f"live_cameras_{args.cameras}_{args.clip.stem}.json"
    write(args.out or default, result, before, facts)
    return 0


def _watch(servers: list[Server], args: argparse.Namespace) -> dict[str, Any]:
    estimator, index = estimator_of(args), index_of(args)
    estimator.warm_up(args.size[1], args.size[0])
    calls, tally = Calls(estimator), Tally()
    ages: dict[str, list[float]] = {}
    latest: dict[str, float] = {}
    back, people, with_people, began, cpu, servers_cpu = 0, 0, 0, 0.0, 0.0, 0.0
    notes: list[dict[str, Any]] = []
    sources = [open_source(server.address, name=f"camera {n}") for n, server in enumerate(servers)]
    with make_scheduler(sources) as scheduler:
        started = time.monotonic()
        for scene in scenes(scheduler, estimator, index, Settings(), tally=tally):
            now = time.monotonic()
            if now - started < SETTLING_SECONDS:
                continue
            if not began:
                began, cpu = now, cpu_seconds()
                servers_cpu = sum(server.cpu_seconds() for server in servers)
                calls.take(1)
            if now - began > args.seconds:
                break
            made, name = clock_of(scene.frame.bgr), scene.frame.source
            ages.setdefault(name, []).append(now - made)
            back += made <= latest.get(name, 0.0)
            latest[name] = made
            people += len(scene.people)
            with_people += bool(scene.people)
            if len(notes) < (now - began) / args.seconds * 10:
                notes.append(standing())
        seconds = time.monotonic() - began
        cpu = cpu_seconds() - cpu
        servers_cpu = sum(server.cpu_seconds() for server in servers) - servers_cpu
    everything = [age for own in ages.values() for age in own]
    frames = len(everything)
    result = {
        **about(estimator),
        "cameras": len(servers),
        "rate": RATE,
        "seconds": round(seconds, 1),
        "labels_per_second": round(frames / seconds, 1),
        "people_per_frame": round(people / frames, 2),
        "frames_with_people": round(with_people / frames, 3),
        **calls.take(frames),
        "age_ms": {"p50": share(everything, 0.5), "p95": share(everything, 0.95), "max": share(everything, 1.0)},
        "age_ms_by_camera": {name: {"p50": share(own, 0.5), "p95": share(own, 0.95)} for name, own in ages.items()},
        "cpu_ms_per_frame": round(1e3 * cpu / frames, 1),
        "cores": {"ours": round(cpu / seconds, 2), "servers": round(servers_cpu / seconds, 2)},
        "time_went_back": back,
        "drops": {name: tally.of(name).drops for name in ages},
        "notes": notes,
    }
    for name in list(result)[5:-1]:
        print(f"{name}: {result[name]}")
    print(f"memory {notes[0]['resident_mb']} → {notes[-1]['resident_mb']} MB, threads {notes[-1]['threads']}")
    return result


if __name__ == "__main__":
    sys.exit(main())
