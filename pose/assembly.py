"""From weights files to networks that are ready to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pose.detector import PersonDetector
from pose.inference.crops import CROP_SIZE, SMALL_CROP_SIZE
from pose.inference.runtimes.choice import choose_runtime, open_runtime
from pose.inference.runtimes.runtime import IMAGENET_RGB, NetworkSpec, Runtime
from pose.inference.runtimes.workers import MAX_CONCURRENCY, usable_cores
from pose.keypoint_finder import KeypointFinder
from pose.top_down import TopDown
from pose.weight_files.digest import sha256
from pose.weight_files.network_files import NetworkFiles

if TYPE_CHECKING:
    from torch import nn

    from pose.one_shot import OneShot

__all__ = ["DETECTOR_STRIDE", "open_one_shot", "open_top_down"]

DETECTOR_STRIDE = 64  # the detector's input is a multiple of it, px


def open_top_down(
    network: NetworkFiles,
    *,
    device: str,
    precision: str,
    runtime: str,
    threads: int | None,
    size: int,
    threshold: float,
    iou_threshold: float,
    max_people: int,
    stage: Callable[[str], AbstractContextManager[object]],
) -> TopDown:
    """A person detector and a keypoint network; see `PoseEstimator` for the arguments.

    Raises:
        WeightsError, DeviceError, RuntimeMissing: see `PoseEstimator`.
    """
    size = -(-size // DETECTOR_STRIDE) * DETECTOR_STRIDE

    def spec(part: str, height: int, width: int) -> NetworkSpec:
        build = partial(_build, part, network.files[part])
        return NetworkSpec(part, build, sha256(network.files[part]), (height, width), IMAGENET_RGB)

    def opened(part: str, height: int, width: int, called: str) -> Runtime:
        return open_runtime(
            spec(part, height, width), runtime,
            device=device, precision=precision, threads=threads, concurrency=calls, workers=workers,
            stage=partial(stage, called),
        )  # fmt: skip

    # One set of threads for both networks, so that they never take more cores together than there are. On a GPU, and
    # in PyTorch, each has its own way.
    calls = workers = None
    if choose_runtime(runtime, device) == "openvino":
        calls = min(threads or usable_cores(), MAX_CONCURRENCY)
        workers = ThreadPoolExecutor(calls, "network")
    (width, height), (small_width, small_height) = CROP_SIZE, SMALL_CROP_SIZE
    return TopDown(
        PersonDetector(
            opened("picodet-s", size, size, "detector"), size,
            threshold=threshold, iou_threshold=iou_threshold, max_people=max_people, stage=stage,
        ),
        KeypointFinder(
            opened("tinypose", height, width, "keypoints"),
            partial(opened, "tinypose-small", small_height, small_width, "keypoints of small people"),
            stage=stage,
        ),
        device,
    )  # fmt: skip


def _build(part: str, file: Path) -> nn.Module:
    from pose.networks.picodet import PicoDet, PicoDetBoxes
    from pose.networks.shuffle_free import without_shuffles
    from pose.weight_files.topdown_file import load_topdown

    network = load_topdown(file, part).network
    return PicoDetBoxes(network).eval() if isinstance(network, PicoDet) else without_shuffles(network)


def open_one_shot(
    network: NetworkFiles,
    *,
    device: str,
    precision: str,
    runtime: str,
    threads: int | None,
    sizes: Sequence[int],
    threshold: float,
    iou_threshold: float,
    max_people: int,
    batch_size: int,
    stage: Callable[[str], AbstractContextManager[object]],
) -> OneShot:
    """A YOLOv7-Pose network; see `PoseEstimator` for the arguments.

    Raises:
        WeightsError, DeviceError, RuntimeMissing: see `PoseEstimator`.
    """
    import torch

    from pose.one_shot import OneShot

    if threads is not None:
        torch.set_num_threads(threads)
    name = network.description.name
    return OneShot(
        network.files[name],
        name,
        device=torch.device(device),
        precision=precision,
        runtime=runtime,
        threads=threads,
        image_sizes=sizes,
        person_threshold=threshold,
        iou_threshold=iou_threshold,
        batch_size=batch_size,
        max_people=max_people,
        stage=stage,
    )
