"""The head: which branch gives what, and decoding read number by number."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pose.networks.head import COLUMNS, KeypointHead, decode, decode_above
from tests.tolerance import assert_close

STRIDES = (8, 16)
ANCHORS = (((10, 13), (16, 30), (33, 23)), ((30, 61), (62, 45), (59, 119)))


@pytest.fixture
def head() -> KeypointHead:
    torch.manual_seed(0)
    return KeypointHead([8, 16], STRIDES, ANCHORS, depthwise=3, activation="silu").eval()


@pytest.fixture
def maps() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, 4, 6, 57, generator=generator), torch.randn(2, 3, 2, 3, 57, generator=generator)]


def test_the_branches_are_joined_before_they_are_split_into_anchors(head: KeypointHead) -> None:
    """Anchor 0's box comes from the box branch; anchors 1 and 2 take theirs from the keypoint branch.

    A split per branch would look more natural and give garbage with every published checkpoint.
    """
    box_channel = torch.arange(18.0)
    keypoint_channel = 1000 + torch.arange(153.0)
    with torch.no_grad():
        for level in range(2):
            head.multiply[level].fill_(1)
            head.box[level].weight.zero_()
            head.box[level].bias.copy_(box_channel)
            head.keypoint[level][-1].weight.zero_()
            head.keypoint[level][-1].bias.copy_(keypoint_channel)
        maps = head([torch.zeros(1, 8, 4, 6), torch.zeros(1, 16, 2, 3)])
    for raw in maps:
        cell = raw[0, :, 1, 1]  # [3 anchors, 57]
        assert cell[0].tolist() == [*range(18), *range(1000, 1039)]  # box and keypoints 0–3 from the box branch
        assert cell[1].tolist() == [*range(1039, 1096)]  # box, objectness and class too
        assert cell[2].tolist() == [*range(1096, 1153)]
        assert (raw == cell[:, None, None]).all()


def test_channels_last_changes_nothing(head: KeypointHead) -> None:
    features = [torch.randn(2, 8, 4, 6), torch.randn(2, 16, 2, 3)]
    with torch.inference_mode():
        plain = head(features)
        fast = head([f.contiguous(memory_format=torch.channels_last) for f in features])
    for a, b in zip(plain, fast, strict=True):
        assert_close(b, a)


def test_decoding_read_number_by_number(head: KeypointHead, maps: list[torch.Tensor]) -> None:
    def sigmoid(value: float) -> float:
        return 1 / (1 + math.exp(-value))

    expected = []
    for picture in range(2):
        rows = []
        for level, raw in enumerate(maps):
            stride = STRIDES[level]
            for anchor in range(3):
                for y in range(raw.shape[2]):
                    for x in range(raw.shape[3]):
                        z = raw[picture, anchor, y, x].tolist()
                        row = [
                            (2 * sigmoid(z[0]) - 0.5 + x) * stride,
                            (2 * sigmoid(z[1]) - 0.5 + y) * stride,
                            (2 * sigmoid(z[2])) ** 2 * ANCHORS[level][anchor][0],
                            (2 * sigmoid(z[3])) ** 2 * ANCHORS[level][anchor][1],
                            sigmoid(z[4]),
                            sigmoid(z[5]),
                        ]
                        for k in range(17):  # linear: keypoints may lie far outside the cell
                            row.append((2 * z[6 + 3 * k] - 0.5 + x) * stride)
                            row.append((2 * z[7 + 3 * k] - 0.5 + y) * stride)
                            row.append(sigmoid(z[8 + 3 * k]))
                        rows.append(row)
        expected.append(rows)
    assert_close(decode(maps, head.anchors, STRIDES), np.array(expected, np.float32))


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.4, 0.6, 1.0])
def test_decode_above_is_decode_with_rows_left_out(
    head: KeypointHead, maps: list[torch.Tensor], threshold: float
) -> None:
    everything = decode(maps, head.anchors, STRIDES)
    picture, rows = decode_above(maps, head.anchors, STRIDES, threshold)
    assert rows.shape == (len(picture), COLUMNS)
    for number in range(2):
        whole = everything[number]
        keep = (whole[:, 4] > threshold) & (whole[:, 4] * whole[:, 5] > threshold)
        torch.testing.assert_close(rows[picture == number], whole[keep], rtol=0, atol=0)
    assert (threshold < 1) == bool(len(rows))


def test_a_score_equal_to_the_threshold_is_left_out(head: KeypointHead) -> None:
    maps = [torch.zeros(1, 3, 1, 1, 57), torch.zeros(1, 3, 1, 1, 57)]  # objectness 0.5, score 0.25
    assert len(decode_above(maps, head.anchors, STRIDES, 0.25)[1]) == 0
    assert len(decode_above(maps, head.anchors, STRIDES, 0.2499)[1]) == 6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_maps_are_decoded_in_float32(
    head: KeypointHead, maps: list[torch.Tensor], dtype: torch.dtype
) -> None:
    """The reference writes keypoints back in half precision: 0.5 px steps from 512 px on. We do not."""
    low = [raw.to(dtype) for raw in maps]
    assert decode(low, head.anchors, STRIDES).dtype == torch.float32
    assert_close(decode(low, head.anchors, STRIDES), decode([raw.float() for raw in low], head.anchors, STRIDES))


def test_raw_maps_are_not_overwritten(head: KeypointHead, maps: list[torch.Tensor]) -> None:
    """The reference decodes in place, so its validation loss sees decoded keypoints. We do not."""
    before = [raw.clone() for raw in maps]
    decode(maps, head.anchors, STRIDES)
    assert all(torch.equal(a, b) for a, b in zip(before, maps, strict=True))
