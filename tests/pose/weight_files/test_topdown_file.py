"""Our own format for detector and keypoint network: there and back, and what is said of files that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pose.errors import WeightsError, WeightsMissing
from pose.networks.picodet import PicoDet
from pose.networks.tinypose import TinyPose
from pose.weight_files.safetensors_file import read_safetensors
from pose.weight_files.topdown_file import load_topdown, save_topdown


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Random weights of a keypoint network."""
    torch.manual_seed(7)
    path = tmp_path / "tinypose.safetensors"
    save_topdown(TinyPose(), path, (192, 256), "a seed", {"steps": "0"})
    return path


def changed(file: Path, state: dict[str, torch.Tensor] | None = None, **metadata: str) -> Path:
    """The file again, with another state or other facts in its header."""
    header, _ = read_safetensors(file)
    save_file(load_file(file) if state is None else state, file, {**header, **metadata})
    return file


@pytest.mark.parametrize(
    ("kind", "name", "size"), [(PicoDet, "picodet-s", (320, 320)), (TinyPose, "tinypose", (192, 256))]
)
def test_there_and_back(tmp_path: Path, kind: type[PicoDet | TinyPose], name: str, size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    network = kind()
    path = tmp_path / "network.safetensors"
    save_topdown(network, path, size, "a seed, Apache-2.0", {"steps": "0"})
    loaded = load_topdown(path, name)
    assert (loaded.name, loaded.input_size, loaded.origin) == (name, size, "a seed, Apache-2.0")
    assert loaded.metadata["steps"] == "0"
    assert not loaded.network.training
    assert type(loaded.network) is kind
    state = loaded.network.state_dict()
    for key, value in network.state_dict().items():
        assert state[key].dtype == torch.float32
        assert torch.equal(state[key], value.half().float()), key
    count = sum(parameter.numel() for parameter in network.parameters())
    assert path.stat().st_size < 2.1 * count  # half precision


def test_the_same_weights_give_the_same_bytes(file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    save_topdown(load_topdown(file).network, again, (192, 256), "a seed", {"steps": "0"})
    assert again.read_bytes() == file.read_bytes()


def test_a_number_too_large_for_half_precision_is_kept(tmp_path: Path) -> None:
    network = TinyPose()
    torch.nn.init.constant_(network.to_keypoints.bias, 1e6)
    save_topdown(network, tmp_path / "large.safetensors", (192, 256), "made")
    loaded = load_topdown(tmp_path / "large.safetensors").network
    assert isinstance(loaded, TinyPose)
    assert (loaded.to_keypoints.bias == 1e6).all()


def test_another_network_is_refused(file: Path) -> None:
    with pytest.raises(WeightsError, match="holds weights of tinypose, not of picodet-s"):
        load_topdown(file, "picodet-s")
    with pytest.raises(WeightsError, match="is for network 'yolov7-tiny-pose'; known here are picodet-s, tinypose"):
        load_topdown(changed(file, network="yolov7-tiny-pose"))


def test_keys_and_shapes_that_do_not_fit_are_named(file: Path) -> None:
    state = load_file(file)
    state["stem.other"] = state.pop("stem.expand.bias")
    state["to_keypoints.bias"] = state["to_keypoints.bias"][:16].contiguous()
    state["stem.convolution.bias"][3] = torch.nan
    with pytest.raises(
        WeightsError,
        match=r"missing stem\.expand\.bias; unknown stem\.other; of another shape to_keypoints\.bias \[16\] instead of "
        r"\[17\]; not finite stem\.convolution\.bias",
    ):
        load_topdown(changed(file, state))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"keypoints": "halpe26"}, "is for keypoints 'halpe26'; Stance needs 'coco17'"),
        ({"input": "bgr"}, "is for input 'bgr'"),
        ({"input_size": "wide"}, "input_size 'wide' is not like 192x256"),
        ({"input_size": "192x0"}, "input_size '192x0' is not like 192x256"),
    ],
)
def test_a_header_that_does_not_fit(file: Path, facts: dict[str, str], said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        load_topdown(changed(file, **facts))


def test_a_file_that_is_missing_or_damaged(file: Path) -> None:
    with pytest.raises(WeightsMissing, match="is missing"):
        load_topdown(file.with_name("none.safetensors"))
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load_topdown(file)


def test_only_what_can_be_read_back_is_written(tmp_path: Path) -> None:
    small = TinyPose(channels=(4, 8, 12), modules=(1, 1))
    with pytest.raises(ValueError, match="only a tinypose of the published size"):
        save_topdown(small, tmp_path / "small.safetensors", (192, 256), "made")
    with pytest.raises(ValueError, match="Linear is none of picodet-s, tinypose"):
        save_topdown(torch.nn.Linear(1, 1), tmp_path / "linear.safetensors", (1, 1), "made")
    assert list(tmp_path.iterdir()) == []
