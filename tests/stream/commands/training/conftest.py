"""Weights to begin with: networks of the published size with random weights, which no training shipped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pose.inference.crops import CROP_SIZE, SMALL_CROP_SIZE
from pose.networks.picodet import PicoDet
from pose.networks.tinypose import TinyPose
from pose.weight_files.topdown_file import save_topdown


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A weights file for each network."""
    folder = tmp_path_factory.mktemp("random_weights")
    files = {}
    for name, kind, size in (
        ("tinypose", TinyPose, CROP_SIZE),
        ("tinypose-small", TinyPose, SMALL_CROP_SIZE),
        ("picodet-s", PicoDet, (320, 320)),
    ):
        torch.manual_seed(0)
        network = kind()
        if isinstance(network, PicoDet):
            for head in network.heads:  # sure of nothing, as trained heads are of most cells
                torch.nn.init.constant_(head.to_class.bias, -3)
        files[name] = folder / f"{name}.safetensors"
        save_topdown(network, files[name], size, "random")
    return files
