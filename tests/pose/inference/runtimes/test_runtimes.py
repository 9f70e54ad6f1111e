"""What holds for every runtime: the right answers, each to its own caller."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pose.inference.runtimes.choice import open_runtime
from pose.inference.runtimes.openvino_library import shared_core
from pose.inference.runtimes.runtime import BYTES_BGR, IMAGENET_RGB, UNIT_RGB, InputFormat
from tests.pose.inference.runtimes.toy import HEIGHT, WIDTH, Brightness, pictures, spec, toy
from tests.tolerance import assert_close

ON_CPU: Any = {"device": "cpu", "precision": "fp32", "threads": 2}


@pytest.fixture(params=["torch", "openvino"])
def runtime(request: pytest.FixtureRequest) -> str:
    if request.param == "openvino":
        pytest.importorskip("openvino")
    return str(request.param)


def plainly(network: nn.Module, images: np.ndarray) -> list[Tensor]:
    """The network's outputs by the formula of the pre-processing, in float64."""
    mean, std = torch.tensor(IMAGENET_RGB.mean).double(), torch.tensor(IMAGENET_RGB.std).double()
    x = (torch.from_numpy(images[..., ::-1].copy()).double() / 255 - mean) / std
    with torch.inference_mode():
        return list(network.double()(x.permute(0, 3, 1, 2)))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_outputs_are_the_networks(runtime: str, count: int) -> None:
    images = pictures(count)
    with open_runtime(spec(), runtime, **ON_CPU) as running:
        actual, later = running(images), running.submit(images).result()
    for one, two, expected in zip(actual, later, plainly(toy(), images), strict=True):
        assert one.dtype == np.float32
        assert_close(one, expected)
        np.testing.assert_allclose(one, two, atol=1e-6)  # in one call or shared out


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (BYTES_BGR, (10, 20, 30)),
        (UNIT_RGB, (30 / 255, 20 / 255, 10 / 255)),
        (InputFormat((0, 0, 10 / 255), (1, 1, 0.5), rgb=True), (30 / 255, 20 / 255, 0)),
    ],
)
def test_order_of_colours_and_normalisation(runtime: str, wanted: InputFormat, expected: tuple[float, ...]) -> None:
    image = np.empty((1, HEIGHT, WIDTH, 3), np.uint8)
    image[:] = (10, 20, 30)  # blue, green, red
    with open_runtime(spec(Brightness, input_format=wanted), runtime, **ON_CPU) as running:
        assert_close(running(image)[0], [expected])


def test_every_caller_gets_its_own_answer(runtime: str) -> None:
    images = pictures(40)
    expected = plainly(toy(), images)
    answers: dict[int, tuple[np.ndarray, ...]] = {}

    def ask(numbers: range) -> None:
        for number in numbers:
            answers[number] = running(images[number : number + 1])

    with open_runtime(spec(), runtime, **ON_CPU, concurrency=2) as running:
        assert running.concurrency == 2
        callers = [threading.Thread(target=ask, args=(range(first, 40, 4),)) for first in range(4)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    for level, whole in enumerate(expected):
        assert_close(np.concatenate([answers[number][level] for number in range(40)]), whole)


@pytest.mark.parametrize(("wanted", "calls"), [(None, 2), (1, 1), (5, 2)])
def test_no_more_calls_than_threads(runtime: str, wanted: int | None, calls: int) -> None:
    with open_runtime(spec(), runtime, **ON_CPU, concurrency=wanted) as running:
        assert running.concurrency == calls


def test_an_answer_stays_what_it_was(runtime: str) -> None:
    """Outputs are copies, not the memory that the next call writes to."""
    with open_runtime(spec(), runtime, **ON_CPU, concurrency=1) as running:
        first = running(pictures(1))
        before = [output.copy() for output in first]
        running(pictures(1, seed=1))
    for output, expected in zip(first, before, strict=True):
        np.testing.assert_array_equal(output, expected)


def test_no_pictures(runtime: str) -> None:
    with open_runtime(spec(), runtime, **ON_CPU) as running:
        maps, shares = running(pictures(0))
    assert maps.shape == (0, 4, HEIGHT // 2, WIDTH // 2)
    assert shares.shape == (0, 16)


def test_read_only_and_sliced_pictures(runtime: str) -> None:
    images = pictures(2)
    flipped = images[:, :, ::-1]
    images.flags.writeable = False
    with open_runtime(spec(), runtime, **ON_CPU) as running:
        for given in (images, flipped):
            for actual, expected in zip(running(given), plainly(toy(), given), strict=True):
                assert_close(actual, expected)


@pytest.mark.parametrize(
    "wrong",
    [
        pictures(1)[0],
        pictures(1).astype(np.float32),
        pictures(1, height=HEIGHT + 1),
        pictures(1, width=WIDTH + 1),
        pictures(1, width=0),
        pictures(1)[..., :2],
    ],
    ids=["one picture", "floats", "height", "width", "nothing", "channels"],
)
def test_wrong_pictures(runtime: str, wrong: np.ndarray) -> None:
    with open_runtime(spec(), runtime, **ON_CPU) as running, pytest.raises(ValueError, match=r"uint8 \[B, 32, 24, 3\]"):
        running(wrong)


def test_any_size_where_the_network_takes_any(runtime: str) -> None:
    with open_runtime(spec(size=(None, None)), runtime, **ON_CPU) as running:
        for height, width in ((32, 64), (64, 32), (32, 64)):
            images = pictures(2, height, width)
            for actual, expected in zip(running(images), plainly(toy(), images), strict=True):
                assert_close(actual, expected)
        with pytest.raises(ValueError, match=r"uint8 \[B, H, W, 3\]"):
            running(pictures(1, 0, 8))


def test_closed(runtime: str) -> None:
    running = open_runtime(spec(), runtime, **ON_CPU)
    threads = torch.get_num_threads()
    waiting = [running.submit(pictures(1)) for _ in range(3)]
    running.close()
    running.close()
    assert all(future.cancelled() or len(future.result()) == 2 for future in waiting)
    assert torch.get_num_threads() == threads
    with pytest.raises(RuntimeError):
        running.submit(pictures(1))
    with pytest.raises(RuntimeError):
        running(pictures(1))


def test_an_error_reaches_its_caller_alone(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next calls find everything in order."""
    with open_runtime(spec(), runtime, **ON_CPU, concurrency=1) as running:
        infer: Callable = running.infer  # type: ignore[attr-defined]

        def failing(images: np.ndarray) -> tuple[np.ndarray, ...]:
            if images.max() == 0:
                raise RuntimeError("black")
            return infer(images)

        monkeypatch.setattr(running, "infer", failing)
        black, good = np.zeros_like(pictures(1)), pictures(1)
        futures = [running.submit(images) for images in [black, good, black, black, good]]
        assert [type(future.exception()) for future in futures] == [
            RuntimeError, type(None), RuntimeError, RuntimeError, type(None),
        ]  # fmt: skip
        with pytest.raises(RuntimeError, match="black"):
            running(black)


def test_submitting_never_waits(runtime: str) -> None:
    go = threading.Event()
    with open_runtime(spec(), runtime, **ON_CPU, concurrency=1) as running:
        through = hold(running, go)
        futures = [running.submit(pictures(count)) for count in (1, 2, 3)]
        assert through == []
        go.set()
        assert [len(future.result(10)[0]) for future in futures] == [1, 2, 3]
    assert through[0] == 1  # in order


def hold(running: object, go: threading.Event) -> list[int]:
    """Let no call through before `go`; gives the calls that came through."""
    infer: Callable = running.infer  # type: ignore[attr-defined]
    through: list[int] = []

    def held(images: np.ndarray) -> tuple[np.ndarray, ...]:
        go.wait(10)
        through.append(len(images))
        return infer(images)

    running.infer = held  # type: ignore[attr-defined]
    return through


def test_bf16_stays_near() -> None:
    """8 bits of mantissa in every layer: 1 % of values around 1."""
    pytest.importorskip("openvino")
    if "BF16" not in shared_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bf16")
    images = pictures(3)
    with open_runtime(spec(), "openvino", precision="bf16", threads=1) as running:
        assert running.precision == "bf16"
        for actual, expected in zip(running(images), plainly(toy(), images), strict=True):
            np.testing.assert_allclose(actual, expected, atol=0.02)


def test_on_a_gpu(cuda: torch.device) -> None:
    images = pictures(40)
    with open_runtime(spec(), device="cuda:0") as running:
        assert (running.precision, running.concurrency) == ("fp16", 1)
        for actual, expected in zip(running(images), plainly(toy(), images), strict=True):
            np.testing.assert_allclose(actual, expected, atol=5e-3)  # 11 bits of mantissa in every layer
