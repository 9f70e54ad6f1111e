"""One side of `bench.against_ultralytics`: the peer, run by the Python of the peer's own environment.

Reads one JSON object per line from standard input and answers one JSON object per line on the standard output it was
started with; everything the peer prints goes to standard error. `{"frames": 100}` asks for one pass over the clip's
beginning; `{"pictures": [...], "found": "FILE.npz"}` writes whom it finds in pictures; the end of input ends.

Nothing of this project is imported except `bench.machine`, which needs only the standard library.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

STRIDE = 32


def exported(weights: Path, folder: Path, size: tuple[int, int], batch: int) -> Any:
    """The peer's network on OpenVINO, in the precision OpenVINO takes by itself (bf16 where the processor has it)."""
    from ultralytics import YOLO

    folder.mkdir()
    copy = Path(shutil.copy(weights, folder / weights.name))
    return YOLO(YOLO(copy).export(format="openvino", imgsz=size, batch=batch, verbose=False), task="pose")


def precision_of(weights: Path) -> str:
    """What OpenVINO computes an exported network in; the peer does not show it to its users."""
    import openvino as ov

    network = ov.Core().compile_model(next(weights.rglob("*.xml")), "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    name: str = network.get_property("INFERENCE_PRECISION_HINT").to_string()
    return {"f32": "fp32", "f16": "fp16", "bf16": "bf16"}[name]


def find(model: Any, size: int, paths: list[str], out: str) -> dict[str, Any]:
    """Write keypoints `[N, 17, 3]`, scores `[N]` and the picture `[N]` of everybody from a score of 0.001 on."""
    import numpy as np

    keypoints, scores, pictures = [np.zeros((0, 17, 3))], [np.zeros(0)], [np.zeros(0, int)]
    for number, path in enumerate(paths):
        (result,) = model.predict(path, imgsz=size, conf=0.001, verbose=False)
        if len(result):
            keypoints.append(result.keypoints.data.numpy())
            scores.append(result.boxes.conf.numpy())
            pictures.append(np.full(len(result), number))
    np.savez(out, keypoints=np.concatenate(keypoints), scores=np.concatenate(scores), picture=np.concatenate(pictures))
    return {"people": int(sum(map(len, scores)))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--size", type=int, required=True, help="longest side of the network's input")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--scratch", type=Path, required=True, help="folder for exports and the peer's settings")
    args = parser.parse_args()

    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ.update(OMP_NUM_THREADS=str(args.threads), YOLO_CONFIG_DIR=str(args.scratch), YOLO_OFFLINE="True")
    from bench.machine import cpu_seconds, limit_cores, machine

    limit_cores(args.threads)
    import cv2
    import torch

    torch.set_num_threads(args.threads)
    import ultralytics
    import ultralytics.utils.torch_utils

    # It keeps one core free of torch at every run; here it gets as many threads as the other side.
    ultralytics.utils.torch_utils.NUM_THREADS = args.threads
    capture = cv2.VideoCapture(args.clip)
    sides = [int(capture.get(one)) for one in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)]
    capture.release()
    height, width = (-(-round(args.size * side / max(sides)) // STRIDE) * STRIDE for side in sides)
    model = exported(args.weights, args.scratch / "clip", (height, width), args.batch_size)
    about = {
        "peer": f"ultralytics {ultralytics.__version__}",
        "network": args.weights.stem,
        "runtime": "openvino",
        "precision": precision_of(args.scratch / "clip"),
        "batch_size": args.batch_size,
        "input": [height, width],
        "packages": machine()["packages"],
    }
    answers.write(json.dumps(about) + "\n")
    for line in sys.stdin:
        wanted = json.loads(line)
        if "pictures" in wanted:
            square = exported(args.weights, args.scratch / "pictures", (args.size, args.size), 1)
            answers.write(json.dumps(find(square, args.size, wanted["pictures"], wanted["found"])) + "\n")
            continue
        cpu, start, done, people = cpu_seconds(), time.perf_counter(), 0, 0
        results = model.track(
            args.clip, imgsz=(height, width), batch=args.batch_size, stream=True, verbose=False, save=False
        )
        for result in results:
            done += 1
            people += len(result)
            if done == wanted["frames"]:
                break
        seconds = time.perf_counter() - start
        results.close()
        answer = {"frames": done, "seconds": seconds, "cpu_seconds": cpu_seconds() - cpu, "people": people}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
