"""Weights under our own names, to a file and back."""

from __future__ import annotations

import pytest
import torch

from pose.errors import WeightsError, WeightsMissing
from pose.weight_files.plain_weights import read_state, write_state


def test_there_and_back(tmp_path):
    state = {"a.weight": torch.tensor([[1.0, 0.5], [-2.0, 3.0]]), "a.bias": torch.tensor([0.25])}
    file = tmp_path / "made.safetensors"
    write_state(state, file, {"trained_samples": "8", "by": "hand"})
    back = read_state(file)
    assert back.keys() == state.keys()
    for name, value in state.items():
        assert back[name].dtype == torch.float32
        assert torch.equal(back[name], value)
    first = file.read_bytes()
    write_state(state, file, {"by": "hand", "trained_samples": "8"})
    assert file.read_bytes() == first  # databases remember digests
    assert [path.name for path in tmp_path.iterdir()] == ["made.safetensors"]


def test_faults(tmp_path):
    with pytest.raises(WeightsMissing, match=r"none\.safetensors is missing"):
        read_state(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="is not a whole safetensors file"):
        read_state(tmp_path / "bad.safetensors")
    with pytest.raises(WeightsError, match="cannot be written"):
        write_state({"a": torch.zeros(1)}, tmp_path / "no" / "folder.safetensors")
