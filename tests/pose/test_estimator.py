"""`PoseEstimator` with the weights that ship, on made pictures and, where they are, on real ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pose.errors import DeviceError, PoseError, WeightsError, WeightsMissing
from pose.estimator import PoseEstimator
from pose.poses import Poses
from pose.weight_files.digest import sha256
from tests.pose.conftest import SHIPPED
from tests.tolerance import assert_close


@pytest.fixture(scope="module")
def estimator() -> PoseEstimator:
    """Float32 on the CPU, small, and with a threshold that lets even a drawing be a person."""
    return PoseEstimator(SHIPPED, device="cpu", precision="fp32", image_size=192, person_threshold=0.005, batch_size=3)


def drawing(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth noise with something upright in it: uint8 `[H, W, 3]`."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    middle, radius = (width // 2, height // 4), max(min(height, width) // 10, 1)
    cv2.circle(picture, middle, radius, (180, 200, 230), -1)
    cv2.rectangle(picture, (middle[0] - radius, middle[1] + radius), (middle[0] + radius, height - 1), (40, 40, 90), -1)
    return picture


def assert_same_people(actual: Poses, expected: Poses) -> None:
    assert len(actual) == len(expected)
    assert_close(actual.keypoints, expected.keypoints)
    assert_close(actual.boxes, expected.boxes)
    assert_close(actual.scores, expected.scores)


def test_what_it_says_of_itself(estimator: PoseEstimator) -> None:
    assert estimator.network == "yolov7-tiny-pose"
    assert estimator.weights == SHIPPED
    assert estimator.weights_digest == sha256(SHIPPED)
    assert (estimator.precision, estimator.device, estimator.dtype) == ("fp32", torch.device("cpu"), torch.float32)
    assert estimator.image_sizes == (192,)


def test_nothing_in_nothing_out(estimator: PoseEstimator) -> None:
    assert estimator([]) == []


def test_looks_in_several_sizes_are_one_answer(estimator: PoseEstimator) -> None:
    pictures = [drawing(300, 300), drawing(121, 160, 1), drawing(640, 360, 2)]
    options = {"device": "cpu", "precision": "fp32", "person_threshold": 0.005}
    both = PoseEstimator(SHIPPED, image_size=(96, 192), **options)
    assert both.image_sizes == (192, 96)
    of_large, of_small = PoseEstimator(SHIPPED, image_size=96, **options)(pictures), estimator(pictures)
    kept_of = np.zeros(2, int)
    for together, *looks in zip(both(pictures), of_large, of_small, strict=True):
        assert (np.diff(together.scores) <= 0).all()
        alone = Poses.concatenate(looks)
        rows = {float(score): row for row, score in enumerate(together.scores)}
        for number, score in enumerate(alone.scores.tolist()):
            box = alone.boxes[number]
            if score in rows:
                kept_of[int(number >= len(looks[0]))] += 1
                np.testing.assert_allclose(together.boxes[rows[score]], box, atol=2e-3)
                np.testing.assert_allclose(together.keypoints[rows[score]], alone.keypoints[number], atol=2e-3)
            else:  # a better look at the same person is there
                better = together.boxes[together.scores >= score]
                assert max(overlap(box, other) for other in better) > 0.49
    assert (kept_of > 0).all()
    assert kept_of.sum() < sum(map(len, of_large)) + sum(map(len, of_small))


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes `[4]`."""
    sides = (np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])).clip(min=0)
    return float(sides.prod() / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - sides.prod()))


def test_mixed_sizes_in_one_call_are_as_one_by_one(estimator: PoseEstimator) -> None:
    sizes = [(120, 160), (160, 120), (120, 160), (300, 300), (121, 160), (120, 160), (160, 120), (120, 160), (90, 320)]
    pictures = [drawing(*size, seed) for seed, size in enumerate(sizes)]
    together = estimator(pictures)
    assert len(together) == len(pictures)
    alone = [estimator([picture])[0] for picture in pictures]
    assert len({len(people) for people in alone}) > 1  # pictures that differ, so that a wrong order would show
    for actual, expected in zip(together, alone, strict=True):
        assert_same_people(actual, expected)
    for actual, expected in zip(estimator(pictures[::-1]), alone[::-1], strict=True):
        assert_same_people(actual, expected)


def test_people_are_ordered_and_inside_their_picture(estimator: PoseEstimator) -> None:
    pictures = [drawing(97, 211), drawing(480, 640)]
    for picture, people in zip(pictures, estimator(pictures), strict=True):
        assert len(people) > 0
        assert (np.diff(people.scores) <= 0).all()
        assert (people.scores > estimator.person_threshold).all()
        limit = np.float32([picture.shape[1], picture.shape[0]])
        for xy in (people.boxes.reshape(-1, 2), people.keypoints[..., :2].reshape(-1, 2)):
            assert (xy >= 0).all()
            assert (xy <= limit).all()
        assert ((people.keypoints[..., 2] >= 0) & (people.keypoints[..., 2] <= 1)).all()


def test_a_picture_twice_as_large_has_people_twice_as_large(estimator: PoseEstimator) -> None:
    small = drawing(96, 192)
    large = cv2.resize(small, (384, 192), interpolation=cv2.INTER_NEAREST)
    # Halving the doubled picture gives the small one back, so the network sees the same pixels.
    few, many = estimator([small])[0], estimator([large])[0]
    assert len(few) == len(many) > 0
    assert_close(many.keypoints[..., :2] / 2, few.keypoints[..., :2])


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (8000, 10), (10, 8000), (2, 5000)])
def test_extreme_sizes(estimator: PoseEstimator, size: tuple[int, int]) -> None:
    (people,) = estimator([drawing(*size)])
    assert np.isfinite(people.keypoints).all()
    assert (people.boxes[:, 2:] <= [size[1], size[0]]).all()


def test_arrays_need_not_be_contiguous(estimator: PoseEstimator) -> None:
    whole = drawing(200, 300)
    for view in (
        whole[:, ::-1],
        whole[::2, ::3],
        whole[20:180, 30:250],
        whole.transpose(1, 0, 2),
        np.asfortranarray(whole),
    ):
        assert_same_people(estimator([view])[0], estimator([view.copy(order="C")])[0])
    whole.flags.writeable = False
    estimator([whole])


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
def test_other_arrays_are_refused(estimator: PoseEstimator, picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"picture 1 is \w+ \[.*\], not uint8 \[H, W, 3\]"):
        estimator([drawing(20, 20), picture])


def test_colours_are_not_swapped(estimator: PoseEstimator, tmp_path: Path) -> None:
    """BGR in; the network was trained with RGB. The plain network on RGB 0–1 is the judge."""
    from pose.networks.head import decode
    from pose.weight_files.checkpoint import load_network

    picture = drawing(192, 192)
    network = load_network(SHIPPED)
    x = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        rows = decode(network(x), network.head.anchors, network.head.strides)[0].numpy()
    best = rows[(rows[:, 4] * rows[:, 5]).argmax()]
    (people,) = estimator([picture])
    assert_close(people.scores[0], best[4] * best[5])
    assert_close(people.keypoints[0, :, :2], best[6:].reshape(17, 3)[:, :2].clip(0, 192))


def test_stages_are_told_in_order() -> None:
    told = []

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        told.append(name)
        yield

    PoseEstimator(SHIPPED, device="cpu", image_size=64, stage=stage)([drawing(64, 64)])
    assert told == ["pre-process", "network", "nms"]


def test_sizes_are_rounded_up_to_the_stride() -> None:
    assert PoseEstimator(SHIPPED, device="cpu", image_size=65).image_sizes == (96,)
    assert PoseEstimator(SHIPPED, device="cpu").image_sizes == (416, 224)


def test_bfloat16_finds_the_same_people() -> None:
    options = {"device": "cpu", "image_size": 192, "person_threshold": 0.01}
    pictures = [drawing(120, 160, seed) for seed in range(4)]
    precise = PoseEstimator(SHIPPED, precision="fp32", **options)(pictures)
    for low, full in zip(PoseEstimator(SHIPPED, precision="bf16", **options)(pictures), precise, strict=True):
        # 8 bits of mantissa: a score that is itself a few per cent moves by some tenths of a per cent.
        assert low.scores.max(initial=0) == pytest.approx(full.scores.max(initial=0), abs=0.02)


def test_weights_are_found_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_w6) -> None:
    from pose.weight_files.checkpoint import save_network

    with pytest.raises(WeightsMissing, match="is missing"):
        PoseEstimator(tmp_path / "none.safetensors", device="cpu")
    with pytest.raises(WeightsError, match="holds weights of yolov7-tiny-pose, not of yolov7-w6-pose"):
        PoseEstimator(SHIPPED, network="yolov7-w6-pose", device="cpu")
    monkeypatch.setattr("pose.weight_files.location.weights_folders", lambda: [tmp_path])
    monkeypatch.setattr("pose.weight_files.location.weights_folder", lambda: tmp_path)
    with pytest.raises(WeightsMissing, match="stance weights fetch yolov7-w6-pose"):
        PoseEstimator(network="yolov7-w6-pose", device="cpu")
    save_network(small_w6, tmp_path / "yolov7-w6-pose.safetensors")
    found = PoseEstimator(network="yolov7-w6-pose", device="cpu", image_size=64)
    assert found.weights == tmp_path / "yolov7-w6-pose.safetensors"
    with pytest.raises(WeightsMissing, match="yolov7-tiny-pose"):  # auto on a CPU is tiny, although w6 is here
        PoseEstimator(device="cpu")


@pytest.mark.parametrize(
    "options",
    [
        {"image_size": 0},
        {"image_size": ()},
        {"image_size": (416, 0)},
        {"batch_size": -1},
        {"person_threshold": 1.5},
        {"iou_threshold": float("nan")},
    ],
)
def test_impossible_options(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        PoseEstimator(SHIPPED, device="cpu", **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(DeviceError, match=r"Set pose\.device to auto or cpu\.$"):
        PoseEstimator(SHIPPED, device="cuda")


def test_too_little_memory_is_one_sentence(estimator: PoseEstimator, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(x: torch.Tensor) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(estimator, "_model", full)
    with pytest.raises(PoseError, match=r"too little free memory .* Lower pose\.batch_size or pose\.image_size\.$"):
        estimator([drawing(20, 20)])


def frames(shared: Path, clip: str, numbers: list[int]) -> list[np.ndarray]:
    capture, found = cv2.VideoCapture(str(shared / "videos" / f"{clip}.mp4")), []
    for number in range(max(numbers) + 1):
        ok, bgr = capture.read()
        assert ok
        if number in numbers:
            found.append(bgr)
    capture.release()
    return found


def test_people_in_real_clips(shared: Path) -> None:
    estimator = PoseEstimator(SHIPPED, device="cpu")
    for people in estimator(frames(shared, "two_people_1080p", [0, 30])):
        assert len(people) >= 1
        best = people.select([0])
        width, height = (best.boxes[0, 2:] - best.boxes[0, :2]).tolist()
        assert 100 < height <= 1080
        assert width < height
    for people in estimator(frames(shared, "street_pedestrians", [0, 100])):
        assert len(people) >= 2


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_gpu_finds_the_same_people(precision: str) -> None:
    options = {"image_size": 192, "person_threshold": 0.02}
    pictures = [drawing(120, 160, seed) for seed in range(6)] + [drawing(192, 192, seed) for seed in range(3)]
    on_cpu = PoseEstimator(SHIPPED, device="cpu", precision="fp32", **options)(pictures)
    on_gpu = PoseEstimator(SHIPPED, device="cuda", precision=precision, **options)(pictures)
    assert sum(map(len, on_cpu)) > 0
    for gpu, cpu in zip(on_gpu, on_cpu, strict=True):
        # The picture is letterboxed on the GPU, up to one grey level off; it moves scores in the third digit.
        sure = cpu.select(cpu.scores > options["person_threshold"] + 0.01)
        assert len(gpu) >= len(sure)
        if len(sure):
            assert gpu.scores[0] == pytest.approx(cpu.scores[0], abs=0.01)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_gpu_gives_the_same_rows(precision: str, cuda: torch.device, small_w6) -> None:
    from pose.networks.head import decode

    x = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    anchors, strides = small_w6.head.anchors.clone(), small_w6.head.strides
    with torch.inference_mode():
        expected = decode(small_w6(x), anchors, strides)
        dtype = {"fp32": torch.float32, "fp16": torch.float16}[precision]
        on_gpu = small_w6.to(cuda, dtype, memory_format=torch.channels_last)
        actual = decode(on_gpu(x.to(cuda, dtype)), anchors.to(cuda), strides)
    assert_close(actual, expected, precision, "cuda")
