"""`OneShot` with a small network of random weights: batches, sizes, colours, threads; on a GPU, where there is one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pose import crowded
from pose.errors import PoseError, WeightsError
from pose.inference.steps import complete, together
from pose.one_shot import OneShot
from pose.poses import Poses
from pose.weight_files.checkpoint import load_network
from tests.tolerance import assert_close

THRESHOLD = 0.3
"""The network of `made_weights` finds a hundred people in every picture with it, and not the same number in two."""

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(made_weights: Path) -> Path:
    return made_weights / "yolov7-tiny-pose.safetensors"


def opened(weights: Path, *sizes: int, device: torch.device = CPU, **options: Any) -> OneShot:
    given = {"precision": "fp32", "runtime": "torch", "person_threshold": THRESHOLD, "iou_threshold": 0.65} | options
    return OneShot(weights, None, device=device, image_sizes=sizes or (192,), **given)


@pytest.fixture(scope="module")
def network(weights: Path) -> Iterator[OneShot]:
    network = opened(weights)
    yield network
    network.close()


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


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes `[4]`."""
    sides = (np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])).clip(min=0)
    return float(sides.prod() / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - sides.prod()))


def test_what_it_says_of_itself(network: OneShot) -> None:
    assert (network.network, network.where, network.precision) == ("yolov7-tiny-pose", "cpu", "fp32")
    assert network.image_sizes == (192,)


def test_weights_of_another_network(weights: Path) -> None:
    with pytest.raises(WeightsError, match="holds weights of yolov7-tiny-pose, not of yolov7-w6-pose"):
        OneShot(weights, "yolov7-w6-pose", device=CPU, image_sizes=(64,), person_threshold=0.3, iou_threshold=0.6)


def test_nothing_in_nothing_out(network: OneShot) -> None:
    assert network([]) == []


def test_multi_scale_inference_is_one_answer(network: OneShot, weights: Path) -> None:
    pictures = [drawing(300, 300), drawing(121, 160, 1), drawing(640, 360, 2)]
    with_both, with_small = opened(weights, 96, 192), opened(weights, 96)
    assert with_both.image_sizes == (192, 96)
    of_large, of_small = network(pictures), with_small(pictures)
    kept_of = np.zeros(2, int)
    for picture, answer, *scales in zip(pictures, with_both(pictures), of_large, of_small, strict=True):
        limit = np.float32([picture.shape[1], picture.shape[0]])
        assert (np.diff(answer.scores) <= 0).all()
        alone = Poses.concatenate(scales)
        rows = {float(score): row for row, score in enumerate(answer.scores)}
        for number, score in enumerate(alone.scores.tolist()):
            box = alone.boxes[number]
            if score in rows:
                kept_of[int(number >= len(scales[0]))] += 1
                np.testing.assert_allclose(answer.boxes[rows[score]], box, atol=2e-3)
                np.testing.assert_allclose(answer.keypoints[rows[score]], alone.keypoints[number], atol=2e-3)
            elif (box[:2] > 0).all() and (box[2:] < limit).all():  # not cut off by the picture's edge
                # A better look at the same person is there.
                better = answer.boxes[answer.scores >= score]
                assert max(overlap(box, other) for other in better) > 0.49
    assert (kept_of > 0).all()
    assert kept_of.sum() < sum(map(len, of_large)) + sum(map(len, of_small))
    for one in (with_both, with_small):
        one.close()


def test_mixed_sizes_in_one_call_are_as_one_by_one(network: OneShot) -> None:
    sizes = [(120, 160), (160, 120), (120, 160), (300, 300), (121, 160), (120, 160), (160, 120), (120, 160), (90, 320)]
    pictures = [drawing(*size, seed) for seed, size in enumerate(sizes)]
    at_once = network(pictures)
    assert len(at_once) == len(pictures)
    alone = [network([picture])[0] for picture in pictures]
    assert len({len(people) for people in alone}) > 1  # pictures that differ, so that a wrong order would show
    for actual, expected in zip(at_once, alone, strict=True):
        assert_same_people(actual, expected)
    for actual, expected in zip(complete(together([network.find(bgr) for bgr in pictures])), alone, strict=True):
        assert_same_people(actual, expected)


def test_people_are_ordered_and_inside_their_picture(network: OneShot) -> None:
    pictures = [drawing(97, 211), drawing(480, 640)]
    for picture, people in zip(pictures, network(pictures), strict=True):
        assert len(people) > 0
        assert (np.diff(people.scores) <= 0).all()
        assert (people.scores > THRESHOLD).all()
        limit = np.float32([picture.shape[1], picture.shape[0]])
        for xy in (people.boxes.reshape(-1, 2), people.keypoints[..., :2].reshape(-1, 2)):
            assert (xy >= 0).all()
            assert (xy <= limit).all()
        assert ((people.keypoints[..., 2] >= 0) & (people.keypoints[..., 2] <= 1)).all()


def test_the_best_so_many_stay(network: OneShot, weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    picture = drawing(120, 160)
    few = opened(weights, max_people=3)
    crowded._say.cache_clear()
    with caplog.at_level(logging.WARNING, "pose"):
        few([picture])
    assert [record.getMessage() for record in caplog.records if "the best 3 are looked at" in record.getMessage()]
    assert_same_people(few([picture])[0], network([picture])[0].select([0, 1, 2]))
    few.close()


def test_a_picture_twice_as_large_has_people_twice_as_large(network: OneShot) -> None:
    small = drawing(96, 192)
    large = cv2.resize(small, (384, 192), interpolation=cv2.INTER_NEAREST)
    # Halving the doubled picture gives the small one back, so the network sees the same pixels.
    few, many = network([small])[0], network([large])[0]
    assert len(few) == len(many) > 0
    assert_close(many.keypoints[..., :2] / 2, few.keypoints[..., :2])


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (8000, 10), (10, 8000), (2, 5000)])
def test_extreme_sizes(network: OneShot, size: tuple[int, int]) -> None:
    (people,) = network([drawing(*size)])
    assert np.isfinite(people.keypoints).all()
    assert (people.boxes[:, 2:] <= [size[1], size[0]]).all()


def test_arrays_need_not_be_contiguous(network: OneShot) -> None:
    whole = drawing(200, 300)
    for view in (
        whole[:, ::-1],
        whole[::2, ::3],
        whole[20:180, 30:250],
        whole.transpose(1, 0, 2),
        np.asfortranarray(whole),
    ):
        assert_same_people(network([view])[0], network([view.copy(order="C")])[0])
    whole.flags.writeable = False
    network([whole])


def test_colours_are_not_swapped(network: OneShot, weights: Path) -> None:
    """BGR in; the network was trained with RGB. The plain network on RGB 0–1 is the judge."""
    from pose.networks.head import decode

    picture = drawing(192, 192)
    plain = load_network(weights)
    x = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        rows = decode(plain(x), plain.head.anchors, plain.head.strides)[0].numpy()
    best = rows[(rows[:, 4] * rows[:, 5]).argmax()]
    (people,) = network([picture])
    assert_close(people.scores[0], best[4] * best[5])
    assert_close(people.keypoints[0, :, :2], best[6:].reshape(17, 3)[:, :2].clip(0, 192))


def test_stages_are_told_in_order(weights: Path) -> None:
    told = []

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        told.append(name)
        yield

    network = opened(weights, 64, stage=stage)
    complete(network.find(drawing(64, 64)))
    assert told == ["pre-process", "network", "nms"]
    network.close()


def test_sizes_are_rounded_up_to_the_stride_and_none_is_seen_twice(weights: Path) -> None:
    network = opened(weights, 65, 96, 32)
    assert network.image_sizes == (96, 32)
    network.close()


def test_bfloat16_finds_the_same_people(network: OneShot, weights: Path) -> None:
    pictures = [drawing(120, 160, seed) for seed in range(4)]
    lower = opened(weights, precision="bf16")
    for low, full in zip(lower(pictures), network(pictures), strict=True):
        # 8 bits of mantissa, through some forty layers of random weights.
        assert low.scores.max() == pytest.approx(full.scores.max(), abs=0.03)
    lower.close()


def test_openvino_finds_what_pytorch_finds(
    network: OneShot, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32, at pictures of several shapes with one compiled network; the second time it comes from the cache."""
    pytest.importorskip("openvino")
    monkeypatch.setenv("STANCE_CACHE_DIR", str(tmp_path))
    sizes = [(120, 160), (160, 120), (300, 300), (121, 160), (90, 320)]
    pictures = [drawing(*size, seed) for seed, size in enumerate(sizes)]
    expected = network(pictures)
    for runtime in ("auto", "openvino"):
        faster = opened(weights, runtime=runtime)
        assert (faster.where, faster.precision) == ("cpu", "fp32")
        for actual, people in zip(complete(together([faster.find(bgr) for bgr in pictures])), expected, strict=True):
            assert_same_people(actual, people)
        faster.close()
    assert len(list(tmp_path.rglob("*.compiled"))) == 1


def test_openvino_in_bfloat16_finds_the_same_people(
    network: OneShot, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setenv("STANCE_CACHE_DIR", str(tmp_path))
    pictures = [drawing(120, 160, seed) for seed in range(4)]
    lower = opened(weights, precision="auto", runtime="openvino")
    for low, full in zip(lower(pictures), network(pictures), strict=True):
        # As in PyTorch's bfloat16.
        assert low.scores.max() == pytest.approx(full.scores.max(), abs=0.03)
    lower.close()


def test_too_little_memory_is_one_sentence(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(x: torch.Tensor) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    network = opened(weights)
    monkeypatch.setattr(network, "_model", full)
    with pytest.raises(PoseError, match=r"too little free memory .* Lower pose\.batch_size or pose\.image_size\.$"):
        complete(network.find(drawing(20, 20)))
    network.close()


@pytest.fixture
def _four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_four_threads")
def test_workers_share_the_threads_and_give_them_back(weights: Path) -> None:
    seen = []
    entered = threading.Barrier(4)

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        if name == "network":
            entered.wait(30)  # four pictures under way
            seen.append(torch.get_num_threads())
        yield

    network = opened(weights, 64, stage=stage)
    assert network.concurrency == 4
    complete(together([network.find(drawing(64, 64, seed)) for seed in range(8)]))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: network.concurrency).result() == 4  # also after the workers set their own
    assert seen == [1] * 8
    network.close()
    network.close()
    assert torch.get_num_threads() == 4
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 4


@pytest.mark.usefixtures("_four_threads")
def test_what_a_picture_shows_does_not_depend_on_what_runs_beside_it(weights: Path) -> None:
    random = np.random.default_rng(3)
    pictures = [random.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(12)]
    network = opened(weights, 128)
    alone = [complete(network.find(picture)) for picture in pictures]
    at_once = complete(together([network.find(picture) for picture in pictures]))
    network.close()
    assert sum(map(len, alone)) > 0
    for one, other in zip(alone, at_once, strict=True):
        assert np.array_equal(one.keypoints, other.keypoints)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_gpu_finds_the_same_people(precision: str, cuda: torch.device, network: OneShot, weights: Path) -> None:
    pictures = [drawing(120, 160, seed) for seed in range(6)] + [drawing(192, 192, seed) for seed in range(3)]
    on_gpu = opened(weights, device=cuda, precision=precision)
    found = complete(together([on_gpu.find(picture) for picture in pictures]))
    for gpu, cpu in zip(found, network(pictures), strict=True):
        # The picture is letterboxed on the GPU, up to one grey level off; it moves scores in the third digit.
        assert gpu.scores[0] == pytest.approx(cpu.scores[0], abs=0.01)
    on_gpu.close()


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
