"""Agreement with the reference implementation, on the arrays in `../shared/parity`.

Whole arrays, on networks of the published layout with random weights: every tensor of a checkpoint, every layer, raw
maps, decoded rows. Smaller golden arrays that need nothing from outside are in `test_golden.py`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pose.inference.letterbox import Letterbox
from pose.inference.nms import non_maximum_suppression
from pose.networks.deploy import fuse
from pose.networks.head import decode
from pose.networks.yolov7_pose import YoloPose
from pose.weight_files.checkpoint import load_network, read_checkpoint
from pose.weight_files.key_table import LAYER_KEYS
from pose.weight_files.unpickle import load_pickled
from tests.golden.make_pose import MAKERS, tiny_made
from tests.tolerance import assert_close

CHECKPOINTS = {  # file: the manifest that lists its tensors
    "w6pose_slim": "w6pose_slim",
    "tinypose_slim": "tinypose_slim",
    "w6pose_nano": "w6pose_nano",
    "w6pose_nano_legacy": "w6pose_nano",
    "w6pose_nano_training": "w6pose_nano",
}
NETWORKS = ("w6pose_slim", "tinypose_slim")
THRESHOLDS = {"nb": (0.25, 0.65), "det": (0.25, 0.45), "test": (0.001, 0.65)}  # score, IoU


def decoded(network: YoloPose, x: Tensor) -> Tensor:
    with torch.inference_mode():
        return decode(network(x), network.head.anchors, network.head.strides)


@pytest.mark.parametrize(("file", "manifest"), CHECKPOINTS.items())
def test_checkpoints_give_every_tensor_of_the_manifest(parity: Path, file: str, manifest: str) -> None:
    expected = json.loads((parity / f"{manifest}_manifest.json").read_text())["state_dict"]
    state = read_checkpoint(parity / f"{file}.pt").state
    assert list(state) == list(expected)  # names and order
    for name, value in state.items():
        assert list(value.shape) == list(expected[name]["shape"]), name
        dtype = getattr(torch, expected[name]["dtype"].removeprefix("torch."))
        assert hashlib.sha256(value.to(dtype).contiguous().numpy().tobytes()).hexdigest() == expected[name]["sha256"], (
            name
        )


def test_an_unstripped_checkpoint_gives_its_averaged_weights(parity: Path) -> None:
    loaded = load_pickled(parity / "w6pose_nano_training.pt")
    assert loaded["ema"] is not None
    assert loaded["model"] is not None


@pytest.mark.parametrize("name", NETWORKS)
def test_raw_maps_and_decoded_rows(parity: Path, name: str) -> None:
    network = load_network(parity / f"{name}.pt")
    with np.load(parity / f"{name}_random.npz") as arrays, torch.inference_mode():
        maps = network(torch.from_numpy(arrays["x"]))
        for level, raw in enumerate(maps):
            assert_close(raw, arrays[f"raw{level}"])
        assert_close(decode(maps, network.head.anchors, network.head.strides), arrays["y"])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_fused_network_stays_as_close_as_the_reference_does(parity: Path, name: str) -> None:
    network = fuse(load_network(parity / f"{name}.pt"))
    with np.load(parity / f"{name}_random.npz") as arrays:
        difference = np.abs(decoded(network, torch.from_numpy(arrays["x"])).numpy() - arrays["y"]).max()
        # Fusing rounds every weight once more: 0.002 px in the reference, where its outputs reach 2,000 px.
        assert difference < 4 * max(float(arrays["y_fused_maxdiff"]), 5e-4)


# Layers that have no weights, as the published configurations number them: (kind, inputs).
CONCAT = {
    "w6pose_slim": {
        9: (8, 6, 4, 3), 18: (17, 15, 13, 12), 27: (26, 24, 22, 21), 36: (35, 33, 31, 30), 45: (44, 42, 40, 39),
        51: (50, 49), 58: (57, 56, 55, 54, 53, 52), 63: (62, 61), 70: (69, 68, 67, 66, 65, 64), 75: (74, 73),
        82: (81, 80, 79, 78, 77, 76), 85: (84, 71), 92: (91, 90, 89, 88, 87, 86), 95: (94, 59),
        102: (101, 100, 99, 98, 97, 96), 105: (104, 47), 112: (111, 110, 109, 108, 107, 106),
    },
    "tinypose_slim": {
        6: (5, 4, 3, 2), 13: (12, 11, 10, 9), 20: (19, 18, 17, 16), 27: (26, 25, 24, 23), 34: (33, 32, 31, 30),
        36: (35, 29), 41: (40, 39), 46: (45, 44, 43, 42), 51: (50, 49), 56: (55, 54, 53, 52), 59: (58, 47),
        64: (63, 62, 61, 60), 67: (66, 37), 72: (71, 70, 69, 68),
    },
}  # fmt: skip
UPSAMPLE = {"w6pose_slim": {49: 48, 61: 60, 73: 72}, "tinypose_slim": {39: 38, 49: 48}}
HALVE = {"w6pose_slim": {}, "tinypose_slim": {8: 7, 15: 14, 22: 21}}
POOL = {"w6pose_slim": {}, "tinypose_slim": {31: 5, 32: 9, 33: 13}}  # window, over layer 30


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer(parity: Path, name: str) -> None:
    network = load_network(parity / f"{name}.pt")
    outputs: dict[int, Tensor] = {}
    own_names = {int(key.split(".")[1]): own for key, own in LAYER_KEYS[network.architecture.network].items()}
    if name == "w6pose_slim":
        own_names |= {0: "reorg", 47: "spp"}
    for layer, own in own_names.items():
        hook = lambda module, inputs, output, layer=layer: outputs.update({layer: output.clone()})  # noqa: E731
        network.get_submodule(own).register_forward_hook(hook)
    with np.load(parity / f"{name}_random.npz") as arrays:
        expected = arrays["layers"]
        decoded(network, torch.from_numpy(arrays["x"]))
    for layer in range(len(expected)):
        if layer in CONCAT[name]:
            outputs[layer] = torch.cat([outputs[i] for i in CONCAT[name][layer]], 1)
        elif layer in UPSAMPLE[name]:
            outputs[layer] = outputs[UPSAMPLE[name][layer]].repeat_interleave(2, 2).repeat_interleave(2, 3)
        elif layer in HALVE[name]:
            outputs[layer] = F.max_pool2d(outputs[HALVE[name][layer]], 2)
        elif layer in POOL[name]:
            window = POOL[name][layer]
            outputs[layer] = F.max_pool2d(outputs[30], window, 1, window // 2)
    assert sorted(outputs) == list(range(len(expected)))
    for layer, output in sorted(outputs.items()):
        values = output.double()
        actual = [values.mean(), values.std(), values.abs().max(), *values.flatten()[:4], *output.shape]
        # Some hundred sums in fp32, in another order: relative to the layer's own size, a few float32 steps.
        scale = max(expected[layer, 2], 1.0)
        np.testing.assert_allclose(
            np.array(actual, float), expected[layer], rtol=0, atol=1e-5 * scale, err_msg=f"{layer}"
        )


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_a_picture_from_letterbox_to_people(parity: Path, name: str, order: str) -> None:
    network = load_network(parity / f"{name}.pt")
    with np.load(parity / f"{name}_synth.npz") as arrays:
        golden = dict(arrays)
    picture = golden["image_bgr_u8"]
    box = Letterbox.fit(*picture.shape[:2], 256, network.head.strides[-1])
    canvas = np.empty((*box.shape, 3), np.uint8)
    box.draw(picture, canvas)
    np.testing.assert_array_equal(canvas, golden["letterboxed_bgr_u8"])

    if order == "rgb":  # what training and evaluation of the reference feed; `bgr` is its notebook's slip
        canvas = canvas[..., ::-1]
    x = torch.from_numpy(np.ascontiguousarray(canvas.transpose(2, 0, 1)))[None].float() / 255
    rows = decoded(network, x)[0].numpy()
    assert_close(rows[:: 1 if order == "rgb" else 37], golden[f"pred_{order}"][0])
    for label, (score_threshold, iou_threshold) in THRESHOLDS.items():
        kept = suppress(rows, score_threshold, iou_threshold)
        assert_close(*sorted_rows(kept, golden[f"rows_{order}_{label}"]))


@pytest.mark.parametrize("threshold", ["c25i65", "c25i45", "c001i65", "c5i5"])
@pytest.mark.parametrize("picture", range(3))
def test_suppression_with_keypoints(parity: Path, threshold: str, picture: int) -> None:
    pairs = {"c25i65": (0.25, 0.65), "c25i45": (0.25, 0.45), "c001i65": (0.001, 0.65), "c5i5": (0.5, 0.5)}
    with np.load(parity / "units_nms.npz") as arrays:
        kept = suppress(arrays["pred"][picture], *pairs[threshold])
        expected = arrays[f"{threshold}_img{picture}"]
    if not len(expected):  # the reference gives six columns when nobody is left, we give all
        assert kept.shape == (0, 57)
    else:
        assert_close(*sorted_rows(kept, expected))


def suppress(rows: np.ndarray, score_threshold: float, iou_threshold: float) -> np.ndarray:
    """Decoded rows `[R, 57]` to the reference's `[K, 57]`: corners, score, class 0, keypoints."""
    scores = rows[:, 4] * rows[:, 5]
    rows, scores = (a[(rows[:, 4] > score_threshold) & (scores > score_threshold)] for a in (rows, scores))
    corners = np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2], 1)
    keep = non_maximum_suppression(corners, scores, iou_threshold)
    return np.concatenate([corners, scores[:, None], np.zeros_like(scores)[:, None], rows[:, 6:]], 1)[keep]


def sorted_rows(*tables: np.ndarray) -> list[np.ndarray]:
    """The rows of every table in one order that does not depend on ties of the score: they are sets."""
    return [table[np.lexsort(table[:, :5].round(2).T)] for table in tables]


@pytest.mark.parametrize("name", ["pose_w6_nano", "pose_letterbox", "pose_nms"])
def test_golden_arrays_are_the_reference_s(parity: Path, golden: Path, name: str) -> None:
    with np.load(golden / f"{name}.npz") as arrays:
        made = MAKERS[name]()
        assert sorted(arrays.files) == sorted(made)
        for key in arrays.files:
            np.testing.assert_array_equal(arrays[key], made[key])


def test_the_made_tiny_network_is_as_committed(golden: Path) -> None:
    with np.load(golden / "pose_tiny_made.npz") as arrays:
        made = tiny_made()
        assert sorted(arrays.files) == sorted(made)
        for key in arrays.files:
            assert_close(made[key], arrays[key])
