"""Stance as one side of a comparison: a clip to labelled people, as a script of a user would do it.

Runs as a script with the packages of whichever checkout PYTHONPATH names, so that older code can be measured too; see
`bench.sides`. Reads one JSON object per line from standard input (`{"frames": 100}` asks for one pass, end of input
ends) and answers one JSON object per line on standard output.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))  # behind PYTHONPATH: only `bench` is taken from here
from bench.machine import cpu_seconds, limit_cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("--threads", type=int, required=True, help="of the network, and cores")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of the settings' part pose")
    args = parser.parse_args()
    limit_cores(args.threads)

    from stream.assembly import make_estimator, open_from_settings, open_index
    from stream.pipeline import scenes

    try:
        from stream.settings.model import Settings
    except ImportError:  # code of before November 2026
        from stream.settings import Settings  # type: ignore[attr-defined, no-redef]

    pose: dict[str, Any] = {"device": "cpu", "threads": args.threads}
    pose |= {name: json.loads(value) for name, value in (one.split("=") for one in args.set)}
    settings = Settings.model_validate({"pose": pose})
    estimator, index = make_estimator(settings), open_index(settings)
    with open_from_settings(args.clip, settings) as source:
        info = source.info
    estimator.warm_up(info.height or 720, info.width or 1280)
    about = {"network": estimator.network, "precision": estimator.precision, "image_sizes": list(estimator.image_sizes)}
    calls = None
    if getattr(estimator, "top_down", None) is not None:
        from bench.network import Calls

        calls = Calls(estimator)
    print(json.dumps({**about, "picture": f"{info.width}x{info.height}"}), flush=True)
    for line in sys.stdin:
        frames = json.loads(line)["frames"]
        done = people = 0
        cpu, start = cpu_seconds(), time.perf_counter()
        with closing(scenes(args.clip, estimator, index, settings)) as found:
            for scene in itertools.islice(found, frames):
                done += 1
                people += len(scene.people)
        seconds = time.perf_counter() - start
        answer = {"frames": done, "seconds": seconds, "cpu_seconds": cpu_seconds() - cpu, "people": people}
        if calls is not None:
            answer |= calls.take(done)
        elif done:  # a one-shot network has one look at the whole picture, or one for every size
            answer |= {"crops_per_frame": 0, "detections_per_frame": len(estimator.image_sizes)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
