"""`stance train` for the one-shot YOLOv7-Pose networks."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch

from index.classification import Classification
from pose.datasets.labelled import LabelledSet
from pose.datasets.picture_file import read_picture
from pose.errors import StanceError, TrainingError
from pose.estimator import PoseEstimator
from pose.evaluation.average_precision import evaluate_pose
from pose.networks.architecture import Architecture
from pose.networks.yolov7_pose import YoloPose
from pose.poses import Poses
from pose.reason import Reason
from pose.training.plot import plot_history
from pose.training.yolo.augmentation import AugmentationSettings
from pose.training.yolo.fresh import fresh_network
from pose.training.yolo.loss import LOSS_PARTS, LossSettings
from pose.training.yolo.settings import TrainingSettings
from pose.training.yolo.trainer import Trainer
from pose.weight_files.checkpoint import load_network
from pose.weight_files.location import find_weights
from stream.commands.training.data import TrainingData
from stream.commands.training.options import FRESH, SHIPPED, chosen, named_weights
from stream.commands.training.running import run_trainer
from stream.drawing.overlay import Overlay
from stream.frame import Frame
from stream.scene import Person, Scene
from stream.settings.model import Settings

__all__ = ["train_yolo"]

log = logging.getLogger(__name__)

SHOWN: Final = 12  # pictures of predictions per evaluation
SHOWN_HEIGHT: Final = 240  # pixels
FIGURES: Final = {"ap": "AP", "ap50": "AP50", "ap_medium": "AP medium", "ap_large": "AP large"}


def train_yolo(args: argparse.Namespace, data: TrainingData, device: torch.device, settings: Settings) -> None:
    """Train a network on the labelled pictures.

    Raises:
        TrainingError, WeightsMissing, WeightsError, PictureError: what the user can cure.
    """
    training = _settings(args)
    model, trained = _model(args)
    people = sum(map(len, data.pictures))
    print(f"{model.architecture.network} on {device}: {len(data.pictures)} pictures, {people} people")

    def evaluate(weights: Path, folder: Path) -> dict[str, float]:
        assert data.val is not None
        figures = _evaluate(weights, folder, data.val, training.evaluation_size, settings, trainer.samples)
        rows = [*trainer.history, {"samples": float(trainer.samples), **figures}]
        try:
            plot_history(rows, LOSS_PARTS, FIGURES, folder / "results.png")
        except TrainingError as error:
            log.warning("%s", error)
        return figures

    trainer = Trainer(
        model, data.pictures, args.out, training, device=device, workers=args.workers, resident=bool(args.resident),
        trained=trained, evaluate=evaluate if data.val is not None else None,
    )  # fmt: skip
    run_trainer(trainer, args.resume, "AP")


def _settings(args: argparse.Namespace) -> TrainingSettings:
    given: dict[str, Any] = chosen(
        args, "epochs", "minutes", "batch", "learning_rate", "evaluations", "seed", "lying_weight"
    )
    if args.sizes is not None:
        given["sizes"] = _sizes(args.sizes)
    if args.val_size is not None:
        given["evaluation_size"] = args.val_size
    return TrainingSettings(
        **given,
        set_weights=named_weights(args.set_weight),
        incomplete=frozenset(args.incomplete or ()),
        loss=LossSettings(**chosen(args, "assigner")),
        augmentation=AugmentationSettings(**chosen(args, "quarter_turns")),
    )


def _sizes(text: str) -> tuple[tuple[float, int], ...]:
    try:
        return tuple((float(share), round(float(size))) for share, size in (p.split(":") for p in text.split(",")))
    except ValueError:
        raise TrainingError(f"--sizes {text!r} is not of the form 0:192,0.5:256.") from None


def _model(args: argparse.Namespace) -> tuple[YoloPose, bool]:
    """The network to train, and whether it was trained before."""
    if args.init == FRESH:
        tiny = args.network == "yolov7-tiny-pose"
        activation = "leaky_relu_0.1" if tiny else "silu"
        branch = "short" if tiny else "official"
        return fresh_network(Architecture(args.network, branch, activation, activation)), False
    file = find_weights(args.network) if args.init == SHIPPED else args.init
    return load_network(file, args.network), True


def _evaluate(
    weights: Path, folder: Path, val: LabelledSet, side: int, settings: Settings, samples: int
) -> dict[str, float]:
    """Figures of a weights file, and a picture of what it finds in `folder`."""
    estimator = PoseEstimator(weights, device=settings.pose.device, image_size=side, judging=True)
    scores = evaluate_pose(estimator, val, quiet=True)
    _show(estimator, val, settings, folder / f"predictions_{samples:08d}.jpg")
    return {name: round(float(getattr(scores, name)), 5) for name in ("ap", "ap50", "ap75", "ap_medium", "ap_large")}


def _show(estimator: Any, val: LabelledSet, settings: Settings, file: Path) -> None:
    """Draw the people found in some pictures beside one another."""
    overlay = Overlay(settings.overlay.model_copy(update={"labels": False}), settings.pose.keypoint_threshold)
    unnamed = Classification(None, 0.0, float("nan"), None, Reason.EMPTY_DATABASE, (), (), ())
    rows: list[Any] = []
    for picture in val.pictures[:: max(1, len(val) // SHOWN)][:SHOWN]:
        image = read_picture(picture.path)
        (found,) = estimator([image])
        sure = found.scores >= estimator.description.person_threshold
        poses = Poses(found.keypoints[sure], found.boxes[sure], found.scores[sure])
        people = tuple(Person(row, None, unnamed, None, 0.0, None) for row in range(len(poses)))
        drawn = overlay(Scene(Frame(image, picture.path.name, 0, 0, None, 0.0), poses, people))
        rows.append(cv2.resize(drawn, (round(SHOWN_HEIGHT * drawn.shape[1] / drawn.shape[0]), SHOWN_HEIGHT)))
    strips = [np.concatenate(rows[start : start + 4], 1) for start in range(0, len(rows), 4)]
    width = max(strip.shape[1] for strip in strips)
    padded = [np.pad(strip, ((0, 0), (0, width - strip.shape[1]), (0, 0))) for strip in strips]
    if not cv2.imwrite(str(file), np.concatenate(padded)):
        raise StanceError(f"{file} cannot be written. Is the disk full?")
