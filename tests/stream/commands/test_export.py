"""`stance export`, through the parser."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from pose.errors import WeightsError, WeightsMissing
from pose.networks.architecture import Architecture
from pose.weight_files.checkpoint import save_network
from stream.commands.export import NETWORKS, register
from stream.settings.model import Settings
from tests.golden.make_pose import made_network

onnx = pytest.importorskip("onnx")


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(["export", *arguments])
    return int(args.run(args, Settings()))


@pytest.fixture
def weights(tmp_path: Path) -> str:
    file = tmp_path / "w.safetensors"
    save_network(made_network(Architecture("yolov7-tiny-pose", width=0.125)), file)
    return str(file)


def test_a_network_is_written(tmp_path: Path, weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "net.onnx"
    assert run("yolov7-tiny-pose", "--weights", weights, "--size", "96", "--out", str(out)) == 0
    assert "net.onnx holds yolov7-tiny-pose at 96x96" in capsys.readouterr().out
    onnx.checker.check_model(str(out))
    with pytest.raises(WeightsError, match="already there"):
        run("yolov7-tiny-pose", "--weights", weights, "--out", str(out))


def test_faults(tmp_path: Path, weights: str) -> None:
    with pytest.raises(WeightsError, match=r"does not end in \.onnx"):
        run("yolov7-tiny-pose", "--weights", weights, "--out", str(tmp_path / "net.bin"))
    with pytest.raises(WeightsError, match="not a multiple of 32"):
        run("yolov7-tiny-pose", "--weights", weights, "--size", "100", "--out", str(tmp_path / "net.onnx"))
    with pytest.raises(WeightsMissing):
        run("tinypose", "--weights", str(tmp_path / "none"), "--out", str(tmp_path / "net.onnx"))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["w.safetensors"]


def test_every_network_is_offered() -> None:
    from pose.weight_files.onnx_export import EXPORTABLE

    assert sorted(NETWORKS) == sorted(EXPORTABLE)
