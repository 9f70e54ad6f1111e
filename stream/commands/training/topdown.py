"""`stance train` for the detector and the keypoint network."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from pose.datasets.labelled import LabelledSet
from pose.errors import TrainingError, WeightsError
from pose.inference.crops import CROP_SIZE, SMALL_CROP_SIZE
from pose.networks.picodet import PicoDet
from pose.networks.tinypose import TinyPose
from pose.training.detector.box_hold_out import BoxHoldOut
from pose.training.detector.detector_loss import DetectorLossSettings
from pose.training.detector.detector_trainer import DetectorTrainer
from pose.training.detector.ignored_boxes import with_ignored_boxes
from pose.training.detector.settings import DetectorTrainingSettings
from pose.training.kept_files import STATE
from pose.training.keypoints.crop_cache import packed_once
from pose.training.keypoints.hold_out import HoldOut
from pose.training.keypoints.keypoint_trainer import KeypointTrainer
from pose.training.keypoints.settings import KeypointTrainingSettings
from pose.training.keypoints.small_crop_settings import SmallCropTrainingSettings
from pose.training.keypoints.small_crops import AtSmallCells
from pose.training.loop import TrainingLoop
from pose.training.plot import plot_history
from pose.training.state_file import load_state
from pose.weight_files.location import find_weights
from pose.weight_files.start_weights import load_start_weights
from pose.weight_files.topdown_file import TOPDOWN_NETWORKS, load_topdown, topdown_header
from stream.commands.training.data import TrainingData
from stream.commands.training.options import FRESH, SHIPPED, chosen, named_weights
from stream.commands.training.running import run_trainer

__all__ = ["train_detector", "train_keypoints"]

log = logging.getLogger(__name__)

COMMON: Final = ("epochs", "minutes", "batch", "learning_rate", "evaluations", "seed", "upright_share")
CROPS: Final = "crops"
LARGE, SMALL = "tinypose", "tinypose-small"  # of one architecture, for large and for small crops
START_SIZES: Final = {"picodet-s": (320, 320), LARGE: CROP_SIZE, SMALL: SMALL_CROP_SIZE}  # width and height, pixels
KEYPOINT_SETTINGS: Final = {LARGE: KeypointTrainingSettings, SMALL: SmallCropTrainingSettings}
START_ORIGIN: Final = "PaddleDetection (Apache-2.0)"
TUNED: Final = ", trained on with stance train"


def train_keypoints(args: argparse.Namespace, data: TrainingData, device: torch.device) -> None:
    """Train `tinypose` or `tinypose-small` on crops of the labelled people, which are packed under --out.

    Raises:
        TrainingError, WeightsMissing, WeightsError, PictureError: what the user can cure.
    """
    kind = KEYPOINT_SETTINGS[args.network]
    settings = kind(
        **chosen(args, *COMMON), set_weights=named_weights(args.set_weight), loss=_with_teacher(kind().loss, args)
    )
    start = _start(args)
    assert isinstance(start.network, TinyPose)
    teacher = _teacher(args.network, start) if settings.loss.teacher > 0 else None
    if args.resume:
        load_state(Path(args.out) / STATE)  # a fault is told before anything is packed, not after
    hold_out = None if data.val is None else HoldOut(data.val.pictures, crop_size=settings.crop_size)
    crops = packed_once(data.pictures, Path(args.out) / CROPS)
    people = f"{len(data.pictures)} pictures, {len(crops)} people with keypoints"
    print(f"{args.network} on {device}: {people}{_judges(hold_out)}")
    trainer = KeypointTrainer(
        start.network, crops, args.out, settings, hold_out=hold_out, teacher=teacher, device=device,
        header=start.header,
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
    start = _start(args)
    assert isinstance(start.network, PicoDet)
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
        start.network, learnt.pictures, args.out, settings, hold_out=hold_out,
        teach_itself=settings.loss.teacher > 0, device=device, header=start.header,
    )  # fmt: skip
    _run(trainer, args, DetectorTrainer.PARTS, {"ap_upright": "AP upright", "ap_turned": "AP turned"})


def _judges(hold_out: object) -> str:
    return "" if hold_out is not None else "; nothing to judge by, so the last weights count as the best"


def _run(
    trainer: TrainingLoop[Any], args: argparse.Namespace, losses: Sequence[str], figures: Mapping[str, str]
) -> None:
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


@dataclass(frozen=True, slots=True)
class _Start:
    """What a training begins with.

    Attributes:
        network: with its weights.
        name: of the network that these are of.
        header: what files of the weights it learns say of themselves.
    """

    network: PicoDet | TinyPose
    name: str
    header: dict[str, str]


def _start(args: argparse.Namespace) -> _Start:
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
        published = LARGE if name == SMALL else name  # there are no start weights of tinypose-small
        return _Start(network, published, topdown_header(name, START_SIZES[name], START_ORIGIN + TUNED))
    loaded = load_topdown(file)
    if loaded.name != name and (loaded.name, name) != (LARGE, SMALL):
        raise WeightsError(f"{file} holds weights of {loaded.name}, not of {name}.")
    size = loaded.input_size if loaded.name == name else START_SIZES[name]
    return _Start(loaded.network, loaded.name, topdown_header(name, size, loaded.origin.removesuffix(TUNED) + TUNED))


def _teacher(name: str, start: _Start) -> nn.Module:
    """Who answers for upright samples: `tinypose` as it is now. `tinypose-small` has it as its teacher, too: the one it
    began with, or the one that ships."""
    if name == LARGE:
        return start.network
    large = start.network if start.name == LARGE else load_topdown(find_weights(LARGE), LARGE).network
    return AtSmallCells(large)
