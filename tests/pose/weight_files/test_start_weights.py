"""Start weights under listing numbers: which go where, and what is said when they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pose.errors import WeightsError, WeightsMissing
from pose.networks.picodet import PicoDet
from pose.networks.tinypose import TinyPose
from pose.weight_files.start_weights import KEYS, listing_keys, load_start_weights


def start_arrays() -> dict[str, np.ndarray]:
    """Arrays under the numbers of the listing, as many as TinyPose has: each filled with its own number."""
    network = TinyPose()
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    arrays = {}
    for name, key in listing_keys(network).items():
        arrays[key] = np.full(shapes[name], float(key), np.float16)
    return arrays | {"089.1": np.array([1.0, 1.0, 2.0, 2.0], np.float16)}


def saved(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Path:
    file = tmp_path / "start.npz"
    np.savez(file, **arrays)
    return file


def test_weight_and_bias_have_neighbouring_numbers(tmp_path: Path) -> None:
    network = TinyPose()
    load_start_weights(network, saved(tmp_path, start_arrays()))
    for number, convolution in (
        (1, network.stem.convolution),
        (10, network.stem.expand),
        (24, network.high_entrance.pointwise),
        (1159, network.to_keypoints),
    ):
        assert (convolution.weight == torch.tensor(number + 0.1).half()).all()
        assert (convolution.bias == torch.tensor(number + 1.1).half()).all()


@pytest.mark.parametrize("kind", [PicoDet, TinyPose])
def test_every_number_is_used_once(kind: type[PicoDet | TinyPose]) -> None:
    network = kind()
    keys = listing_keys(network)
    assert keys.keys() == network.state_dict().keys()
    assert len(set(keys.values())) == len(keys)
    assert not {int(float(key)) for key in keys.values()} & set(KEYS[kind].constants)


def test_missing_and_unknown_keys_are_named(tmp_path: Path) -> None:
    arrays = start_arrays()
    arrays["2000.1"] = arrays.pop("001.1")
    with pytest.raises(WeightsError, match=r"missing 001\.1 \(stem\.convolution\.weight\); unknown 2000\.1"):
        load_start_weights(TinyPose(), saved(tmp_path, arrays))


def test_a_wrong_shape_is_named(tmp_path: Path) -> None:
    arrays = start_arrays()
    arrays["001.1"] = arrays["001.1"][:-1]
    with pytest.raises(WeightsError, match=r"of another shape 001\.1 \[31, 3, 3, 3\] for stem\.convolution\.weight"):
        load_start_weights(TinyPose(), saved(tmp_path, arrays))


def test_a_file_that_is_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="is missing"):
        load_start_weights(TinyPose(), tmp_path / "start.npz")
    (tmp_path / "start.npz").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(WeightsError, match="not a whole file"):
        load_start_weights(TinyPose(), tmp_path / "start.npz")
