"""Agreement of the person detector and the keypoint network with the start weights' own runtime.

The arrays in `../shared/parity/topdown` were made by OpenVINO in fp32 from the same weights. Whole arrays are compared.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pose.inference.crops import crop_matrices, cut_crops
from pose.networks.picodet import PicoDet, decode
from pose.networks.tinypose import TinyPose
from pose.weight_files.start_weights import load_start_weights

PICTURES = ("000000227491", "000000281759", "000000459437")
MEAN, DEVIATION = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32) * 255  # RGB, of ImageNet

# Other sums' order through 270 layers; measured: 2e-6 of the largest value. The stated bound is wider.
MAP_TOLERANCE = 1e-3
# The stored maps of the pictures are in half precision: 11 bits of mantissa.
HALF = 2.0**-11


@pytest.fixture(scope="module")
def tinypose(shared: Path) -> TinyPose:
    network = TinyPose()
    load_start_weights(network, shared / "weights" / "topdown" / "tinypose_256x192_start.npz")
    return network.eval()


@pytest.fixture(scope="module")
def picodet(shared: Path) -> PicoDet:
    network = PicoDet()
    load_start_weights(network, shared / "weights" / "topdown" / "picodet_s_320_start.npz")
    return network.eval()


def normalised(bgr: np.ndarray) -> torch.Tensor:
    """`[N, H, W, 3]` uint8 BGR as the networks want it."""
    return torch.from_numpy(((bgr[..., ::-1] - MEAN) / DEVIATION).transpose(0, 3, 1, 2).copy())


def assert_maps_agree(actual: torch.Tensor, expected: np.ndarray, extra: float = 0.0) -> None:
    assert actual.shape == expected.shape
    largest = np.abs(expected).max()
    np.testing.assert_allclose(actual.numpy(), expected, rtol=0, atol=(MAP_TOLERANCE + extra) * largest)


def test_heat_maps_of_noise(tinypose: TinyPose, parity: Path) -> None:
    with np.load(parity / "topdown" / "tinypose_random.npz") as arrays, torch.inference_mode():
        assert_maps_agree(tinypose(torch.from_numpy(arrays["input"])), arrays["heatmaps"])


@pytest.mark.parametrize("picture", PICTURES)
def test_heat_maps_of_crops(tinypose: TinyPose, parity: Path, picture: str) -> None:
    with np.load(parity / "topdown" / f"{picture}.npz") as arrays, torch.inference_mode():
        assert_maps_agree(tinypose(normalised(arrays["crops_bgr"])), arrays["heatmaps"].astype(np.float32), HALF)


@pytest.mark.parametrize("picture", PICTURES)
def test_crops(shared: Path, picture: str) -> None:
    bgr = cv2.imread(str(shared / "data" / "coco_val300" / "images" / f"{picture}.jpg"))
    with np.load(shared / "parity" / "topdown" / f"{picture}.npz") as arrays:
        boxes, expected = arrays["boxes"], arrays["crops_bgr"]
    crops = cut_crops(bgr, crop_matrices(boxes[: len(expected)]))
    difference = np.abs(crops.astype(np.int16) - expected)
    # The matrices there are in single precision: 1 grey value in 0.02 % of the pixels.
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_boxes_and_scores_of_noise(picodet: PicoDet, parity: Path) -> None:
    with np.load(parity / "topdown" / "picodet_random.npz") as arrays, torch.inference_mode():
        boxes, scores = decode(picodet(torch.from_numpy(arrays["input"])))
        assert_maps_agree(boxes, arrays["boxes"])
        assert_maps_agree(scores, arrays["scores"][:, 0])


@pytest.mark.parametrize("picture", PICTURES)
def test_boxes_and_scores_of_pictures(picodet: PicoDet, parity: Path, picture: str) -> None:
    with np.load(parity / "topdown" / f"{picture}.npz") as arrays, torch.inference_mode():
        boxes, scores = decode(picodet(normalised(arrays["detector_input_bgr"][None])))
        assert_maps_agree(boxes[0], arrays["raw_boxes"])
        assert_maps_agree(scores[0], arrays["raw_scores"])
