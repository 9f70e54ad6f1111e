"""Makes the golden arrays for `pose`: `python tests/golden/make_pose.py`.

`pose_w6_nano.npz`, `pose_letterbox.npz` and `pose_nms.npz` are numbers of the reference implementation, taken from the
arrays in `../shared/parity`, which is not part of the repository. `pose_tiny_made.npz` is our own output, written
when it agreed with the reference bit for bit on the tiny network in `../shared/parity`; its weights are made from a
seed (`made_network`), so only inputs and outputs are kept.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from pose.networks.architecture import Architecture
from pose.networks.head import decode
from pose.networks.yolov7_pose import YoloPose, build_network
from pose.weight_files.checkpoint import read_checkpoint

FOLDER = Path(__file__).resolve().parent
PARITY = FOLDER.parents[2] / "shared" / "parity"


def made_network(architecture: Architecture, seed: int = 0) -> YoloPose:
    """A network in evaluation mode whose numbers come from a seed, the same on every machine.

    Convolutions keep the size of what goes through (He), batch normalisation is mild; keypoints of random networks
    then lie all over the picture, as those of the parity networks do.
    """
    random = np.random.default_rng(seed)
    network = build_network(architecture).eval()
    state = {}
    for name, value in network.state_dict().items():
        shape = tuple(value.shape)
        if name == "head.anchors" or name.endswith("num_batches_tracked"):
            state[name] = value
        elif name.endswith(("running_var", "bn.weight")) or ".multiply." in name:
            state[name] = torch.from_numpy(random.uniform(0.8, 1.2, shape).astype(np.float32))
        elif value.ndim == 4 and ".add." not in name:
            spread = np.sqrt(2 / np.prod(shape[1:]))
            state[name] = torch.from_numpy(random.normal(0, spread, shape).astype(np.float32))
        else:
            state[name] = torch.from_numpy(random.normal(0, 0.1, shape).astype(np.float32))
    network.load_state_dict(state)
    return network


def tiny_made() -> dict[str, np.ndarray]:
    """The tiny network with both keypoint branches on one picture of noise."""
    x = np.random.default_rng(1).uniform(0, 1, (1, 3, 64, 64)).astype(np.float32)
    arrays = {"x": x}
    for branch, activation in (("official", "silu"), ("short", "leaky_relu_0.1")):
        network = made_network(Architecture("yolov7-tiny-pose", branch, "leaky_relu_0.1", activation, width=0.125))
        with torch.inference_mode():
            arrays[f"y_{branch}"] = decode(network(torch.from_numpy(x)), network.head.anchors, network.head.strides)
    return {name: np.asarray(value) for name, value in arrays.items()}


def w6_nano() -> dict[str, np.ndarray]:
    """The weights of `w6pose_nano.pt` in half precision, an input, and the reference's decoded rows."""
    state = read_checkpoint(PARITY / "w6pose_nano.pt").state
    halved = {name: value.half().numpy() for name, value in state.items() if value.is_floating_point()}
    with np.load(PARITY / "w6pose_nano.npz") as arrays:
        return {**halved, "x": arrays["x"], "y": arrays["y"]}


def letterbox() -> dict[str, np.ndarray]:
    """The reference's letterbox: sizes, and two pictures."""
    with np.load(PARITY / "units_letterbox.npz") as arrays:
        return dict(arrays)


def nms() -> dict[str, np.ndarray]:
    """Candidates without their keypoints, the reference's surviving rows, and rows mapped back to pictures."""
    with np.load(PARITY / "units_nms.npz") as arrays:
        kept = {"pred": arrays["pred"][..., :6], "ties": arrays["ties"][:, :6]}
        for name in arrays.files:
            if name.startswith(("c25", "c001", "c5", "ties_")):
                kept[name] = arrays[name][:, :5]
            elif name.startswith("scaled_"):
                kept[name] = arrays[name]
        kept["scaled_from"] = arrays["c25i65_img0"]
        return kept


MAKERS = {"pose_tiny_made": tiny_made, "pose_w6_nano": w6_nano, "pose_letterbox": letterbox, "pose_nms": nms}

if __name__ == "__main__":
    for name, make in MAKERS.items():
        np.savez_compressed(FOLDER / f"{name}.npz", **make())
