"""`stance train`: teach a network to find people."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pose.errors import PictureError, StanceError, TrainingError
from pose.networks.architecture import NETWORKS

if TYPE_CHECKING:
    from pose.datasets.labelled import LabelledPicture, LabelledSet
    from pose.networks.yolov7_pose import YoloPose
    from pose.training.yolo.settings import TrainingSettings
    from stream.settings.model import Settings

__all__ = ["register"]

log = logging.getLogger(__name__)

SHOWN = 12  # pictures of predictions per evaluation
SHOWN_HEIGHT = 240  # pixels
SHIPPED = "shipped"
FRESH = "none"


def register(subparsers: Any) -> None:
    """Add `train` to what `argparse.ArgumentParser.add_subparsers` gave.

    It sets `run`, a function of the parsed arguments and the `Settings` that gives the exit code. Faults of the user
    rise as `StanceError`, ctrl-C as `KeyboardInterrupt`.
    """
    from pose.training.yolo.settings import TrainingSettings

    ours = TrainingSettings()
    text = "teach a network to find people and their keypoints, from labelled pictures"
    train = subparsers.add_parser("train", help=text, description=f"{text[0].upper()}{text[1:]}.")
    train.add_argument(
        "data", metavar="DATA", nargs="+",
        help="a folder with images/ and labels/ (YOLO-pose, 56 columns), or a COCO keypoint JSON file",
    )  # fmt: skip
    train.add_argument("--val", metavar="DATA", help="labelled pictures to judge by; never trained on")
    train.add_argument("--out", metavar="FOLDER", default="training", help="where weights and curves go (training)")
    train.add_argument("--network", choices=NETWORKS, default="yolov7-tiny-pose", help="which network (tiny)")
    train.add_argument(
        "--init", metavar="FILE", default=SHIPPED,
        help=f"weights to begin with: a file, {SHIPPED} (the network's own, where they are), or {FRESH} ({SHIPPED})",
    )  # fmt: skip
    train.add_argument("--resume", action="store_true", help="go on with the training in --out that was stopped")
    train.add_argument(
        "--epochs", type=float, default=ours.epochs, help=f"rounds through the pictures ({ours.epochs:g})"
    )
    train.add_argument("--minutes", type=float, help="train for so long instead")
    train.add_argument("--batch", type=int, default=ours.batch, help=f"pictures per step, first size ({ours.batch})")
    sizes = ",".join(f"{share:g}:{size}" for share, size in ours.sizes)
    train.add_argument(
        "--sizes", default=sizes, help=f"picture size by share of the training, SHARE:PIXELS,… ({sizes})"
    )
    train.add_argument(
        "--learning-rate", type=float, default=ours.learning_rate, metavar="R", help=f"highest ({ours.learning_rate:g})"
    )
    train.add_argument(
        "--assigner", choices=("anchor", "transport"), default=ours.loss.assigner,
        help=f"how cells are given to people: by shape, or the best of those ({ours.loss.assigner})",
    )  # fmt: skip
    train.add_argument(
        "--set-weight", metavar="SET=W", action="append", default=[],
        help="draw pictures named SET_… W times as often; may be given several times",
    )  # fmt: skip
    train.add_argument(
        "--lying-weight", type=float, default=ours.lying_weight, metavar="W",
        help="draw pictures in which somebody lies, bends down or is upside down W times as often "
        f"({ours.lying_weight:g})",
    )  # fmt: skip
    train.add_argument(
        "--quarter-turns", type=float, default=ours.augmentation.quarter_turns, metavar="SHARE",
        help=f"share of pictures laid on their side ({ours.augmentation.quarter_turns:g})",
    )  # fmt: skip
    train.add_argument(
        "--incomplete", metavar="SET", action="append", default=[],
        help="not everybody is labelled in pictures named SET_…; may be given several times",
    )  # fmt: skip
    train.add_argument(
        "--evaluations", type=int, default=ours.evaluations, help=f"how often to judge ({ours.evaluations})"
    )
    train.add_argument(
        "--val-size", type=int, default=ours.evaluation_size, metavar="PIXELS",
        help=f"longest side when judged ({ours.evaluation_size})",
    )  # fmt: skip
    train.add_argument("--val-limit", type=int, metavar="N", help="judge by the first N pictures only (all)")
    train.add_argument("--workers", type=int, help="processes that prepare pictures (1; on a GPU half the cores)")
    train.add_argument(
        "--resident", action="store_true", help="keep all pictures in the GPU's memory and augment there"
    )
    train.add_argument("--seed", type=int, default=ours.seed, help=f"of all that is random ({ours.seed})")
    train.set_defaults(run=_train)


def _train(args: argparse.Namespace, settings: Settings) -> int:
    import torch

    from pose.datasets.reading import read_labelled
    from pose.inference.device import choose_device
    from pose.training.plot import plot_history
    from pose.training.yolo.trainer import BEST, LAST, Trainer

    device = choose_device(settings.pose.device)
    if settings.pose.threads:
        torch.set_num_threads(settings.pose.threads)
    training = _settings(args)
    pictures = [picture for data in args.data for picture in read_labelled(data).pictures]
    val = read_labelled(args.val) if args.val else None
    if val is not None:
        _refuse_overlap(pictures, val)
    model, trained = _model(args)
    print(f"{model.architecture.network} on {device}: {len(pictures)} pictures, {sum(map(len, pictures))} people")

    def evaluate(weights: Path, folder: Path) -> dict[str, float]:
        assert val is not None
        figures = _evaluate(weights, folder, val, args, settings, trainer.samples)
        try:
            plot_history([*trainer.history, {"samples": float(trainer.samples), **figures}], folder / "results.png")
        except TrainingError as error:
            log.warning("%s", error)
        return figures

    trainer = Trainer(
        model, pictures, args.out, training, device=device, workers=args.workers, resident=args.resident,
        trained=trained, evaluate=evaluate if val is not None else None,
    )  # fmt: skip
    if args.resume:
        trainer.resume()
    try:
        trainer.run()
    except KeyboardInterrupt:
        print(f"stopped after {trainer.samples} samples; go on with --resume. Weights: {trainer.folder / LAST}")
        raise
    best = f"; best AP {trainer.best_ap:.3f}: {trainer.folder / BEST}" if trainer.best_ap >= 0 else ""
    print(f"{trainer.samples} samples in {trainer.seconds / 60:.0f} minutes; {trainer.folder / LAST}{best}")
    return 0


def _settings(args: argparse.Namespace) -> TrainingSettings:
    from pose.training.yolo.augmentation import AugmentationSettings
    from pose.training.yolo.loss import LossSettings
    from pose.training.yolo.settings import TrainingSettings

    return TrainingSettings(
        epochs=args.epochs,
        minutes=args.minutes,
        sizes=tuple((share, round(size)) for share, size in _pairs(args.sizes.split(","), ":", "--sizes")),
        batch=args.batch,
        learning_rate=args.learning_rate,
        evaluations=args.evaluations,
        evaluation_size=args.val_size,
        set_weights=dict(_named(args.set_weight)),
        lying_weight=args.lying_weight,
        incomplete=frozenset(args.incomplete),
        seed=args.seed,
        loss=LossSettings(assigner=args.assigner),
        augmentation=AugmentationSettings(quarter_turns=args.quarter_turns),
    )


def _pairs(parts: list[str], mark: str, option: str) -> list[tuple[float, float]]:
    try:
        return [(float(first), float(second)) for first, second in (part.split(mark) for part in parts)]
    except ValueError:
        raise TrainingError(f"{option} {','.join(parts)!r} is not of the form 0:192,0.5:256.") from None


def _named(parts: list[str]) -> list[tuple[str, float]]:
    try:
        return [(name, float(weight)) for name, weight in (part.split("=") for part in parts)]
    except ValueError:
        raise TrainingError(f"--set-weight {' '.join(parts)!r} is not of the form coco=4.") from None


def _refuse_overlap(pictures: list[LabelledPicture], val: LabelledSet) -> None:
    trained_on = {picture.path.resolve() for picture in pictures}
    both = [picture.path for picture in val.pictures if picture.path.resolve() in trained_on]
    if both:
        raise TrainingError(
            f"{len(both)} pictures, such as {both[0]}, are in DATA and in --val: the figures would mean nothing. Keep "
            "them apart."
        )


def _model(args: argparse.Namespace) -> tuple[YoloPose, bool]:
    """The network to train, and whether it was trained before."""
    from pose.networks.architecture import Architecture
    from pose.training.yolo.fresh import fresh_network
    from pose.weight_files.checkpoint import load_network
    from pose.weight_files.location import find_weights

    if args.init == FRESH:
        tiny = args.network == "yolov7-tiny-pose"
        activation = "leaky_relu_0.1" if tiny else "silu"
        branch = "short" if tiny else "official"
        return fresh_network(Architecture(args.network, branch, activation, activation)), False
    file = find_weights(args.network) if args.init == SHIPPED else args.init
    return load_network(file, args.network), True


def _evaluate(
    weights: Path, folder: Path, val: LabelledSet, args: argparse.Namespace, settings: Settings, samples: int
) -> dict[str, float]:
    """Figures of a weights file, and a picture of what it finds in `folder`."""
    from pose.datasets.labelled import LabelledSet
    from pose.estimator import PoseEstimator
    from pose.evaluation.average_precision import evaluate_pose

    if args.val_limit:
        val = LabelledSet(val.pictures[: args.val_limit], val.area_is_estimated)
    estimator = PoseEstimator(weights, device=settings.pose.device, image_size=args.val_size, judging=True)
    scores = evaluate_pose(estimator, val, quiet=True)
    _show(estimator, val, settings, folder / f"predictions_{samples:08d}.jpg")
    return {name: round(float(getattr(scores, name)), 5) for name in ("ap", "ap50", "ap75", "ap_medium", "ap_large")}


def _show(estimator: Any, val: LabelledSet, settings: Settings, file: Path) -> None:
    """Draw the people found in some pictures beside one another."""
    import cv2

    from index.classification import Classification, Unknown
    from pose.poses import Poses
    from stream.drawing.overlay import Overlay
    from stream.frame import Frame
    from stream.scene import Person, Scene

    overlay = Overlay(settings.overlay.model_copy(update={"labels": False}), settings.pose.keypoint_threshold)
    unnamed = Classification(None, 0.0, float("nan"), None, Unknown.EMPTY_DATABASE, (), (), ())
    rows: list[Any] = []
    for picture in val.pictures[:: max(1, len(val) // SHOWN)][:SHOWN]:
        image = cv2.imread(str(picture.path))
        if image is None:
            raise PictureError(f"{picture.path} cannot be read. Repair or remove it, and its labels.")
        (found,) = estimator([image])
        sure = found.scores >= estimator.description.person_threshold
        poses = Poses(found.keypoints[sure], found.boxes[sure], found.scores[sure])
        people = tuple(Person(row, None, unnamed, None, 0.0, None) for row in range(len(poses)))
        drawn = overlay(
            Scene(Frame(image.astype(np.uint8, copy=False), picture.path.name, 0, 0, None, 0.0), poses, people)
        )
        rows.append(cv2.resize(drawn, (round(SHOWN_HEIGHT * drawn.shape[1] / drawn.shape[0]), SHOWN_HEIGHT)))
    strips = [np.concatenate(rows[start : start + 4], 1) for start in range(0, len(rows), 4)]
    width = max(strip.shape[1] for strip in strips)
    padded = [np.pad(strip, ((0, 0), (0, width - strip.shape[1]), (0, 0))) for strip in strips]
    if not cv2.imwrite(str(file), np.concatenate(padded)):
        raise StanceError(f"{file} cannot be written. Is the disk full?")
