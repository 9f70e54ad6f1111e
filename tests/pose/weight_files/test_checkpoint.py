"""Reading and writing weights: every container and precision, and one sentence for what does not fit."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pose.errors import WeightsError, WeightsMissing
from pose.networks.architecture import Architecture
from pose.networks.deploy import fuse
from pose.networks.yolov7_pose import YoloPose
from pose.weight_files.checkpoint import load_network, published_names, save_network
from pose.weight_files.digest import sha256
from tests.golden.make_pose import made_network
from tests.pose.weight_files.official import save_official


def published_state(network: YoloPose) -> dict[str, torch.Tensor]:
    """The state dict as a published file names it."""
    own = network.state_dict()
    state = {theirs: own[name].clone() for name, theirs in published_names(network.architecture, own).items()}
    key = next(name for name in state if name.endswith("anchor_grid"))
    state[key] = state[key].reshape(-1, 1, 3, 1, 1, 2)
    return state


def assert_same_weights(actual: YoloPose, expected: YoloPose, *, halved: bool) -> None:
    assert actual.architecture == expected.architecture
    own, theirs = actual.state_dict(), expected.state_dict()
    assert list(own) == list(theirs)
    for name, value in theirs.items():
        value = value.half().float() if halved and value.is_floating_point() else value
        torch.testing.assert_close(own[name], value, rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("training", [False, True], ids=["stripped", "unstripped"])
@pytest.mark.parametrize("half", [True, False], ids=["half", "float"])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("which", ["small_w6", "small_tiny"])
def test_official_checkpoints(
    which: str, legacy: bool, half: bool, training: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    network = request.getfixturevalue(which)
    save_official(copy.deepcopy(network), tmp_path / "official.pt", legacy=legacy, half=half, training=training)
    loaded = load_network(tmp_path / "official.pt")
    assert not loaded.training
    assert_same_weights(loaded, network, halved=half)


def test_the_official_names_are_not_importable_here(small_w6: YoloPose, tmp_path: Path) -> None:
    save_official(small_w6, tmp_path / "official.pt")
    with pytest.raises((ModuleNotFoundError, AttributeError)):
        torch.load(tmp_path / "official.pt", weights_only=False)


def test_anchors_come_from_the_checkpoint(small_tiny: YoloPose, tmp_path: Path) -> None:
    small_tiny.head.anchors *= 0.5
    save_official(small_tiny, tmp_path / "official.pt")
    assert torch.equal(load_network(tmp_path / "official.pt").head.anchors, small_tiny.head.anchors)


@pytest.mark.parametrize("wrapped", [None, "state_dict", "model"])
def test_plain_state_dicts(wrapped: str | None, tmp_path: Path) -> None:
    network = made_network(Architecture("yolov7-tiny-pose", "short", "leaky_relu_0.1", "leaky_relu_0.1"))
    state = published_state(network)
    torch.save({wrapped: state} if wrapped else state, tmp_path / "state.pt")
    assert_same_weights(load_network(tmp_path / "state.pt"), network, halved=False)


def test_safetensors_without_metadata(tmp_path: Path) -> None:
    network = made_network(Architecture("yolov7-tiny-pose", "official", "leaky_relu_0.1"))
    save_file(published_state(network), tmp_path / "plain.safetensors")
    assert_same_weights(load_network(tmp_path / "plain.safetensors"), network, halved=False)


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture("yolov7-w6-pose", width=0.03),
        Architecture("yolov7-w6-pose", "short", "leaky_relu_0.1", "silu", 1e-5, 0.0625),
        Architecture("yolov7-tiny-pose", "short", "leaky_relu_0.1", "leaky_relu_0.1", width=0.125),
    ],
    ids=str,
)
def test_round_trip(architecture: Architecture, tmp_path: Path) -> None:
    network = made_network(architecture)
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    save_network(network, first, {"trained": "never"})
    loaded = load_network(first)
    assert_same_weights(loaded, network, halved=True)
    save_network(loaded, second, {"trained": "never"})
    assert sha256(first) == sha256(second)
    assert sha256(first) == hashlib.sha256(first.read_bytes()).hexdigest()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.safetensors", "second.safetensors"]
    with safe_open(first, "pt") as stream:
        assert stream.metadata()["trained"] == "never"
        assert stream.metadata()["network"] == architecture.network


def test_numbers_too_large_for_half_precision_stay_whole(small_tiny: YoloPose, tmp_path: Path) -> None:
    small_tiny.conv1.bn.running_var[0] = 1e6
    save_network(small_tiny, tmp_path / "large.safetensors")
    assert load_network(tmp_path / "large.safetensors").conv1.bn.running_var[0] == 1e6


def test_a_fused_network_is_not_saved(small_tiny: YoloPose, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fused"):
        save_network(fuse(small_tiny), tmp_path / "fused.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_one_sentence(small_tiny: YoloPose, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be written"):
        save_network(small_tiny, tmp_path / "nowhere" / "file.safetensors")


def test_every_fault_of_the_keys_is_listed(small_w6: YoloPose, tmp_path: Path) -> None:
    state = published_state(small_w6)
    del state["model.5.conv.weight"], state["model.118.ia.2.implicit"]
    state["model.9.conv.weight"] = torch.zeros(1)
    state["model.7.bn.bias"] = torch.zeros(3)
    state["model.8.bn.bias"][1] = torch.nan
    save_file(state, tmp_path / "faulty.safetensors", metadata=small_w6.architecture.to_metadata())
    with pytest.raises(WeightsError) as caught:
        load_network(tmp_path / "faulty.safetensors")
    for words in (
        "faulty.safetensors does not fit yolov7-w6-pose",
        "missing model.5.conv.weight, model.118.ia.2.implicit",
        "unknown model.9.conv.weight",
        "of another shape model.7.bn.bias [3] instead of [8]",
        "not finite model.8.bn.bias",
    ):
        assert words in str(caught.value)


def test_a_long_list_of_faults_stays_readable(small_w6: YoloPose, tmp_path: Path) -> None:
    state = published_state(small_w6)
    kept = {name: value for name, value in state.items() if name.startswith(("model.118", "model.1."))}
    save_file(kept, tmp_path / "few.safetensors", metadata=small_w6.architecture.to_metadata())
    with pytest.raises(WeightsError, match=r"missing (model\S+ ){6}and \d+ more"):
        load_network(tmp_path / "few.safetensors")


def test_weights_of_another_network(small_w6: YoloPose, small_tiny: YoloPose, tmp_path: Path) -> None:
    save_official(small_w6, tmp_path / "w6.pt")
    save_network(small_tiny, tmp_path / "tiny.safetensors")
    with pytest.raises(WeightsError, match="holds weights of yolov7-w6-pose, not of yolov7-tiny-pose"):
        load_network(tmp_path / "w6.pt", "yolov7-tiny-pose")
    with pytest.raises(WeightsError, match="holds weights of yolov7-tiny-pose, not of yolov7-w6-pose"):
        load_network(tmp_path / "tiny.safetensors", "yolov7-w6-pose")
    with pytest.raises(WeightsError, match="no network 'yolov9'"):
        load_network(tmp_path / "tiny.safetensors", "yolov9")
    torch.save({"layer1.weight": torch.zeros(2)}, tmp_path / "resnet.pt")
    with pytest.raises(WeightsError, match=r"no YOLOv7-Pose network .* first keys are layer1\.weight"):
        load_network(tmp_path / "resnet.pt")


def test_a_header_that_lies_about_the_network(small_tiny: YoloPose, tmp_path: Path) -> None:
    """Weights of tiny under a header of w6: nothing fits, and it says so."""
    metadata = Architecture("yolov7-w6-pose", width=0.03).to_metadata()
    save_file(published_state(small_tiny), tmp_path / "lie.safetensors", metadata=metadata)
    with pytest.raises(WeightsError, match="does not fit yolov7-w6-pose"):
        load_network(tmp_path / "lie.safetensors")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("network", "yolov9", "is not one of ours"),
        ("keypoint_branch", "long", "is not one of ours"),
        ("activation", "relu", "is not one of ours"),
        ("bn_eps", "small", "damaged header"),
        ("bn_eps", "nan", "none that a network of ours has"),
        ("width", "1e9", "none that a network of ours has"),  # would take all memory
        ("width", "-1", "none that a network of ours has"),
        ("classes", "80", "Stance needs 'person'"),
        ("keypoints", "face5", "Stance needs 'coco17'"),
    ],
)
def test_headers_that_are_not_ours(field: str, value: str, words: str, small_tiny: YoloPose, tmp_path: Path) -> None:
    metadata = small_tiny.architecture.to_metadata() | {field: value}
    save_file(published_state(small_tiny), tmp_path / "file.safetensors", metadata=metadata)
    with pytest.raises(WeightsError, match=words):
        load_network(tmp_path / "file.safetensors")


def test_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="is missing"):
        load_network(tmp_path / "none.pt")
    with pytest.raises(WeightsMissing, match="is missing"):
        load_network(tmp_path)
    for name in ("empty.pt", "empty.safetensors"):
        (tmp_path / name).touch()
        with pytest.raises(WeightsError, match="Fetch or copy it again"):
            load_network(tmp_path / name)


def test_safetensors_cut_short(small_tiny: YoloPose, tmp_path: Path) -> None:
    save_network(small_tiny, tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    for length in np.linspace(1, len(whole) - 1, 40).astype(int):
        (tmp_path / "cut.safetensors").write_bytes(whole[:length])
        with pytest.raises(WeightsError):
            load_network(tmp_path / "cut.safetensors")


def test_sizes_of_the_published_networks() -> None:
    """Parameters and tensors of the published layouts; facts on YOLOv7-Pose, section 1."""
    for architecture, parameters, tensors in (
        (Architecture("yolov7-w6-pose"), 80_238_452, 908),
        (Architecture("yolov7-tiny-pose", "official", "leaky_relu_0.1"), 7_940_951, 548),
    ):
        with torch.device("meta"):
            from pose.networks.yolov7_pose import build_network

            network = build_network(architecture)
        assert sum(p.numel() for p in network.parameters()) == parameters
        # The published files hold the anchors twice, in pixels and in cells.
        assert len(network.state_dict()) + 1 == tensors
