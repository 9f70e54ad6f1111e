"""Mean similarity (OKS) of the keypoints found on single persons to a teacher's.

python -m bench.single_person_oks FOLDER KEYPOINTS.npz [--part test] [--size N ...]

KEYPOINTS.npz has `path` `[P]`, relative to FOLDER, and `keypoint` `[P, 17, 3]`: x, y in pixels, heat-map peak 0–1. A
teacher's keypoint counts where its peak is above 0.45; a person is clear where at least 8 of them do, and others are
left out. The area of OKS is 0.53 times that of the box around the keypoints that count, which is tighter than a box
around the body, so the measure is a little strict. Compared is the most prominent person found (box area times score),
as `stance build` takes it, whichever would fit best; where nobody is found OKS is 0 in `mean_oks`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench.machine import limit_cores, load, machine, write

RESULT: Final = Path(__file__).parent / "results" / "single_person_oks.json"
SURE_PEAK: Final = 0.45
CLEAR_KEYPOINTS: Final = 8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the pictures")
    parser.add_argument("keypoints", type=Path, metavar="KEYPOINTS", help="the teacher's keypoints, .npz")
    parser.add_argument("--part", default="test", help="only paths below this folder (test)")
    parser.add_argument(
        "--size", type=_sizes, nargs="+", default=[None], metavar="N",
        help="longest side of the network's input, or N+N for looks at the same picture (as stance does)",
    )  # fmt: skip
    parser.add_argument("--weights", metavar="FILE", help="weights of the network (those that ship)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threshold", type=float, default=0.1, help="people below this score are not found (0.1)")
    parser.add_argument("--limit", type=int, help="only so many pictures")
    parser.add_argument("--cores", type=int, help="keep everything on this many cores (all)")
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    args = parser.parse_args()
    limit_cores(args.cores)
    before = load()

    import numpy as np

    from pose.estimator import PoseEstimator

    teacher = np.load(args.keypoints, allow_pickle=False)
    chosen = np.char.startswith(teacher["path"], f"{args.part}/")
    clear = (teacher["keypoint"][..., 2] > SURE_PEAK).sum(1) >= CLEAR_KEYPOINTS
    rows = np.flatnonzero(chosen & clear)[: args.limit]
    paths = [args.folder / str(path) for path in teacher["path"][rows]]
    labelled = np.where(teacher["keypoint"][rows][..., 2:] > SURE_PEAK, teacher["keypoint"][rows], 0)
    figures: dict[str, dict[str, Any]] = {}
    for size in args.size:
        estimator = PoseEstimator(args.weights, device=args.device, image_size=size, person_threshold=args.threshold)
        begun = time.monotonic()
        similarity = compare(estimator, paths, labelled)
        found = ~np.isnan(similarity)
        figures[estimator.sizes] = figure = {
            "mean_oks": round(float(np.nan_to_num(similarity).mean()), 4),
            "mean_oks_of_found": round(float(similarity[found].mean()), 4) if found.any() else None,
            "share_above_0.5": round(float((np.nan_to_num(similarity) > 0.5).mean()), 4),
            "not_found": int((~found).sum()),
            "precision": estimator.precision,
            "seconds": round(time.monotonic() - begun, 1),
        }
        print(f"{estimator.sizes:>7} px", *(f"{name} {value}" for name, value in figure.items()), sep="  ")
    result = {
        "pictures": len(rows),
        "not_clear": int(chosen.sum() - (chosen & clear).sum()),
        "network": estimator.network,
        "weights_digest": estimator.weights_digest,
        "person_threshold": args.threshold,
        "figures": figures,
    }
    print(f"{result['pictures']} clear persons, {result['not_clear']} left out")
    write(args.out, result, before, machine())
    return 0


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("+")))


def compare(estimator: Any, paths: list[Path], labelled: Any) -> Any:
    """OKS of the most prominent person in every picture: float64 `[P]`, NaN where nobody is found.

    Args:
        labelled: float32 `[P, 17, 3]`: x, y in pixels, above 0 in the third column where the keypoint counts.
    """
    import numpy as np

    from pose.datasets.labelled import AREA_PER_BOX
    from pose.datasets.picture_file import read_picture
    from pose.evaluation.oks import oks
    from pose.pool import EstimatorPool

    left = iter(paths)

    def take() -> list[Path]:
        return [path for _, path in zip(range(estimator.batch_size), left, strict=False)]

    similarity = np.full(len(paths), np.nan)
    number = 0
    with EstimatorPool(estimator.concurrency) as pool:
        for _, everybody in pool.in_order(take, lambda batch: estimator([read_picture(path) for path in batch])):
            for poses in everybody:
                points = labelled[number]
                counted = points[points[:, 2] > 0, :2]
                area = AREA_PER_BOX * (counted.max(0) - counted.min(0)).prod(keepdims=True)
                best = poses.keypoints[poses.by_prominence()[:1]]
                if len(best):
                    similarity[number] = oks(best, points[None], area)[0, 0]
                number += 1
    return similarity


if __name__ == "__main__":
    sys.exit(main())
