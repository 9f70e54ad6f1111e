"""One side of `bench.against_ultralytics`: Stance, as a script of a user would run it, in a process of its own.

Reads one JSON object per line from standard input (`{"frames": 100}` asks for one pass, end of input ends) and answers
one JSON object per line on standard output.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from contextlib import closing

from bench.machine import cpu_seconds, limit_cores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("--image-size", type=int, required=True)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--index", metavar="PREFIX")
    args = parser.parse_args()
    limit_cores(args.threads)

    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from pose.inference.letterbox import Letterbox
    from stream.assembly import make_estimator, open_from_settings, open_index
    from stream.pipeline import scenes
    from stream.settings.model import Settings

    settings = Settings.model_validate(
        {
            "pose": {
                "device": "cpu",
                "precision": args.precision,
                "image_size": args.image_size,
                "batch_size": args.batch_size,
                "threads": args.threads,
            }
        }
    )
    estimator, index = make_estimator(settings), open_index(settings, args.index)
    with open_from_settings(args.clip, settings) as source:
        info = source.info
    estimator.warm_up(info.height, info.width)
    height, width = Letterbox.fit(info.height, info.width, estimator.image_sizes[0], estimator._stride).shape
    x = torch.zeros(1, 3, height, width, dtype=estimator.dtype).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        estimator._model(x)
    about = {
        "network": estimator.network,
        "runtime": getattr(estimator, "runtime", "torch"),
        "precision": estimator.precision,
        "batch_size": estimator.batch_size,
        "input": [height, width],
        "gflop_per_picture": round(counter.get_total_flops() / 1e9, 2),
    }
    print(json.dumps(about), flush=True)
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
        print(json.dumps({**answer, "torch_threads": torch.get_num_threads()}), flush=True)


if __name__ == "__main__":
    main()
