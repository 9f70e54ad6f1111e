"""`stance train` for the detector and the keypoint network."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch

from pose.datasets.labelled import LabelledSet
from pose.errors import TrainingError
from pose.networks.picodet import PicoDet
from pose.networks.tinypose import TinyPose
from pose.training.detector.box_hold_out import BoxHoldOut
from pose.training.detector.detector_loss import DetectorLossSettings
from pose.training.detector.detector_trainer import DetectorTrainer
from pose.training.detector.ignored_boxes import with_ignored_boxes
from pose.training.detector.settings import DetectorTrainingSettings
from pose.training.kept_files import STATE
from pose.training.keypoints.crop_cache import packed_once
from pose.training.keypoints.heatmap_loss import HeatmapLossSettings
from pose.training.keypoints.hold_out import HoldOut
from pose.training.keypoints.keypoint_trainer import KeypointTrainer
from pose.training.keypoints.settings import KeypointTrainingSettings
from pose.training.plot import plot_history
from pose.training.state_file import load_state
from pose.weight_files.location import find_weights
from pose.weight_files.start_weights import load_start_weights
from pose.weight_files.topdown_file import TOPDOWN_NETWORKS, load_topdown, topdown_header
from stream.commands.training.data import TrainingData
from stream.commands.training.options import FRESH, SHIPPED, chosen, named_weights
from stream.commands.training.running import AnyTrainer, run_trainer

__all__ = ["train_detector", "train_keypoints"]

log = logging.getLogger(__name__)

COMMON: Final = ("epochs", "minutes", "batch", "learning_rate", "evaluations", "seed", "upright_share")
CROPS: Final = "crops"
START_SIZES: Final = {"picodet-s": (320, 320), "tinypose": (192, 256)}  # width and height, pixels
START_ORIGIN: Final = "PaddleDetection (Apache-2.0)"
TUNED: Final = ", trained on with stance train"


def train_keypoints(args: argparse.Namespace, data: TrainingData, device: torch.device) -> None:
    """Train `tinypose` on crops of the labelled people, which are packed under --out.

    Raises:
        TrainingError, WeightsMissing, WeightsError, PictureError: what the user can cure.
    """
    settings = KeypointTrainingSettings(
        **chosen(args, *COMMON),
        set_weights=named_weights(args.set_weight),
        loss=_with_teacher(HeatmapLossSettings(), args),
    )
    network, header = _network(args)
    assert isinstance(network, TinyPose)
    if args.resume:
        load_state(Path(args.out) / STATE)  # a fault is told before anything is packed, not after
    hold_out = None if data.val is None else HoldOut(data.val.pictures)
    crops = packed_once(data.pictures, Path(args.out) / CROPS)
    print(f"tinypose on {device}: {len(data.pictures)} pictures, {len(crops)} people with keypoints{_judges(hold_out)}")
    trainer = KeypointTrainer(
        network, crops, args.out, settings, hold_out=hold_out, teach_itself=settings.loss.teacher > 0, device=device,
        header=header,
    )  # fmt: skip
    _run(trainer, args, KeypointTrainer.PARTS, {"oks_upright": "OKS upright", "oks_turned": "OKS turned"})


def train_detector(args: argparse.Namespace, data: TrainingData, device: torch.device) -> None:
    """Train `picodet-s` on the labelled pictures.

    Raises:
        TrainingError, WeightsMissing, WeightsError, LabelsError, PictureError: what the user can cure.
    """
    sides: dict[str, Any] = {} if args.sides is None else {"sides": _sides(args.sides)}
    settings = DetectorTrainingSettings(
        **chosen(args, *COMMON), **sides, set_weights=named_weights(args.set_weight),
        loss=_with_teacher(DetectorLossSettings(), args),
    )  # fmt: skip
    network, header = _network(args)
    assert isinstance(network, PicoDet)
    learnt, judged = LabelledSet(data.pictures, False), data.val
    for folder in args.ignored_boxes or ():
        if not Path(folder).is_dir():
            raise TrainingError(f"--ignored-boxes {folder}: there is no such folder.")
        learnt = with_ignored_boxes(learnt, folder)
        judged = None if judged is None else with_ignored_boxes(judged, folder)
    hold_out = None if judged is None else BoxHoldOut(judged.pictures, *chosen(args, "val_size").values())
    people = sum(int((~picture.crowd).sum()) for picture in learnt.pictures)
    print(f"picodet-s on {device}: {len(learnt.pictures)} pictures, {people} people{_judges(hold_out)}")
    trainer = DetectorTrainer(
        network, learnt.pictures, args.out, settings, hold_out=hold_out, teach_itself=settings.loss.teacher > 0,
        device=device, header=header,
    )  # fmt: skip
    _run(trainer, args, DetectorTrainer.PARTS, {"ap_upright": "AP upright", "ap_turned": "AP turned"})


def _judges(hold_out: object) -> str:
    return "" if hold_out is not None else "; nothing to judge by, so the last weights count as the best"


def _run(trainer: AnyTrainer, args: argparse.Namespace, losses: Sequence[str], figures: Mapping[str, str]) -> None:
    try:
        run_trainer(trainer, args.resume, f"of {' and '.join(figures.values())}")
    finally:
        try:
            if trainer.history:
                plot_history(trainer.history, losses, figures, trainer.folder / "results.png")
        except TrainingError as error:
            log.warning("%s", error)


def _with_teacher(loss: Any, args: argparse.Namespace) -> Any:
    if args.teacher is None:
        return loss
    if not args.teacher >= 0:
        raise TrainingError(f"--teacher is {args.teacher:g}. Give 0 or more.")
    return replace(loss, teacher=args.teacher)


def _sides(text: str) -> dict[int, float]:
    try:
        sides = {int(side): float(share) for side, share in (part.split(":") for part in text.split(","))}
    except ValueError:
        raise TrainingError(f"--sides {text!r} is not of the form 320:0.7,256:0.3.") from None
    if not all(share >= 0 for share in sides.values()) or not sum(sides.values()) > 0:
        raise TrainingError(f"--sides {text!r}: give shares of 0 or more, one of them above 0.")
    return sides


def _network(args: argparse.Namespace) -> tuple[PicoDet | TinyPose, dict[str, str]]:
    """The network with the weights to begin with, and what files of the weights it learns say of themselves."""
    name = args.network
    if args.init == FRESH:
        raise TrainingError(
            f"{name} has its batch normalisation folded into its convolutions, so it cannot be trained from nothing. "
            f"Give --init {SHIPPED} or a file."
        )
    file = find_weights(name) if args.init == SHIPPED else Path(args.init)
    if file.suffix == ".npz":
        network = TOPDOWN_NETWORKS[name]()
        load_start_weights(network, file)
        return network, topdown_header(name, START_SIZES[name], START_ORIGIN + TUNED)
    loaded = load_topdown(file, name)
    return loaded.network, topdown_header(name, loaded.input_size, loaded.origin.removesuffix(TUNED) + TUNED)
