"""`PoseEstimator`: which network and files it takes, sizes, thresholds, and what it says of faults.

Weights are from a seed and networks small; what the networks find is in `test_top_down` and `test_one_shot`.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pose.errors import DeviceError, PoseError, RuntimeMissing, WeightsError, WeightsMissing
from pose.estimator import MAX_PEOPLE, PoseEstimator
from pose.inference.runtimes import choice
from pose.inference.steps import complete
from pose.network_descriptions import describe_network
from pose.networks.yolov7_pose import YoloPose
from pose.weight_files.checkpoint import save_network
from pose.weight_files.digest import sha256

PLAIN = {"device": "cpu", "precision": "fp32", "runtime": "torch", "threads": 1}


def noise(height: int = 60, width: int = 80, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def opened(weights: Path | None = None, **options: Any) -> PoseEstimator:
    return PoseEstimator(weights, **({"image_size": 64} | PLAIN | options))


@pytest.fixture(autouse=True)
def _threads_stay() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny(made_weights: Path) -> Path:
    return made_weights / "yolov7-tiny-pose.safetensors"


def test_the_network_of_a_cpu_is_the_top_down_one(only_made_weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pose"):
        estimator = opened()
    assert estimator.network == estimator.description.name == "picodet-tinypose"
    assert estimator.parts == tuple(
        (part, sha256(only_made_weights / f"{part}.safetensors")) for part in ("picodet-s", "tinypose")
    )
    assert (estimator.device, estimator.precision, estimator.batch_size) == ("cpu", "fp32", 8)
    assert estimator.image_sizes == (64,)
    assert estimator.top_down is not None
    assert estimator.top_down.detector.max_people == MAX_PEOPLE
    assert "picodet-tinypose on cpu in fp32 at 64 px" in caplog.text
    estimator.close()
    estimator.close()


def test_a_top_down_network_looks_at_one_size(only_made_weights: Path) -> None:
    with pytest.raises(PoseError, match=r"picodet-tinypose looks at a picture at one size.*\[64, 128\]"):
        opened(image_size=[64, 128])
    estimator = opened(image_size=[64])
    assert estimator.image_sizes == (64,)
    estimator.close()


def test_a_one_shot_network(tiny: Path) -> None:
    estimator = opened(tiny)
    assert (estimator.network, estimator.top_down) == ("yolov7-tiny-pose", None)
    assert estimator.parts == (("yolov7-tiny-pose", sha256(tiny)),)
    assert (estimator.device, estimator.precision, estimator.image_sizes) == ("cpu", "fp32", (64,))
    assert estimator.concurrency == 1
    estimator.close()


def test_a_detector_of_ones_own(only_made_weights: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.safetensors"
    shutil.copy(only_made_weights / "picodet-s.safetensors", mine)
    estimator = opened(mine, network="picodet-tinypose")
    assert [part for part, _ in estimator.parts] == ["picodet-s", "tinypose"]
    estimator.close()


def test_people_of_every_picture_in_order(only_made_weights: Path) -> None:
    """With weights of a seed there are people anywhere: whose they are can be told from the picture they come with."""
    estimator = opened(max_people=3, person_threshold=0.4)
    pictures = [noise(seed=1), noise(90, 50, 2), noise(40, 200, 3)]
    at_once = estimator(pictures)
    assert [len(people) for people in at_once] == [3, 3, 3]
    for people, picture in zip(at_once, pictures, strict=True):
        alone = complete(estimator.find(picture))
        np.testing.assert_allclose(people.boxes, alone.boxes, atol=1e-3)
        np.testing.assert_allclose(people.keypoints, alone.keypoints, atol=1e-2)
        assert (np.diff(people.scores) <= 0).all()
    assert estimator([]) == []
    estimator.warm_up(30, 40)
    estimator.close()


def test_one_shot_people_of_every_picture_in_order(tiny: Path) -> None:
    estimator = opened(tiny, person_threshold=0.3)
    at_once = estimator([noise(seed=seed) for seed in range(5)])
    alone = [estimator([noise(seed=seed)])[0] for seed in range(5)]
    assert [len(people) for people in at_once] == [len(people) for people in alone]
    for people, one in zip(at_once, alone, strict=True):
        np.testing.assert_allclose(people.keypoints, one.keypoints, atol=1e-2)
    estimator.close()


@pytest.mark.parametrize("network", ["picodet-tinypose", "yolov7-tiny-pose"])
def test_thresholds_are_the_networks_own_unless_given(only_made_weights: Path, network: str) -> None:
    own = describe_network(network)
    with opened(network=network) as estimator:
        assert estimator.person_threshold == own.person_threshold
        assert estimator.high_score_threshold == own.high_score_threshold
        assert estimator.iou_threshold == own.iou_threshold
    with opened(network=network, judging=True) as estimator:
        assert estimator.person_threshold == own.judged_threshold
    given = {"person_threshold": 0.0, "high_score_threshold": 0.6, "iou_threshold": 0.5}
    with opened(network=network, judging=True, **given) as estimator:
        assert {name: getattr(estimator, name) for name in given} == given
        inside = estimator.top_down.detector if estimator.top_down else estimator._network
        assert {inside.iou_threshold, estimator.iou_threshold} == {0.5}


def test_sizes(only_made_weights: Path, tiny: Path) -> None:
    with opened(image_size=65) as estimator:
        assert (estimator.image_sizes, estimator.sizes) == ((128,), "128")  # the next multiple of the largest stride
    with opened(image_size=None) as estimator:
        assert estimator.image_sizes == (320,)
    with opened(tiny, image_size=(32, 65)) as estimator:
        assert (estimator.image_sizes, estimator.sizes) == ((96, 32), "96+32")
    with opened(tiny, image_size=None) as estimator:
        assert estimator.image_sizes == (416,)


def test_batches(only_made_weights: Path) -> None:
    with opened(batch_size=3) as estimator:
        assert estimator.batch_size == 3


@pytest.mark.parametrize(
    "options",
    [
        {"image_size": 0},
        {"image_size": ()},
        {"image_size": (416, 0)},
        {"batch_size": -1},
        {"person_threshold": 1.5},
        {"high_score_threshold": -0.1},
        {"iou_threshold": float("nan")},
    ],
)
def test_impossible_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        PoseEstimator("not looked at", device="cpu", **options)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 1), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
    ],
    ids=["grey", "one channel", "alpha", "float", "empty"],
)
def test_other_arrays_are_refused(tiny: Path, picture: np.ndarray) -> None:
    with (
        opened(tiny) as estimator,
        pytest.raises(ValueError, match=r"picture is \w+ \[.*\], not uint8 \[H, W, 3\]"),
    ):
        estimator([noise(20, 20), picture])


def test_weights_are_found_and_checked(
    only_made_weights: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_w6: YoloPose
) -> None:
    with pytest.raises(WeightsMissing, match="is missing"):
        opened(tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="holds weights of yolov7-tiny-pose, not of yolov7-w6-pose"):
        opened(tiny, network="yolov7-w6-pose")
    with pytest.raises(WeightsMissing, match="stance weights fetch yolov7-w6-pose"):
        opened(network="yolov7-w6-pose")
    monkeypatch.setattr("pose.weight_files.location.weights_folders", lambda: [tmp_path])
    save_network(small_w6, tmp_path / "yolov7-w6-pose.safetensors")
    with opened(network="yolov7-w6-pose") as estimator:
        assert estimator.parts == (("yolov7-w6-pose", sha256(tmp_path / "yolov7-w6-pose.safetensors")),)
    with pytest.raises(WeightsMissing, match="picodet-s"):  # auto on a CPU is top-down, although w6 is here
        opened()


def test_damaged_weights_are_told_when_the_network_is_built(only_made_weights: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes((only_made_weights / "tinypose.safetensors").read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"cut\.safetensors"):
        opened(cut)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_one_sentence(tiny: Path) -> None:
    with pytest.raises(DeviceError, match=r"Set pose\.device to auto or cpu\.$"):
        PoseEstimator(tiny, device="cuda")


def test_a_runtime_that_is_not_installed_or_does_not_exist(
    only_made_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise RuntimeMissing("OpenVINO is not installed.")

    monkeypatch.setattr(choice, "import_openvino", missing)
    with pytest.raises(RuntimeMissing, match="OpenVINO is not installed"):
        opened(runtime="openvino")
    with pytest.raises(DeviceError, match="no runtime 'tensorrt'"):
        opened(runtime="tensorrt")


@pytest.mark.parametrize("network", ["picodet-tinypose", "yolov7-tiny-pose"])
def test_a_gpu_runs_every_network(only_made_weights: Path, cuda: torch.device, network: str) -> None:
    with PoseEstimator(network=network, device=str(cuda), image_size=64, person_threshold=0.3) as estimator:
        assert estimator.precision == "fp16"
        (people,) = estimator([noise()])
        assert np.isfinite(people.keypoints).all()
