"""Start weights: arrays under the numbers of a layer listing, put into one of our networks."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from pose.array_files import read_arrays
from pose.errors import WeightsError, WeightsMissing
from pose.networks.picodet import PicoDet
from pose.networks.tinypose import TinyPose
from pose.weight_files.listing import KeyTable
from pose.weight_files.picodet_keys import PICODET_KEYS
from pose.weight_files.safetensors_file import listed
from pose.weight_files.tinypose_keys import TINYPOSE_KEYS

__all__ = ["listing_keys", "load_start_weights"]

KEYS: Final[dict[type[nn.Module], KeyTable]] = {PicoDet: PICODET_KEYS, TinyPose: TINYPOSE_KEYS}


def load_start_weights(network: nn.Module, file: str | Path) -> None:
    """Fill a network of the published size with start weights, an `.npz` file of half-precision arrays.

    Raises:
        WeightsMissing: there is no such file.
        WeightsError: it is damaged, or its keys and shapes are not the network's.
    """
    path = Path(file)
    table, keys = KEYS[type(network)], listing_keys(network)
    arrays, own = _read(path), network.state_dict()
    ignored = {f"{number:03d}.1" for number in table.constants}
    faults = []
    if missing := [f"{key} ({name})" for name, key in keys.items() if key not in arrays]:
        faults.append(f"missing {listed(missing)}")
    if unknown := sorted(arrays.keys() - set(keys.values()) - ignored):
        faults.append(f"unknown {listed(unknown)}")
    state = {name: arrays[key] for name, key in keys.items() if key in arrays}
    if other := [
        f"{keys[name]} {list(value.shape)} for {name} {list(own[name].shape)}"
        for name, value in state.items()
        if _squeezed(value) != _squeezed(own[name])
    ]:
        faults.append(f"of another shape {listed(other)}")
    if faults:
        raise WeightsError(f"{path} does not fit {type(network).__name__}: {'; '.join(faults)}.")
    for name, factor in table.factors.items():
        state[f"{name}.weight"] *= factor
        state[f"{name}.bias"] *= factor
    # A depthwise kernel is [c, 1, 1, 3, 3] there and [c, 1, 3, 3] here, a bias [1, c, 1, 1] and [c].
    network.load_state_dict({name: value.reshape(own[name].shape) for name, value in state.items()})


def listing_keys(network: nn.Module) -> dict[str, str]:
    """Our name of every parameter and the key of its array, "001.1" for instance."""
    keys = {}
    for block, numbers in KEYS[type(network)].convolutions.items():
        inside = network.get_submodule(block).named_modules(prefix=block)
        names = [name for name, module in inside if isinstance(module, nn.Conv2d)]
        for name, number in zip(names, numbers, strict=True):
            keys[f"{name}.weight"] = f"{number:03d}.1"
            keys[f"{name}.bias"] = f"{number + 1:03d}.1"
    return keys


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsMissing(f"{path} is missing. Start weights are not part of the repository; see weights/README.md.")
    try:
        return {name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in read_arrays(path).items()}
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{path} is not a whole file of arrays. Copy it again.") from error


def _squeezed(value: Tensor) -> list[int]:
    return [size for size in value.shape if size != 1]
