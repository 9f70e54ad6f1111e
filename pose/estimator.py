"""`PoseEstimator`: from pictures to people."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pose.closing import Closing
from pose.errors import PoseError
from pose.inference.device_name import find_device
from pose.inference.steps import Steps, complete, together
from pose.network_descriptions import AUTO, TOP_DOWN
from pose.poses import Poses
from pose.weight_files.network_files import find_network

if TYPE_CHECKING:
    from pose.one_shot import OneShot
    from pose.top_down import TopDown

__all__ = ["PoseEstimator"]

log = logging.getLogger(__name__)

Stage = Callable[[str], AbstractContextManager[object]]
MAX_PEOPLE = 20


class PoseEstimator(Closing):
    """Finds the people and their 17 keypoints in pictures of any size.

        estimator = PoseEstimator()
        poses, = estimator([cv2.imread("picture.jpg")])

    Every picture stands for itself; what video knows besides is in `stream.people.pose_finder`. Any thread may ask.

    Args:
        weights: a weights file: of a one-shot network, or of the detector or the keypoint network of a top-down one,
            instead of the one that would be found; None finds all (see `pose.weight_files.location`).
        network: `picodet-tinypose`, `yolov7-w6-pose`, `yolov7-tiny-pose`, or `auto`: w6 when a GPU and its weights are
            there, else picodet-tinypose.
        device: `auto`, `cpu` or `cuda:N`.
        precision: `auto`, `fp32`, `bf16` or `fp16`.
        runtime: `auto`, `openvino` or `torch`: what runs the network; `auto` is OpenVINO on a CPU where it is
            installed, else PyTorch.
        threads: CPU threads of the network; None takes one per core.
        image_size: longest side of the input in pixels, or several such sizes for a one-shot network (multi-scale
            inference); None takes what suits the network.
        person_threshold: people below this score are left out, 0–1; None takes the network's own.
        high_score_threshold: people from this score on are matched to tracks first, 0–1; None takes the network's own.
        iou_threshold: of two boxes that overlap more, the better one stays, 0–1; None takes the network's own.
        max_people: in a picture: the largest so many, whose crops are work; of a one-shot network the best.
        batch_size: pictures in one call that suit the device; None takes 8.
        judging: whether average precision is to be measured: where people cost nothing, the whole curve of precision
            over recall is looked at, and everybody stays.
        stage: called with a stage's name, gives a context in which the stage runs; for profiling.

    Attributes:
        network: name of the network in use.
        description: what is known of it, its thresholds among them.
        parts: the name and the SHA-256, in hexadecimal, of every weights file in use.
        batch_size: as above, resolved.
        device, precision: where and in what it computes.
        image_sizes: as above, resolved, the largest first.
        top_down: its two halves, if it has two.

    Raises:
        WeightsMissing, WeightsError: the weights are not there, or not those of the network.
        DeviceError: the device or precision is not to be had here.
        RuntimeMissing: the runtime is not installed.
        PoseError: several sizes for a top-down network.
        ValueError: a size below 1, or a threshold outside 0–1.
    """

    top_down: TopDown | None

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        network: str = AUTO,
        device: str = "auto",
        precision: str = "auto",
        runtime: str = "auto",
        threads: int | None = None,
        image_size: int | Sequence[int] | None = None,
        person_threshold: float | None = None,
        high_score_threshold: float | None = None,
        iou_threshold: float | None = None,
        max_people: int = MAX_PEOPLE,
        batch_size: int | None = None,
        judging: bool = False,
        stage: Stage = nullcontext,
    ):
        sizes = (image_size,) if isinstance(image_size, int) else image_size
        if sizes is not None and (len(sizes) == 0 or min(sizes) < 1):
            raise ValueError(f"image_size is {image_size}, not at least 1")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, not at least 1")
        for name, value in (
            ("person_threshold", person_threshold),
            ("high_score_threshold", high_score_threshold),
            ("iou_threshold", iou_threshold),
        ):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}, not in 0–1")
        self.stage = stage
        self.device = find_device(device)
        files = find_network(network, None if weights is None else Path(weights), gpu=self.device != "cpu")
        self.description = files.description
        self.network = self.description.name
        self.parts = files.parts
        self.batch_size = batch_size or 8
        if person_threshold is None:
            person_threshold = self.description.judged_threshold if judging else self.description.person_threshold
        self.person_threshold = person_threshold
        self.high_score_threshold = (
            self.description.high_score_threshold if high_score_threshold is None else high_score_threshold
        )
        self.iou_threshold = self.description.iou_threshold if iou_threshold is None else iou_threshold
        sizes = tuple(sizes or (self.description.image_sizes[self.device != "cpu"],))
        self._network: OneShot | TopDown
        if self.network == TOP_DOWN:
            if len(sizes) > 1:
                raise PoseError(
                    f"{TOP_DOWN} looks at a picture at one size, and image_size has {len(sizes)}: {list(sizes)}. "
                    "Set pose.image_size to one of them; several are for a yolov7 network."
                )
            from pose.assembly import open_top_down

            self._network = self.top_down = open_top_down(
                files, device=self.device, precision=precision, runtime=runtime, threads=threads,
                size=sizes[0], threshold=self.person_threshold, iou_threshold=self.iou_threshold,
                max_people=max_people, stage=stage,
            )  # fmt: skip
        else:
            from pose.assembly import open_one_shot

            self.top_down = None
            self._network = open_one_shot(
                files, device=self.device, precision=precision, runtime=runtime, threads=threads,
                sizes=sizes, threshold=self.person_threshold, iou_threshold=self.iou_threshold,
                max_people=max_people, batch_size=self.batch_size, stage=stage,
            )  # fmt: skip
        self.precision = self._network.precision
        self.image_sizes = self._network.image_sizes
        log.info("%s on %s in %s at %s px", self.network, self._network.where, self.precision, self.sizes)

    @property
    def concurrency(self) -> int:
        """How many calls of the network under way at once use the device best."""
        return self._network.concurrency

    @property
    def sizes(self) -> str:
        """The sizes as people read them: `416+224`."""
        return "+".join(map(str, self.image_sizes))

    def warm_up(self, height: int = 720, width: int = 1280) -> None:
        """Run once on an empty picture of this size, so that the first real one is not slow."""
        self([np.zeros((height, width, 3), np.uint8)])

    def ready_for_video(self) -> None:
        """Open what only video needs, so that its first frame does not wait for it."""
        if self.top_down is not None:
            self.top_down.keypoints.ready_for_video()

    def find(self, bgr: NDArray[np.uint8]) -> Steps[Poses]:
        """The people of one picture, best score first, in its pixels. See `pose.inference.steps`.

        Args:
            bgr: uint8 `[H, W, 3]`.

        Raises:
            ValueError: the array is no uint8 picture of three channels.
            PoseError: the GPU's memory does not suffice.
        """
        if bgr.dtype != np.uint8 or bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.size == 0:
            raise ValueError(f"the picture is {bgr.dtype} {list(bgr.shape)}, not uint8 [H, W, 3]")
        return (yield from self._network.find(bgr))

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Poses]:
        """The people of every picture, best score first, in pixels of that picture.

        Args:
            pictures: uint8 `[H, W, 3]` each, BGR as OpenCV gives them; sizes may differ.

        Raises:
            ValueError, PoseError: see `find`.
        """
        return complete(together([self.find(bgr) for bgr in pictures]))

    def close(self) -> None:
        """End the network's threads. Twice does no harm."""
        self._network.close()
