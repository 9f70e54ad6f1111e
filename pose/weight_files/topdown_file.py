"""The weights of the person detector and of the keypoint network in our own format.

Safetensors in half precision under our own names; the header says for which network and input they are and where they
come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from torch import nn

from pose.errors import WeightsError, WeightsMissing
from pose.inference.crops import SMALL_CROP_SIZE
from pose.networks.picodet import PicoDet
from pose.networks.tinypose import TinyPose
from pose.weight_files.safetensors_file import halved, listed, read_safetensors, write_safetensors

__all__ = ["TOPDOWN_NETWORKS", "TopdownWeights", "load_topdown", "save_topdown", "topdown_header"]

TOPDOWN_NETWORKS: Final[dict[str, type[PicoDet | TinyPose]]] = {
    "picodet-s": PicoDet,
    "tinypose": TinyPose,
    "tinypose-small": TinyPose,
}
"""Name and class of the networks, each of the published size."""

FIXED: Final = {"classes": "person", "input": "rgb, (x / 255 - mean) / std of ImageNet"}
KEYPOINTS: Final = {"picodet-s": "none", "tinypose": "coco17", "tinypose-small": "coco17"}


@dataclass(frozen=True, slots=True)
class TopdownWeights:
    """What a weights file holds.

    Attributes:
        network: filled, float32, on the CPU, in evaluation mode.
        name: one of `TOPDOWN_NETWORKS`.
        input_size: width and height in pixels that the weights were trained for.
        origin: where they come from, and under which licence.
        metadata: everything the header says.
    """

    network: PicoDet | TinyPose
    name: str
    input_size: tuple[int, int]
    origin: str
    metadata: Mapping[str, str]


def save_topdown(
    network: nn.Module,
    file: str | Path,
    input_size: tuple[int, int],
    origin: str,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write the weights, complete or not at all; half precision, except for a tensor with numbers too large for it.

    Args:
        network: a `PicoDet` or a `TinyPose` of the published size.
        input_size: width and height in pixels; tells `tinypose` and `tinypose-small` apart.
        origin: where the weights come from, and under which licence.
        notes: further facts for the header, for instance how the weights were trained.

    Raises:
        ValueError: another network, or one of another size, which could not be read back.
        WeightsError: the file cannot be written.
    """
    names = [name for name, kind in TOPDOWN_NETWORKS.items() if type(network) is kind]
    if not names:
        raise ValueError(f"{type(network).__name__} is none of {', '.join(TOPDOWN_NETWORKS)}")
    name = "tinypose-small" if isinstance(network, TinyPose) and input_size == SMALL_CROP_SIZE else names[0]
    state = network.state_dict()
    published = TOPDOWN_NETWORKS[name]().state_dict()
    if {key: value.shape for key, value in state.items()} != {key: value.shape for key, value in published.items()}:
        raise ValueError(f"only a {name} of the published size can be saved")
    header = topdown_header(name, input_size, origin)
    write_safetensors(Path(file), {key: halved(value) for key, value in state.items()}, {**(notes or {}), **header})


def topdown_header(name: str, input_size: tuple[int, int], origin: str) -> dict[str, str]:
    """What a file says of itself, so that `load_topdown` takes it.

    Args:
        name: one of `TOPDOWN_NETWORKS`.
        input_size: width and height in pixels.
        origin: where the weights come from, and under which licence.
    """
    width, height = input_size
    return {
        **FIXED,
        "network": name,
        "keypoints": KEYPOINTS[name],
        "input_size": f"{width}x{height}",
        "origin": origin,
    }


def load_topdown(file: str | Path, name: str | None = None) -> TopdownWeights:
    """Read what `save_topdown` wrote.

    Args:
        name: the network that is expected; None takes what the file says.

    Raises:
        WeightsMissing: there is no such file.
        WeightsError: it is damaged, for another network, or its keys and shapes are not the network's.
    """
    path = Path(file)
    if not path.is_file():
        raise WeightsMissing(f"{path} is missing. See `stance weights list` for what can be fetched.")
    metadata, state = read_safetensors(path)
    found = metadata.get("network")
    if found not in TOPDOWN_NETWORKS:
        raise WeightsError(f"{path} is for network {found!r}; known here are {', '.join(TOPDOWN_NETWORKS)}.")
    if name is not None and found != name:
        raise WeightsError(f"{path} holds weights of {found}, not of {name}.")
    for field, ours in {**FIXED, "keypoints": KEYPOINTS[found]}.items():
        if metadata.get(field) != ours:
            raise WeightsError(f"{path} is for {field} {metadata.get(field)!r}; Stance needs {ours!r}.")
    network = TOPDOWN_NETWORKS[found]()
    expected = network.state_dict()
    faults = []
    if missing := [key for key in expected if key not in state]:
        faults.append(f"missing {listed(missing)}")
    if unknown := [key for key in state if key not in expected]:
        faults.append(f"unknown {listed(unknown)}")
    if other := [
        f"{key} {list(value.shape)} instead of {list(expected[key].shape)}"
        for key, value in state.items()
        if key in expected and value.shape != expected[key].shape
    ]:
        faults.append(f"of another shape {listed(other)}")
    if broken := [key for key, value in state.items() if not value.isfinite().all()]:
        faults.append(f"not finite {listed(broken)}")
    if faults:
        raise WeightsError(f"{path} does not fit {found}: {'; '.join(faults)}.")
    network.load_state_dict(state)
    size = _input_size(path, metadata.get("input_size", ""))
    return TopdownWeights(network.eval(), found, size, metadata.get("origin", "unknown"), metadata)


def _input_size(path: Path, text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and 0 < int(width) <= 4096 and 0 < int(height) <= 4096):
        raise WeightsError(f"{path} has a damaged header: input_size {text!r} is not like 192x256.")
    return int(width), int(height)
