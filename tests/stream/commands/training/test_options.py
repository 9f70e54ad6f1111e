"""The defaults that the help names are those of the settings classes; the networks are those there are."""

from __future__ import annotations

import pytest

from pose.networks.architecture import NETWORKS as YOLO_NETWORKS
from pose.training.detector.settings import DetectorTrainingSettings
from pose.training.keypoints.settings import KeypointTrainingSettings
from pose.training.yolo.settings import TrainingSettings
from pose.weight_files.topdown_file import TOPDOWN_NETWORKS
from stream.commands.training.options import NETWORKS, OPTIONS, TOPDOWN, YOLO

yolo, detector, keypoints = TrainingSettings(), DetectorTrainingSettings(), KeypointTrainingSettings()


def test_the_networks_are_those_there_are():
    assert set(YOLO) == set(YOLO_NETWORKS)
    assert set(TOPDOWN) == set(TOPDOWN_NETWORKS)
    assert set(NETWORKS) == {*YOLO, *TOPDOWN}


def pairs(items) -> str:
    return ",".join(f"{a:g}:{b:g}" for a, b in items)


@pytest.mark.parametrize(
    ("flag", "defaults"),
    [
        ("--epochs", f"({keypoints.epochs:g}; yolov7 {yolo.epochs:g})"),
        ("--batch", f"({keypoints.batch}; yolov7 {yolo.batch},"),
        (
            "--learning-rate",
            f"(picodet-s {detector.learning_rate:g}, in shares of a filter's size; "
            f"tinypose {keypoints.learning_rate:g}; yolov7 {yolo.learning_rate:g})",
        ),
        ("--evaluations", f"({keypoints.evaluations}; yolov7 {yolo.evaluations})"),
        ("--seed", f"({keypoints.seed})"),
        ("--teacher", f"(picodet-s {detector.loss.teacher:g}, tinypose {keypoints.loss.teacher:g})"),
        ("--upright-share", f"({keypoints.upright_share:g})"),
        ("--sides", f"({pairs(detector.sides.items())})"),
        ("--val-size", f"(picodet-s 320; yolov7 {yolo.evaluation_size})"),
        ("--sizes", f"({pairs(yolo.sizes)})"),
        ("--assigner", f"({yolo.loss.assigner})"),
        ("--lying-weight", f"({yolo.lying_weight:g})"),
        ("--quarter-turns", f"({yolo.augmentation.quarter_turns:g})"),
    ],
)
def test_the_help_names_the_defaults(flag, defaults):
    (option,) = [option for option in OPTIONS if option.flag == flag]
    assert defaults in option.text
    for name in ("epochs", "batch", "evaluations", "seed", "upright_share"):
        assert getattr(detector, name) == getattr(keypoints, name)
