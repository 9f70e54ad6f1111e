"""`stance evaluate-pose`: how good a network is."""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from index.building.pictures import printable
from pose.datasets.labelled import AREA_PER_BOX
from pose.datasets.reading import read_labelled
from stream.assembly import make_estimator

if TYPE_CHECKING:
    from stream.settings.model import Settings

__all__ = ["register"]

SIZES: Final = (64, 4096)
_COLUMNS: Final = {
    "ap": "AP", "ap50": "AP50", "ap75": "AP75", "ap_medium": "AP medium", "ap_large": "AP large", "ar": "AR"
}  # fmt: skip


def register(subparsers: Any) -> None:
    """Add the command to what `argparse.ArgumentParser.add_subparsers` gave.

    It sets `run`, a function of the parsed arguments and the `Settings` that gives the exit code. Faults of the user
    rise as `StanceError`, ctrl-C as `KeyboardInterrupt`.
    """
    text = "judge the network on labelled people, by the rules of COCO"
    judging = subparsers.add_parser("evaluate-pose", help=text, description=f"{text[0].upper()}{text[1:]}.")
    judging.add_argument(
        "path", metavar="PATH", help="a folder with images/ and labels/ (YOLO-pose text), or a COCO keypoint JSON file"
    )
    judging.add_argument(
        "--size", metavar="N", type=_sizes, nargs="+", help="longest side of the network's input in pixels, or N+N for "
        "looks at the same picture; several run one after the other (pose.image_size)"
    )  # fmt: skip
    judging.add_argument("--weights", metavar="FILE", help="the weights to judge (pose.weights)")
    judging.add_argument("--images", metavar="DIR", help="where the pictures are that a JSON file names (around it)")
    judging.add_argument("--limit", metavar="N", type=_count, help="judge only the first N pictures")
    judging.add_argument("--json", action="store_true", help="print a line of JSON for every size, and nothing else")
    judging.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace, settings: Settings) -> int:
    from pose.evaluation.average_precision import evaluate_pose

    labelled = read_labelled(args.path, args.images)
    if args.limit is not None:
        labelled = replace(labelled, pictures=labelled.pictures[: args.limit])
    for number, size in enumerate(args.size or [settings.pose.image_size]):
        wanted: dict[str, Any] = {"image_size": size}
        if args.weights is not None:
            wanted["weights"] = args.weights
        estimator = make_estimator(
            settings.model_copy(update={"pose": settings.pose.model_copy(update=wanted)}), judging=True
        )
        begun = time.monotonic()
        scores = asdict(evaluate_pose(estimator, labelled))
        facts: dict[str, Any] = {
            "sizes": list(estimator.image_sizes),
            **{
                name: None if isinstance(value, float) and math.isnan(value) else value
                for name, value in scores.items()
            },
            "area_is_estimated": labelled.area_is_estimated,
            "network": estimator.network,
            "weights": dict(estimator.parts),
            "device": str(estimator.device),
            "precision": estimator.precision,
            "seconds": round(time.monotonic() - begun, 1),
        }
        if args.json:
            print(json.dumps(facts), flush=True)
            continue
        if number == 0:
            print(f"{printable(args.path)}: {facts['pictures']} pictures, {facts['people']} people to judge by")
            weights = ", ".join(f"{part} {digest[:12]}" for part, digest in estimator.parts)
            print(f"{facts['network']}, weights {weights}, {facts['device']} {facts['precision']}")
            if labelled.area_is_estimated:
                print(f"no areas given: a person's is taken as {AREA_PER_BOX}·w·h of the box")
            print(f"\n{'size':>7}", *(f"{title:>9}" for title in _COLUMNS.values()), f"{'seconds':>9}")
        figures = ("-" if facts[name] is None else f"{facts[name]:.3f}" for name in _COLUMNS)
        print(f"{estimator.sizes:>7}", *(f"{figure:>9}" for figure in figures), f"{facts['seconds']:>9}", flush=True)
    return 0


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(_whole(size, *SIZES) for size in text.split("+"))


def _count(text: str) -> int:
    return _whole(text, 1, 10**9)


def _whole(text: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
    return int(text)
