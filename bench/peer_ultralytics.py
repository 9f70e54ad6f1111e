"""One side of `bench.against_ultralytics`: the peer, run by the Python of the peer's own environment.

Reads one JSON object per line from standard input (`{"frames": 100}` asks for one pass, end of input ends) and answers
one JSON object per line on the standard output it was started with; everything the peer prints goes to standard error.

Nothing of this project is imported except `bench.machine`, which needs only the standard library.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import sys
import time
import types
from pathlib import Path
from typing import Any


def stand_in_for_torchvision() -> bool:
    """Let the peer run where torchvision is not installed, or is one that CPU builds of torch cannot import.

    The peer asks for torchvision's version when it is imported, and for `torchvision.ops.nms`; it gets the peer's own
    `TorchNMS`, which it uses itself where torchvision was not imported. With random weights nobody is found, so neither
    is ever called. Returns whether it was needed.
    """
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):  # RuntimeError: operator torchvision::nms does not exist
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
    else:
        return False
    version = importlib.metadata.version
    importlib.metadata.version = lambda name: "0.28.0" if name == "torchvision" else version(name)
    module: Any = types.ModuleType("torchvision")
    sys.modules["torchvision"] = module
    from ultralytics.utils.nms import TorchNMS

    module.ops = types.SimpleNamespace(nms=TorchNMS.nms)
    return True


def gflop(model: Any, height: int, width: int) -> float:
    """Floating-point operations of one picture, two per multiply-add, in units of 10⁹."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, height, width))
    return counter.get_total_flops() / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("--runtime", choices=("torch", "openvino"), required=True)
    parser.add_argument("--height", type=int, required=True, help="of the network's input")
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--mode", choices=("track", "predict"), default="track")
    parser.add_argument("--scratch", required=True, help="folder for the export and the peer's settings")
    args = parser.parse_args()

    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.chdir(args.scratch)
    os.environ.update(OMP_NUM_THREADS=str(args.threads), YOLO_CONFIG_DIR=args.scratch, YOLO_OFFLINE="True")
    from bench.machine import cpu_seconds, limit_cores, machine

    limit_cores(args.threads)
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    stand_in = stand_in_for_torchvision()
    import ultralytics
    import ultralytics.utils.torch_utils
    from ultralytics import YOLO

    # It keeps one core free of torch at every run; here it gets as many threads as the other side.
    ultralytics.utils.torch_utils.NUM_THREADS = args.threads

    model = YOLO("yolov8n-pose.yaml")
    work = gflop(model.model.eval(), args.height, args.width)
    size = (args.height, args.width)
    precision = "fp32"
    if args.runtime == "openvino":
        import openvino as ov

        path = model.export(format="openvino", imgsz=size, batch=args.batch_size, verbose=False)
        # What the peer's runtime takes for itself on this processor; it does not show it to its users.
        compiled = ov.Core().compile_model(next(Path(path).glob("*.xml")), "CPU", {"PERFORMANCE_HINT": "LATENCY"})
        precision = {"f32": "fp32", "f16": "fp16", "bf16": "bf16"}[
            compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        ]
        del compiled
        model = YOLO(path, task="pose")
    torch.set_num_threads(args.threads)
    answers.write(
        json.dumps(
            {
                "peer": f"ultralytics {ultralytics.__version__}",
                "network": "yolov8n-pose.yaml, random weights",
                "mode": args.mode,
                "runtime": args.runtime,
                "precision": precision,
                "gflop_per_picture": round(work, 2),
                "batch_size": args.batch_size,
                "torchvision_stand_in": stand_in,
                "packages": machine()["packages"],
            }
        )
        + "\n"
    )
    run = getattr(model, args.mode)
    for line in sys.stdin:
        frames = json.loads(line)["frames"]
        cpu, start, done, people = cpu_seconds(), time.perf_counter(), 0, 0
        shapes = set()
        results = run(args.clip, imgsz=size, batch=args.batch_size, stream=True, verbose=False, save=False)
        for result in results:
            done += 1
            people += len(result)
            shapes.add(result.orig_shape)
            if done == frames:
                break
        seconds = time.perf_counter() - start
        results.close()
        answers.write(
            json.dumps(
                {
                    "frames": done,
                    "seconds": seconds,
                    "cpu_seconds": cpu_seconds() - cpu,
                    "people": people,
                    "picture": [list(shape) for shape in shapes],
                    "stage_ms": {name: round(value, 3) for name, value in result.speed.items()},
                    "torch_threads": torch.get_num_threads(),
                }
            )
            + "\n"
        )


if __name__ == "__main__":
    main()
