"""Seconds from the start of `stance run` to the first labelled frame, with compiled networks at hand and without.

    python -m bench.first_label [CLIP] [--repeats 5]

A process of its own, as a user starts it; the clock stops when the first line of JSON is there. `warm` finds the
compiled networks of the run before in the cache folder; `first time` has an empty cache folder of its own, as after an
installation (the files of the installation are in the system's page cache, as they are then). `first_person` is the
first line with somebody in it, `first_posture` with a steady posture, which takes `smoothing.switch_seconds` of video.
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
from typing import Any, Final

from bench.machine import REPOSITORY, limit_cores, load, machine, show, spread, write

RESULT: Final = Path(__file__).parent / "results" / "first_label.json"
CLIP: Final = REPOSITORY.parent / "shared" / "videos" / "standing.mp4"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, nargs="?", default=CLIP)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cores", type=int, help="keep everything on this many cores (all)")
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    args = parser.parse_args()
    limit_cores(args.cores)
    before = load()
    ways: dict[str, list[dict[str, float]]] = {"first time": [], "warm": []}
    with tempfile.TemporaryDirectory() as folder:
        start(args.clip, Path(folder) / "kept")  # fills the cache, and the system's
        for repeat in range(args.repeats):
            ways["first time"].append(start(args.clip, Path(folder) / f"new-{repeat}"))
            ways["warm"].append(start(args.clip, Path(folder) / "kept"))
    figures: dict[str, Any] = {}
    for way, runs in ways.items():
        figures[way] = {name: spread([run[name] for run in runs]) for name in runs[0]}
        print(way, ", ".join(f"{name} {show(values, 2)} s" for name, values in figures[way].items()))
    write(args.out, {"clip": args.clip.name, "seconds": figures}, before, machine())
    return 0


def start(clip: Path, cache: Path) -> dict[str, float]:
    """Seconds from the start of a run to its first frame, first person and first posture."""
    command = [sys.executable, "-c", "from stream.cli import main; raise SystemExit(main())"]
    command += ["run", str(clip.resolve()), "--jsonl", "-", "--quiet"]
    environment = {**os.environ, "STANCE_CACHE_DIR": str(cache), "PYTHONPATH": str(REPOSITORY)}
    seconds: dict[str, float] = {}
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=cache.parent) as process:
        assert process.stdout is not None
        for line in process.stdout:
            people = json.loads(line)["people"]
            now = time.perf_counter() - begun
            seconds.setdefault("first_frame", now)
            if people:
                seconds.setdefault("first_person", now)
            if any(person["posture"] for person in people):
                seconds.setdefault("first_posture", now)
                break
        process.kill()
    if "first_posture" not in seconds:
        raise SystemExit(f"Nobody's posture is told in {clip.name}. Take a clip with a person.")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
