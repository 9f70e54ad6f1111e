"""Which network is taken, and which files it is made of."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pose.errors import WeightsError, WeightsMissing
from pose.networks.yolov7_pose import YoloPose
from pose.weight_files.checkpoint import save_network
from pose.weight_files.digest import sha256
from pose.weight_files.network_files import find_network


@pytest.fixture
def folder(only_made_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder to change, with the parts of the top-down network in it."""
    folder = tmp_path / "weights"
    shutil.copytree(only_made_weights, folder)
    (folder / "yolov7-tiny-pose.safetensors").unlink()
    monkeypatch.setattr("pose.weight_files.location.weights_folders", lambda: [folder])
    monkeypatch.setattr("pose.weight_files.location.weights_folder", lambda: folder)
    return folder


def test_auto_is_top_down_and_every_part_has_its_digest(folder: Path) -> None:
    found = find_network("auto")
    assert found.description.name == "picodet-tinypose"
    assert found.files == {part: folder / f"{part}.safetensors" for part in ("picodet-s", "tinypose", "tinypose-small")}
    pictures_take = ("picodet-s", "tinypose")
    assert found.parts == tuple((part, sha256(found.files[part])) for part in pictures_take)


def test_auto_on_a_gpu_is_the_large_one_where_its_weights_are(
    folder: Path, small_w6: YoloPose, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "pose"):
        assert find_network("auto", gpu=True).description.name == "picodet-tinypose"
    assert "no weights of yolov7-w6-pose here, so picodet-tinypose runs on the GPU too" in caplog.text
    save_network(small_w6, folder / "yolov7-w6-pose.safetensors")
    assert find_network("auto", gpu=True).description.name == "yolov7-w6-pose"
    assert find_network("auto").description.name == "picodet-tinypose"  # on a CPU, although w6 is here
    assert find_network("yolov7-w6-pose").files == {"yolov7-w6-pose": folder / "yolov7-w6-pose.safetensors"}


@pytest.mark.parametrize("wanted", ["auto", "picodet-tinypose"])
@pytest.mark.parametrize("part", ["picodet-s", "tinypose", "tinypose-small"])
def test_a_part_that_is_given_takes_the_place_of_the_one_that_would_be_found(
    folder: Path, tmp_path: Path, wanted: str, part: str
) -> None:
    given = tmp_path / "mine.safetensors"
    shutil.copy(folder / f"{part}.safetensors", given)
    found = find_network(wanted, given)
    parts = ["picodet-s", "tinypose", "tinypose-small"]
    assert found.files == {each: folder / f"{each}.safetensors" for each in parts} | {part: given}
    assert list(found.files) == parts  # in the description's order


def test_a_network_that_is_given_says_itself_what_it_is(folder: Path, made_weights: Path) -> None:
    given = made_weights / "yolov7-tiny-pose.safetensors"
    for wanted in ("auto", "yolov7-tiny-pose"):
        found = find_network(wanted, given, gpu=True)
        assert (found.description.name, found.files) == ("yolov7-tiny-pose", {"yolov7-tiny-pose": given})


def test_weights_of_another_network_than_wanted(folder: Path, made_weights: Path) -> None:
    with pytest.raises(WeightsError, match="holds weights of yolov7-tiny-pose, not of picodet-tinypose"):
        find_network("picodet-tinypose", made_weights / "yolov7-tiny-pose.safetensors")
    with pytest.raises(WeightsError, match="holds weights of tinypose, not of yolov7-w6-pose"):
        find_network("yolov7-w6-pose", folder / "tinypose.safetensors")


def test_weights_of_a_network_nobody_knows(folder: Path, tmp_path: Path) -> None:
    given = tmp_path / "odd.safetensors"
    save_file({"weight": torch.zeros(1)}, given, {"network": "resnet"})
    with pytest.raises(WeightsError, match="of resnet; known are picodet-s, tinypose, tinypose-small, yolov7-w6-pose"):
        find_network("auto", given)


def test_a_part_that_is_missing(folder: Path) -> None:
    (folder / "tinypose.safetensors").unlink()
    for wanted, given in (("auto", None), ("auto", folder / "picodet-s.safetensors")):
        with pytest.raises(WeightsMissing, match=rf"no weights of tinypose in {folder}\. Install Stance again"):
            find_network(wanted, given)
    with pytest.raises(WeightsMissing, match="Run `stance weights fetch yolov7-w6-pose`, or set"):
        find_network("yolov7-w6-pose")
    with pytest.raises(WeightsMissing, match="Train them with `stance train DATA --init none`, or set"):
        find_network("yolov7-tiny-pose")


def test_a_name_nobody_knows(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"no network 'movenet'; known are picodet-tinypose, yolov7-w6-pose"):
        find_network("movenet")
