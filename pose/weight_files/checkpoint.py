"""Weights on disk: reading every format that exists, writing one.

Read: the published `.pt` (a pickled module, whole or stripped, half or float), a pickled state dict, safetensors.
Written: safetensors, in half precision, with the architecture in its header. In every file the keys have the published
names (see `pose.weight_files.key_table`).
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from pose.errors import WeightsError, WeightsMissing
from pose.networks.architecture import NETWORKS, Architecture
from pose.networks.yolov7_pose import YoloPose, build_network
from pose.weight_files.key_table import HEAD_KEYS, HEAD_LAYER, LAYER_KEYS
from pose.weight_files.safetensors_file import halved, listed, read_safetensors, write_safetensors
from pose.weight_files.unpickle import Shell, StoredTensor, load_pickled

__all__ = ["Checkpoint", "load_network", "published_names", "read_checkpoint", "save_network"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a weights file holds.

    Attributes:
        architecture: the network the weights are for.
        state: tensors under their published names, float32 where they are floating.
    """

    architecture: Architecture
    state: dict[str, Tensor]


def read_checkpoint(file: str | Path, network: str | None = None) -> Checkpoint:
    """Read weights without running anything in the file.

    Args:
        network: the network that is expected; None takes what the file says, or, where it says nothing, what the
            numbering of its layers shows.

    Raises:
        WeightsMissing: there is no such file.
        WeightsError: it is damaged, unsafe, or for another network.
    """
    path = Path(file)
    if not path.is_file():
        raise WeightsMissing(f"{path} is missing. See `stance weights list` for what can be fetched.")
    if network is not None and network not in NETWORKS:
        raise WeightsError(f"There is no network {network!r}; known are {', '.join(NETWORKS)}.")
    if path.suffix == ".safetensors":
        metadata, state = read_safetensors(path)
        architecture = Architecture.from_metadata(metadata, str(path)) if "network" in metadata else None
    else:
        architecture, state = _read_pickled(path)
    if architecture is None:
        architecture = _architecture_from_keys(path, state)
    if network is not None and architecture.network != network:
        raise WeightsError(f"{path} holds weights of {architecture.network}, not of {network}.")
    floats = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    return Checkpoint(architecture, floats)


def load_network(file: str | Path, network: str | None = None) -> YoloPose:
    """A network with the weights of a file: float32, on the CPU, in evaluation mode.

    Raises:
        WeightsMissing: there is no such file.
        WeightsError: it is damaged, unsafe, for another network, or its keys and shapes are not the network's.
    """
    checkpoint = read_checkpoint(file, network)
    model = build_network(checkpoint.architecture)
    expected = model.state_dict()
    names = published_names(checkpoint.architecture, expected)
    state = {own: checkpoint.state[theirs] for own, theirs in names.items() if theirs in checkpoint.state}
    if "head.anchors" in state and state["head.anchors"].numel() == expected["head.anchors"].numel():
        state["head.anchors"] = state["head.anchors"].reshape(expected["head.anchors"].shape)
    derived = f"model.{HEAD_LAYER[checkpoint.architecture.network]}.anchors"  # anchor_grid divided by the stride
    faults = []
    if missing := [names[own] for own in expected if own not in state]:
        faults.append(f"missing {listed(missing)}")
    if unknown := sorted(checkpoint.state.keys() - set(names.values()) - {derived}):
        faults.append(f"unknown {listed(unknown)}")
    if mismatched := [
        f"{names[own]} {list(value.shape)} instead of {list(expected[own].shape)}"
        for own, value in state.items()
        if value.shape != expected[own].shape
    ]:
        faults.append(f"of another shape {listed(mismatched)}")
    if broken := [names[own] for own, value in state.items() if not value.isfinite().all()]:
        faults.append(f"not finite {listed(broken)}")
    if faults:
        raise WeightsError(
            f"{file} does not fit {checkpoint.architecture.network} "
            f"(keypoint branch {checkpoint.architecture.keypoint_branch}): {'; '.join(faults)}."
        )
    model.load_state_dict(state)
    return model.eval()


def save_network(model: YoloPose, file: str | Path, notes: Mapping[str, str] | None = None) -> None:
    """Write the weights as safetensors, complete or not at all.

    Half precision, except for a tensor with numbers too large for it.

    Args:
        notes: further facts for the header, for instance how the weights were trained.

    Raises:
        ValueError: the network was made fast by `pose.networks.deploy`; such weights fit no network that is built anew.
        WeightsError: the file cannot be written.
    """
    if model.head.folded:
        raise ValueError("a fused network cannot be saved; save it before pose.networks.deploy.fuse")
    own = model.state_dict()
    names = published_names(model.architecture, own)
    state = {names[key]: halved(value) for key, value in own.items()}
    layer = f"model.{HEAD_LAYER[model.architecture.network]}"
    anchors = own["head.anchors"].float()  # [levels, 3, 2] px; the published files hold them twice
    state[f"{layer}.anchor_grid"] = anchors.reshape(len(anchors), 1, 3, 1, 1, 2)
    state[f"{layer}.anchors"] = anchors / anchors.new_tensor(model.architecture.strides).reshape(-1, 1, 1)
    write_safetensors(Path(file), state, {**(notes or {}), **model.architecture.to_metadata()})


def _read_pickled(path: Path) -> tuple[Architecture | None, dict[str, Tensor]]:
    loaded = load_pickled(path)
    if isinstance(loaded, dict):
        # A training checkpoint keeps the averaged weights in `ema`; they are the ones to use.
        for key in ("ema", "model", "state_dict"):
            if isinstance(loaded.get(key), Shell | dict):
                loaded = loaded[key]
                break
    try:
        if isinstance(loaded, Shell):
            state = {name: stored.tensor() for name, stored in _walk(loaded)}
            return _architecture_from_shell(path, loaded, state), state
        if isinstance(loaded, dict) and loaded and all(isinstance(value, StoredTensor) for value in loaded.values()):
            return None, {str(name): stored.tensor() for name, stored in loaded.items()}
    except (pickle.UnpicklingError, OverflowError) as error:
        raise WeightsError(f"{path} is damaged ({error}). Fetch or copy it again.") from error
    raise WeightsError(f"{path} holds neither a network nor a state dict.")


def _walk(model: Shell) -> Iterable[tuple[str, StoredTensor]]:
    """The state dict of a pickled module, in the order PyTorch would give it."""
    seen = set()  # a file could nest modules into one another without end
    todo = [("", model)]
    while todo:
        prefix, shell = todo.pop()
        if id(shell) in seen:
            continue
        seen.add(id(shell))
        volatile = vars(shell).get("_non_persistent_buffers_set")
        for kind in ("_parameters", "_buffers"):
            for name, value in _members(shell, kind):
                if kind == "_buffers" and isinstance(volatile, set) and name in volatile:
                    continue
                if isinstance(value, StoredTensor):
                    yield prefix + name, value
        children = [(f"{prefix}{name}.", child) for name, child in _members(shell, "_modules")]
        todo += [(name, child) for name, child in reversed(children) if isinstance(child, Shell)]


def _members(shell: Shell, kind: str) -> Iterable[tuple[str, object]]:
    members = vars(shell).get(kind, {})
    if not isinstance(members, dict) or not all(isinstance(name, str) for name in members):
        raise pickle.UnpicklingError(f"its {kind[1:]} are not named")
    return members.items()


def _shell_at(shell: Shell, *path: str) -> Shell | None:
    for name in path:
        child = dict(_members(shell, "_modules")).get(name)
        if not isinstance(child, Shell):
            return None
        shell = child
    return shell


def _architecture_from_shell(path: Path, model: Shell, state: Mapping[str, Tensor]) -> Architecture:
    guess = _architecture_from_keys(path, state)
    first = "1" if guess.network == "yolov7-w6-pose" else "0"
    head = str(HEAD_LAYER[guess.network])
    yaml = vars(model).get("yaml")
    width = yaml.get("width_multiple", 1.0) if isinstance(yaml, dict) else 1.0
    norm = _shell_at(model, "model", first, "bn")
    bn_eps = vars(norm).get("eps", 1e-3) if norm else 1e-3
    if not isinstance(width, int | float) or not isinstance(bn_eps, int | float):
        raise pickle.UnpicklingError("its width multiple or batch-norm epsilon is not a number")
    return Architecture(
        guess.network,
        guess.keypoint_branch,
        _activation(_shell_at(model, "model", first, "act"), guess.activation),
        _activation(_shell_at(model, "model", head, "m_kpt", "0", "0", "act"), guess.keypoint_activation),
        float(bn_eps),
        float(width),
    )


def _activation(shell: Shell | None, otherwise: str) -> str:
    if shell is None:
        return otherwise
    kind = shell.class_name.rpartition(".")[2]
    if kind == "LeakyReLU":
        slope = vars(shell).get("negative_slope", 0.01)
        return f"leaky_relu_{slope:g}" if isinstance(slope, int | float) else "leaky_relu"
    return kind.lower()


def _architecture_from_keys(path: Path, state: Mapping[str, Any]) -> Architecture:
    """What the numbering shows: the head's layer is the network's, its depth the keypoint branch's."""
    for network, layer in HEAD_LAYER.items():
        if f"model.{layer}.m_kpt.0.0.conv.weight" in state:
            short = f"model.{layer}.m_kpt.0.11.weight" not in state
            if network == "yolov7-w6-pose":
                return Architecture(network, "short" if short else "official", "silu", "silu")
            # The official branch has SiLU even below a LeakyReLU backbone; our short one follows the backbone.
            return Architecture(
                network,
                "short" if short else "official",
                "leaky_relu_0.1",
                "leaky_relu_0.1" if short else "silu",
            )
    raise WeightsError(
        f"{path} holds no YOLOv7-Pose network that Stance knows ({', '.join(NETWORKS)}). Its first keys are "
        f"{listed(list(state)[:3]) if state else 'none'}."
    )


def published_names(architecture: Architecture, ours: Iterable[str]) -> dict[str, str]:
    """The published name of every tensor, by our name for it."""
    head = f"model.{HEAD_LAYER[architecture.network]}."
    prefixes = {own: theirs for theirs, own in LAYER_KEYS[architecture.network].items()}
    for theirs, own in HEAD_KEYS.items():
        for level in range(len(architecture.strides)):
            prefixes[own.format(n=level)] = head + theirs.format(n=level)
    names = {}
    for name in ours:
        prefix = name
        while prefix not in prefixes:
            prefix = prefix.rpartition(".")[0]
        names[name] = prefixes[prefix] + name[len(prefix) :]
    return names
