"""`PoseEstimator`: from pictures to people."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pose.errors import PoseError, WeightsMissing
from pose.inference.device import choose_device, choose_precision
from pose.inference.letterbox import Letterbox
from pose.inference.nms import non_maximum_suppression
from pose.keypoints import KEYPOINT_COUNT
from pose.networks.deploy import fold_input, fuse
from pose.networks.head import COLUMNS, decode_above
from pose.poses import Poses
from pose.weight_files.checkpoint import load_network, sha256
from pose.weight_files.location import find_weights

__all__ = ["PoseEstimator"]

log = logging.getLogger(__name__)

Stage = Callable[[str], AbstractContextManager[object]]

MAX_CONCURRENCY = 8  # every batch in the network holds its pictures
LARGE_SIZES = (640,)
SMALL_SIZES = (416, 224)
MULTI_SCALE_IOU = 0.5
"""Two looks draw the box of one person differently, so with several looks a smaller overlap already is one person: of
the small network's finds on 300 pictures of COCO 61 are second ones instead of 79, and nobody is lost."""


def _no_stage(_: str) -> AbstractContextManager[object]:
    return nullcontext()


class PoseEstimator:
    """Finds the people and their 17 keypoints in pictures of any size.

        estimator = PoseEstimator()
        poses, = estimator([cv2.imread("picture.jpg")])

    A call changes nothing, so several threads may call at once.

    A picture may be looked at in several sizes. A small network sees people best who are about as large in its input as
    those it was trained on: in the large size those who are small in the picture, in the small size those who fill it.
    What all looks find goes through one suppression, in which the better score stays.

    Args:
        weights: a weights file; None finds the file of `network` (see `pose.weight_files.location`).
        network: `yolov7-w6-pose`, `yolov7-tiny-pose`, or `auto`: w6 when its weights are there and a GPU is, tiny
            otherwise.
        device: `auto`, `cpu` or `cuda:N`.
        precision: `auto`, `fp32`, `bf16` or `fp16`.
        image_size: longest side of the network's input in pixels, or several such sizes. None takes 640 for w6 on a
            GPU, else 416 and 224. Rounded up to multiples of the network's largest stride.
        person_threshold: people below this score are left out, 0–1.
        iou_threshold: of two boxes that overlap more than this, the better one stays, 0–1. With several looks it is 0.5
            at most.
        batch_size: pictures the network sees at once; None takes 8 on a GPU and 4 on a CPU.
        stage: called with a stage's name (`pre-process`, `network`, `nms`), gives a context in which the stage runs;
            for profiling.

    Attributes:
        network: name of the network in use.
        weights: path of its weights file.
        weights_digest: SHA-256 of that file, in hexadecimal.
        device, dtype: where and in what the network computes.
        image_sizes: as above, resolved, the largest first.
        batch_size: as above, resolved.

    Raises:
        WeightsMissing, WeightsError: the weights are not there, or not those of the network.
        DeviceError: the device or precision is not to be had here.
        ValueError: a size below 1, or a threshold outside 0–1.
    """

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        network: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        image_size: int | Sequence[int] | None = None,
        person_threshold: float = 0.1,
        iou_threshold: float = 0.65,
        batch_size: int | None = None,
        stage: Stage = _no_stage,
    ):
        sizes = (image_size,) if isinstance(image_size, int) else image_size
        if sizes is not None and (len(sizes) == 0 or min(sizes) < 1):
            raise ValueError(f"image_size is {image_size}, not at least 1")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, not at least 1")
        for name, share in (("person_threshold", person_threshold), ("iou_threshold", iou_threshold)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} is {share}, not in 0–1")
        self.device = choose_device(device)
        self.dtype = choose_precision(precision, self.device)
        if weights is None:
            weights = self._find(network)
        self.weights = Path(weights)
        model = load_network(self.weights, None if network == "auto" else network)
        self.network = model.architecture.network
        self.weights_digest = sha256(self.weights)
        self.person_threshold = person_threshold
        self.iou_threshold = iou_threshold
        self._stride = model.architecture.strides[-1]
        large = self.device.type == "cuda" and self.network == "yolov7-w6-pose"
        wanted = sizes or (LARGE_SIZES if large else SMALL_SIZES)
        self.image_sizes = tuple(sorted({-(-size // self._stride) * self._stride for size in wanted}, reverse=True))
        self.batch_size = batch_size or (8 if self.device.type == "cuda" else 4)
        self.stage = stage
        self._anchors = model.head.anchors.to(self.device)
        self._strides = model.head.strides
        fold_input(fuse(model))
        self._model = model.to(self.device, self.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        log.info(
            "%s from %s on %s in %s at %s px",
            self.network, self.weights, self.device, self.precision, self.sizes,
        )  # fmt: skip

    @property
    def concurrency(self) -> int:
        """How many calls at once use the device best (see `pose.pool`): one on a GPU, one per thread on a CPU."""
        return 1 if self.device.type == "cuda" else min(torch.get_num_threads(), MAX_CONCURRENCY)

    @property
    def sizes(self) -> str:
        """The sizes as people read them: `416+192`."""
        return "+".join(map(str, self.image_sizes))

    @property
    def precision(self) -> str:
        """`fp32`, `bf16` or `fp16`."""
        return {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[self.dtype]

    def _find(self, network: str) -> Path:
        if network != "auto":
            return find_weights(network)
        if self.device.type == "cuda":
            try:
                return find_weights("yolov7-w6-pose")
            except WeightsMissing:
                log.info("no weights of yolov7-w6-pose here, so the small network runs on the GPU too")
        return find_weights("yolov7-tiny-pose")

    def warm_up(self, height: int = 720, width: int = 1280) -> None:
        """Run once on an empty picture of this size, so that the first real one is not slow."""
        self([np.zeros((height, width, 3), np.uint8)] * self.batch_size)

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Poses]:
        """Find the people in every picture.

        Args:
            pictures: uint8 `[H, W, 3]` each, BGR as OpenCV gives them; sizes may differ.

        Returns:
            One `Poses` per picture, best score first, in pixels of that picture.

        Raises:
            ValueError: an array is not a uint8 picture of three channels.
            PoseError: the GPU's memory does not suffice.
        """
        for number, picture in enumerate(pictures):
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
                raise ValueError(f"picture {number} is {picture.dtype} {list(picture.shape)}, not uint8 [H, W, 3]")
        looks = [self._look(pictures, size) for size in self.image_sizes]
        with self.stage("nms"):
            return [self._people(of_one) for of_one in zip(*looks, strict=True)]

    def _look(self, pictures: Sequence[NDArray[np.uint8]], size: int) -> list[tuple[Letterbox, NDArray[np.float32]]]:
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
                    picture, rows = decode_above(self._model(x), self._anchors, self._strides, self.person_threshold)
                    # One copy to the CPU ends the wait for the device.
                    table: NDArray[np.float32] = torch.cat([picture[:, None].float(), rows], 1).cpu().numpy()
                    return table
        except torch.OutOfMemoryError as error:
            raise PoseError(
                f"{self.device} has too little free memory for {len(pictures)} pictures of {shape[1]}×{shape[0]}. "
                "Lower pose.batch_size or pose.image_size."
            ) from error

    def _prepare(self, shape: tuple[int, int], pictures: list[NDArray[np.uint8]], boxes: list[Letterbox]) -> Tensor:
        """The network's input: BGR 0–255 `[B, 3, H, W]`, channels last in memory."""
        if self.device.type == "cpu":
            canvas = np.empty((len(pictures), *shape, 3), np.uint8)
            for inner, picture, box in zip(canvas, pictures, boxes, strict=True):
                box.draw(picture, inner)
            return torch.from_numpy(canvas).permute(0, 3, 1, 2).to(self.dtype)
        parts = [box.draw_on_device(self._upload(picture)) for picture, box in zip(pictures, boxes, strict=True)]
        return torch.stack(parts).to(self.dtype, memory_format=torch.channels_last)

    def _upload(self, picture: NDArray[np.uint8]) -> Tensor:
        """A picture on the GPU, uint8 `[H, W, 3]`. Through page-locked memory, from which the copy runs by itself."""
        host = torch.empty(picture.shape, dtype=torch.uint8, pin_memory=True)
        np.copyto(host.numpy(), picture)  # frames are read-only, which PyTorch takes only with a warning
        return host.to(self.device, non_blocking=True)

    def _people(self, looks: Sequence[tuple[Letterbox, NDArray[np.float32]]]) -> Poses:
        """From all looks at a picture to the people in it, in its own pixels."""
        box = looks[0][0]
        rows = np.concatenate([rows if look is box else _seen_as(box, look, rows) for look, rows in looks])
        if not len(rows):
            return Poses.empty()
        centre, half, scores = rows[:, :2], rows[:, 2:4] / 2, rows[:, 4] * rows[:, 5]
        corners = np.concatenate([centre - half, centre + half], 1)
        limit = self.iou_threshold if len(looks) == 1 else min(self.iou_threshold, MULTI_SCALE_IOU)
        keep = non_maximum_suppression(corners, scores, limit)
        corners = box.to_source(corners[keep].reshape(-1, 2, 2)).reshape(-1, 4)
        points = rows[keep, COLUMNS - 3 * KEYPOINT_COUNT :].reshape(-1, KEYPOINT_COUNT, 3)
        points[..., :2] = box.to_source(points[..., :2])
        return Poses(points, corners, scores[keep])


def _seen_as(box: Letterbox, look: Letterbox, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decoded rows in pixels of another look at the same picture, in those of `box`."""
    moved = rows.copy()
    points = moved[:, COLUMNS - 3 * KEYPOINT_COUNT :].reshape(-1, KEYPOINT_COUNT, 3)
    moved[:, :2] = look.to_other(box, rows[:, :2])
    moved[:, 2:4] *= look.scale_to(box)
    points[..., :2] = look.to_other(box, points[..., :2])
    return moved
