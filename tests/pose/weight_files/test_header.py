"""What a weights file says of itself, and what is said of files that say nothing, or something else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pose.errors import WeightsError, WeightsMissing
from pose.networks.yolov7_pose import YoloPose
from pose.weight_files.header import network_of
from tests.pose.weight_files.official import save_official


@pytest.mark.parametrize("network", ["picodet-s", "tinypose", "yolov7-tiny-pose"])
def test_our_own_files(made_weights: Path, network: str) -> None:
    file = made_weights / f"{network}.safetensors"
    assert network_of(file) == network_of(file, network) == network


def test_a_published_checkpoint(tmp_path: Path, small_w6: YoloPose) -> None:
    save_official(small_w6, tmp_path / "theirs.pt")
    assert network_of(tmp_path / "theirs.pt") == "yolov7-w6-pose"
    with pytest.raises(WeightsError, match="of yolov7-w6-pose, not of yolov7-tiny-pose"):
        network_of(tmp_path / "theirs.pt", "yolov7-tiny-pose")


def test_another_network_than_expected(made_weights: Path) -> None:
    with pytest.raises(WeightsError, match=r"tinypose\.safetensors holds weights of tinypose, not of picodet-s"):
        network_of(made_weights / "tinypose.safetensors", "picodet-s")


def test_a_file_that_does_not_say_its_network(tmp_path: Path) -> None:
    bare = tmp_path / "bare.safetensors"
    for metadata in (None, {"made": "by hand"}):
        save_file({"weight": torch.zeros(1)}, bare, metadata)
        with pytest.raises(WeightsError, match=r"does not say which network it is for.*stance weights convert"):
            network_of(bare)
        assert network_of(bare, "tinypose") == "tinypose"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"\x05\0\0\0\0\0\0\0nope!",
        b"\x02\0\0\0\0\0\0\0[]",
        b"\x14\0\0\0\0\0\0\0" + b'{"__metadata__": [1]}'[:20],
        b'\x15\0\0\0\0\0\0\0{"__metadata__": [1]}',
        b"\xff" * 64,
    ],
    ids=["empty", "short", "no JSON", "a list", "cut off", "facts as a list", "a length beyond reason"],
)
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "damaged.safetensors"
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=r"damaged\.safetensors (is not a whole safetensors file|does not say)"):
        network_of(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("none.safetensors", "none.pt"):
        with pytest.raises(WeightsMissing, match=rf"{name} is missing"):
            network_of(tmp_path / name)
    with pytest.raises(WeightsMissing, match="is missing"):
        network_of(tmp_path)  # a folder is no file


def test_pytorch_is_not_needed(made_weights: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pose.weight_files.header import network_of; "
        f"network_of(Path({str(made_weights / 'tinypose.safetensors')!r})); print('torch' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root).stdout == "False\n"
