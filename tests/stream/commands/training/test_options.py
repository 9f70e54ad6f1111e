"""The defaults that the help names are those of the settings classes; the networks are those there are."""

from __future__ import annotations

import pytest

from pose.networks.architecture import NETWORKS as YOLO_NETWORKS
from pose.training.detector.settings import DetectorTrainingSettings
from pose.training.keypoints.settings import KeypointTrainingSettings
from pose.training.keypoints.small_crop_settings import SmallCropTrainingSettings
from pose.training.yolo.settings import TrainingSettings
from pose.weight_files.topdown_file import TOPDOWN_NETWORKS
from stream.commands.training.options import NETWORKS, OPTIONS, TOPDOWN, YOLO, listed

yolo, detector = TrainingSettings(), DetectorTrainingSettings()
keypoints, small = KeypointTrainingSettings(), SmallCropTrainingSettings()


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
        ("--batch", f"({keypoints.batch}; tinypose-small {small.batch}; yolov7 {yolo.batch},"),
        (
            "--learning-rate",
            f"(picodet-s {detector.learning_rate:g}, in shares of a filter's size; "
            f"tinypose {keypoints.learning_rate:g}; tinypose-small {small.learning_rate:g}; "
            f"yolov7 {yolo.learning_rate:g})",
        ),
        ("--evaluations", f"({keypoints.evaluations}; yolov7 {yolo.evaluations})"),
        ("--seed", f"({keypoints.seed})"),
        (
            "--teacher",
            f"(picodet-s {detector.loss.teacher:g}, tinypose {keypoints.loss.teacher:g}, "
            f"tinypose-small {small.loss.teacher:g})",
        ),
        ("--upright-share", f"({keypoints.upright_share:g}; tinypose-small {small.upright_share:g})"),
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
    for name in ("epochs", "evaluations", "seed"):
        assert getattr(small, name) == getattr(keypoints, name)


def test_names_are_listed_as_in_a_sentence():
    assert [listed(names) for names in (("a",), ("a", "b"), ("a", "b", "c"))] == ["a", "a and b", "a, b and c"]
