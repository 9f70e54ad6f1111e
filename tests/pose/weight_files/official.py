"""Checkpoints in the official format, without the official code.

The published file is a pickled module of classes named `models.yolo.Model`, `models.common.Conv` and so on. Here empty
classes of those names are put around the layers of one of our networks, so that PyTorch pickles what the reference
would.
"""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pose.networks.yolov7_pose import YoloPose
from pose.weight_files.key_table import HEAD_LAYER, LAYER_KEYS

CLASSES = {
    "models.yolo": ("Model", "IKeypoint"),
    "models.common": ("Conv", "Concat", "ReOrg", "SPPCSPC", "MP", "SP", "ImplicitA", "ImplicitM"),
}


@contextmanager
def official_classes() -> Iterator[types.SimpleNamespace]:
    """Empty module classes that can be pickled under the official names, for as long as the context lasts."""
    found = types.SimpleNamespace()
    modules = {"models": types.ModuleType("models")}
    for module_name, names in CLASSES.items():
        module = modules[module_name] = types.ModuleType(module_name)
        for name in names:
            cls = type(name, (nn.Module,), {"__module__": module_name, "__qualname__": name})
            setattr(module, name, cls)
            setattr(found, name, cls)
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield found
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def official_model(network: YoloPose, classes: types.SimpleNamespace) -> nn.Module:
    """`network` as the module the reference would pickle."""
    architecture = network.architecture
    head_layer = HEAD_LAYER[architecture.network]

    def conv(own: str) -> nn.Module:
        ours, theirs = network.get_submodule(own), classes.Conv()
        theirs.conv, theirs.bn, theirs.act = ours.conv, ours.bn, ours.act
        return theirs

    layers: list[nn.Module] = [classes.Concat() for _ in range(head_layer)]
    for key, own in LAYER_KEYS[architecture.network].items():
        _, layer, *inner = key.split(".")
        if not inner:
            layers[int(layer)] = conv(own)
            continue
        if not isinstance(layers[int(layer)], classes.SPPCSPC):
            layers[int(layer)] = classes.SPPCSPC()
        layers[int(layer)].add_module(inner[0], conv(own))
    head = classes.IKeypoint()
    anchors = network.head.anchors
    strides = torch.tensor(network.head.strides, dtype=torch.float32)
    head.register_buffer("anchors", anchors / strides[:, None, None])
    head.register_buffer("anchor_grid", anchors.reshape(len(anchors), 1, 3, 1, 1, 2).clone())
    head.m = network.head.box
    for name, cls, values in (
        ("ia", classes.ImplicitA, network.head.add),
        ("im", classes.ImplicitM, network.head.multiply),
    ):
        parts = nn.ModuleList(cls() for _ in values)
        for part, value in zip(parts, values, strict=True):
            part.implicit = value
        setattr(head, name, parts)
    head.m_kpt = nn.ModuleList()
    for level, branch in enumerate(network.head.keypoint):
        last = len(branch) - 1
        steps = [conv(f"head.keypoint.{level}.{step}") for step in range(last)]
        head.m_kpt.append(nn.Sequential(*steps, branch[last]))
    head.stride = strides
    head.grid = [torch.zeros(1)] * len(anchors)

    model = classes.Model()
    model.yaml = {"nc": 1, "nkpt": 17, "width_multiple": architecture.width}
    model.names, model.hyp, model.stride = ["person"], {"box": 0.05}, strides
    model.model = nn.Sequential(*layers, head)
    return model


def save_official(
    network: YoloPose,
    file: Path,
    *,
    legacy: bool = False,
    half: bool = True,
    training: bool = False,
    extra: dict[str, Any] | None = None,
    protocol: int = 2,
) -> None:
    """Write `network` as the reference writes its checkpoints.

    Args:
        legacy: the container of before PyTorch 1.6.
        half: stripped checkpoints are in half precision; some in the wild are not.
        training: unstripped, with the weights in `ema` and something else in `model`.
        extra: further entries of the dictionary.
    """
    with official_classes() as classes, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a legacy file would hold the source of the classes; ours have none
        model = official_model(network, classes)
        model = model.half() if half else model
        content: dict[str, Any] = {
            "epoch": -1,
            "best_fitness": np.array([0.5]),
            "training_results": None,
            "model": model,
            "ema": None,
            "updates": None,
            "optimizer": None,
            "wandb_id": None,
        }
        if training:
            content |= {"model": nn.Sequential(), "ema": model, "updates": 7, "optimizer": {"state": {}}}
        torch.save(content | (extra or {}), file, _use_new_zipfile_serialization=not legacy, pickle_protocol=protocol)
