"""`stance train`: teach a network to find people."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from stream.commands.training.options import FRESH, NETWORKS, SHIPPED, YOLO, add_options, listed, refuse_strangers

if TYPE_CHECKING:
    from stream.settings.model import Settings

__all__ = ["register"]


def register(subparsers: Any) -> None:
    """Add `train` to what `argparse.ArgumentParser.add_subparsers` gave.

    It sets `run`, a function of the parsed arguments and the `Settings` that gives the exit code. Faults of the user
    rise as `StanceError`, ctrl-C as `KeyboardInterrupt`.
    """
    text = "teach a network to find people or their keypoints, from labelled pictures"
    train = subparsers.add_parser("train", help=text, description=f"{text[0].upper()}{text[1:]}.")
    train.add_argument(
        "data", metavar="DATA", nargs="+",
        help="a folder with images/ and labels/ (YOLO-pose, 56 columns), or a COCO keypoint JSON file",
    )  # fmt: skip
    train.add_argument("--network", choices=NETWORKS, default="tinypose", help="which network (tinypose)")
    train.add_argument("--val", metavar="DATA", help="labelled pictures to judge by; never trained on")
    train.add_argument("--val-limit", type=int, metavar="N", help="judge by the first N pictures only (all)")
    train.add_argument(
        "--exclude-near-copies-of", metavar="FOLDER", nargs="+", action="extend", default=[],
        help="leave out of DATA what shows a picture of these folders, in another size, recompressed or mirrored",
    )  # fmt: skip
    train.add_argument("--out", metavar="FOLDER", default="training", help="where weights and curves go (training)")
    train.add_argument(
        "--init", metavar="FILE", default=SHIPPED,
        help=f"weights to begin with: a file, {SHIPPED} (the network's own, where they are), or {FRESH}, "
        f"for {listed(YOLO)} ({SHIPPED}); tinypose-small may begin with a file of tinypose, too",
    )  # fmt: skip
    train.add_argument("--resume", action="store_true", help="go on with the training in --out that was stopped")
    add_options(train)
    train.set_defaults(run=_train)


def _train(args: argparse.Namespace, settings: Settings) -> int:
    refuse_strangers(args)
    import torch

    from pose.inference.device import choose_device
    from stream.commands.training.data import read_data

    device = choose_device(settings.pose.device)
    if settings.pose.threads:
        torch.set_num_threads(settings.pose.threads)
    data = read_data(args)
    if args.network in YOLO:
        from stream.commands.training.yolo import train_yolo

        train_yolo(args, data, device, settings)
    elif args.network == "picodet-s":
        from stream.commands.training.topdown import train_detector

        train_detector(args, data, device)
    else:
        from stream.commands.training.topdown import train_keypoints

        train_keypoints(args, data, device)
    return 0
