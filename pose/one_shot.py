"""`OneShot`: YOLOv7-Pose, which finds people and their keypoints in one step."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pose.crowded import say_crowded
from pose.errors import PoseError
from pose.inference.batching import BatchingWorkers
from pose.inference.device import choose_precision
from pose.inference.letterbox import Letterbox
from pose.inference.nms import non_maximum_suppression
from pose.inference.runtimes.choice import choose_runtime, open_runtime
from pose.inference.runtimes.runtime import BYTES_BGR, NetworkSpec, Runtime
from pose.inference.steps import Steps
from pose.keypoints import KEYPOINT_COUNT
from pose.networks.deploy import fold_input, fuse
from pose.networks.head import COLUMNS, decode_above
from pose.networks.yolov7_pose import YoloPose
from pose.poses import Poses
from pose.weight_files.checkpoint import load_network
from pose.weight_files.digest import sha256

__all__ = ["OneShot"]

log = logging.getLogger(__name__)

Stage = Callable[[str], AbstractContextManager[object]]

MAX_CONCURRENCY = 8  # every batch in the network holds its pictures
MULTI_SCALE_IOU = 0.5
"""Two scales draw the box of one person differently, so with several a smaller overlap already is one person: of the
small network's detections on 300 pictures of COCO 61 are second ones instead of 79, and nobody is lost."""


class OneShot:
    """A YOLOv7-Pose network with its way from pictures to people. Any thread may ask.

    On a CPU each of several workers has one picture and its share of the cores: threads that work on one picture
    together wait for each other after every layer, and wait long when something else holds one of their cores. OpenVINO
    takes half of PyTorch's time there; one compiled network takes pictures of any shape, for a tenth more time than one
    of its own for every shape. On a GPU one worker runs batches of what waits.

    Args:
        weights: a weights file.
        network: whose it must be; None takes what the file says.
        device: where it computes.
        precision: `auto`, `fp32`, `bf16` or `fp16`.
        runtime: `auto`, `openvino` or `torch`; see `choose_runtime`.
        threads: CPU threads; None takes as many as PyTorch would.
        image_sizes: longest sides of the network's input in pixels; several are looked at one after the other and
            suppressed together (multi-scale inference). Rounded up to multiples of the network's largest stride.
        person_threshold: people below this score are left out, 0–1.
        iou_threshold: of two boxes that overlap more than this, the better one stays, 0–1; with several sizes 0.5 at
            most.
        batch_size: pictures in one call on a GPU.
        max_people: the best so many stay.
        stage: called with a stage's name (`pre-process`, `network`, `nms`), gives a context in which the stage runs.

    Raises:
        WeightsError, DeviceError, RuntimeMissing: see `PoseEstimator`.
    """

    def __init__(
        self,
        weights: Path,
        network: str | None,
        *,
        device: torch.device,
        precision: str = "auto",
        runtime: str = "auto",
        threads: int | None = None,
        image_sizes: Sequence[int],
        person_threshold: float,
        iou_threshold: float,
        batch_size: int = 8,
        max_people: int = 300,
        stage: Stage = nullcontext,
    ):
        self.device = device
        runtime = choose_runtime(runtime, str(device))
        dtype = torch.float32 if runtime == "openvino" else choose_precision(precision, device)
        model = load_network(weights, network)
        self.network = model.architecture.network
        self.person_threshold = person_threshold
        self.iou_threshold = iou_threshold
        self.max_people = max_people
        self._stride = model.architecture.strides[-1]
        self.image_sizes = tuple(
            sorted({-(-size // self._stride) * self._stride for size in image_sizes}, reverse=True)
        )
        self.batch_size = batch_size if device.type == "cuda" else 1
        self.stage = stage
        self._anchors = model.head.anchors.to(device)
        self._strides = model.head.strides
        self._threads_before = torch.get_num_threads()
        threads = threads or self._threads_before
        self._calls_at_once = 1 if device.type == "cuda" else min(threads, MAX_CONCURRENCY)
        self._dtype = dtype
        self._runtime: Runtime | None = None
        if runtime == "openvino":
            build = partial(_fast, model)
            spec = NetworkSpec(self.network, build, sha256(weights), (None, None), BYTES_BGR)
            self._runtime = open_runtime(
                spec, runtime, precision=precision, threads=threads, concurrency=self._calls_at_once
            )
            self.precision = self._runtime.precision
        else:
            self._model = _fast(model).to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.precision = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[dtype]
        share = max(threads // self._calls_at_once, 1)
        self._workers = BatchingWorkers(
            self.__call__,
            workers=self._calls_at_once,
            batch=self.batch_size,
            begin=lambda: torch.set_num_threads(share),
        )

    @property
    def concurrency(self) -> int:
        """How many pictures under way use the device best: one per thread on a CPU; on a GPU those of the batch in work
        and of the next."""
        return 2 * self.batch_size if self.device.type == "cuda" else self._calls_at_once

    @property
    def where(self) -> str:
        """The device."""
        return str(self.device)

    def find(self, bgr: NDArray[np.uint8]) -> Steps[Poses]:
        """The people of a picture, best score first."""
        future = self._workers.submit(bgr)
        yield (future,)
        return future.result()

    def close(self) -> None:
        """End the threads. Twice does no harm."""
        self._workers.close()
        if self._runtime is not None:
            self._runtime.close()
        torch.set_num_threads(self._threads_before)  # PyTorch takes what a worker set for every new thread

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Poses]:
        """The people of every picture, on this thread.

        Raises:
            PoseError: the GPU's memory does not suffice.
        """
        scales = [self._at_size(pictures, size) for size in self.image_sizes]
        with self.stage("nms"):
            return [self._people(of_one) for of_one in zip(*scales, strict=True)]

    def _at_size(self, pictures: Sequence[NDArray[np.uint8]], size: int) -> list[tuple[Letterbox, NDArray[np.float32]]]:
        """What the network says of every picture at one size: decoded rows `[R, 57]` in pixels of its input."""
        boxes = [Letterbox.fit(picture.shape[0], picture.shape[1], size, self._stride) for picture in pictures]
        groups: dict[tuple[int, int], list[int]] = {}
        for number, box in enumerate(boxes):
            groups.setdefault(box.shape, []).append(number)
        rows: dict[int, NDArray[np.float32]] = {}
        for shape, members in groups.items():
            for start in range(0, len(members), self.batch_size):
                batch = members[start : start + self.batch_size]
                table = self._run(shape, [pictures[n] for n in batch], [boxes[n] for n in batch])
                rows |= {number: table[table[:, 0] == place, 1:] for place, number in enumerate(batch)}
        return [(box, rows[number]) for number, box in enumerate(boxes)]

    def _run(
        self, shape: tuple[int, int], pictures: list[NDArray[np.uint8]], boxes: list[Letterbox]
    ) -> NDArray[np.float32]:
        """Everything above the threshold: the place of its picture in the batch, then a decoded row, `[R, 1 + 57]`."""
        try:
            with torch.inference_mode():
                with self.stage("pre-process"):
                    x = self._prepare(shape, pictures, boxes)
                with self.stage("network"):
                    picture, rows = decode_above(self._maps(x), self._anchors, self._strides, self.person_threshold)
                    # One copy to the CPU ends the wait for the device.
                    table: NDArray[np.float32] = torch.cat([picture[:, None].float(), rows], 1).cpu().numpy()
                    return table
        except torch.OutOfMemoryError as error:
            raise PoseError(
                f"{self.device} has too little free memory for {len(pictures)} pictures of {shape[1]}×{shape[0]}. "
                "Lower pose.batch_size or pose.image_size."
            ) from error

    def _maps(self, x: Tensor) -> Sequence[Tensor]:
        """What the network says of its input, a map for every stride."""
        if self._runtime is not None:
            return [torch.from_numpy(found) for found in self._runtime(x.permute(0, 2, 3, 1).numpy())]
        maps: Sequence[Tensor] = self._model(x.to(self._dtype, memory_format=torch.channels_last))
        return maps

    def _prepare(self, shape: tuple[int, int], pictures: list[NDArray[np.uint8]], boxes: list[Letterbox]) -> Tensor:
        """The network's input: BGR 0–255 `[B, 3, H, W]`; on a CPU uint8 and channels last in memory."""
        if self.device.type == "cpu":
            canvas = np.empty((len(pictures), *shape, 3), np.uint8)
            for inner, picture, box in zip(canvas, pictures, boxes, strict=True):
                box.draw(picture, inner)
            return torch.from_numpy(canvas).permute(0, 3, 1, 2)
        return torch.stack(
            [box.draw_on_device(self._upload(picture)) for picture, box in zip(pictures, boxes, strict=True)]
        )

    def _upload(self, picture: NDArray[np.uint8]) -> Tensor:
        """A picture on the GPU, uint8 `[H, W, 3]`. Through page-locked memory, from which the copy runs by itself."""
        host = torch.empty(picture.shape, dtype=torch.uint8, pin_memory=True)
        np.copyto(host.numpy(), picture)  # frames are read-only, which PyTorch takes only with a warning
        return host.to(self.device, non_blocking=True)

    def _people(self, scales: Sequence[tuple[Letterbox, NDArray[np.float32]]]) -> Poses:
        """From all scales of a picture to the people in it, in its own pixels."""
        box = scales[0][0]
        rows = np.concatenate([rows if scale is box else _seen_as(box, scale, rows) for scale, rows in scales])
        if not len(rows):
            return Poses.empty()
        centre, half, scores = rows[:, :2], rows[:, 2:4] / 2, rows[:, 4] * rows[:, 5]
        corners = np.concatenate([centre - half, centre + half], 1)
        limit = self.iou_threshold if len(scales) == 1 else min(self.iou_threshold, MULTI_SCALE_IOU)
        keep = non_maximum_suppression(corners, scores, limit, self.max_people + 1)
        if len(keep) > self.max_people:
            say_crowded(scores[keep[self.max_people :]], self.max_people, "best")
            keep = keep[: self.max_people]
        corners = box.to_source(corners[keep].reshape(-1, 2, 2)).reshape(-1, 4)
        points = rows[keep, COLUMNS - 3 * KEYPOINT_COUNT :].reshape(-1, KEYPOINT_COUNT, 3)
        points[..., :2] = box.to_source(points[..., :2])
        return Poses(points, corners, scores[keep])


def _fast(model: YoloPose) -> YoloPose:
    """The network as it is run: BGR 0–255 to raw maps."""
    return fold_input(fuse(model)).eval()


def _seen_as(box: Letterbox, scale: Letterbox, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decoded rows in pixels of another scale of the same picture, in those of `box`."""
    moved = rows.copy()
    points = moved[:, COLUMNS - 3 * KEYPOINT_COUNT :].reshape(-1, KEYPOINT_COUNT, 3)
    moved[:, :2] = scale.to_other(box, rows[:, :2])
    moved[:, 2:4] *= scale.scale_to(box)
    points[..., :2] = scale.to_other(box, points[..., :2])
    return moved
