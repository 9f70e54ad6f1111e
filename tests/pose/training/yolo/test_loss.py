"""The loss: the reference's numbers where the reference is right, and small worlds where it is not."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pose.keypoints import KEYPOINT_COUNT
from pose.networks.yolov7_pose import TINY_ANCHORS
from pose.training.yolo.assignment import anchor_candidates
from pose.training.yolo.loss import LOSS_PARTS, LossSettings, PoseLoss, complete_iou
from pose.training.yolo.targets import Targets

STRIDES = (8, 16, 32)
HEAD = SimpleNamespace(
    anchors=torch.tensor(TINY_ANCHORS).float(),
    strides=STRIDES,
)
SIDE = 128


def targets_of(*people: tuple[float, float, float, float], visibility: float = 2.0, complete: bool = True) -> Targets:
    """People in one picture: centre x, y, width, height px; keypoints on a line through the box."""
    boxes = torch.tensor(people).reshape(-1, 4)
    along = torch.linspace(-0.4, 0.4, KEYPOINT_COUNT)[None, :, None]
    xy = boxes[:, None, :2] + along * boxes[:, None, 2:]
    keypoints = torch.cat([xy, torch.full((len(people), KEYPOINT_COUNT, 1), visibility)], 2)
    return Targets(torch.zeros(len(people), dtype=torch.int64), boxes, keypoints, torch.tensor([complete]))


def maps(seed: int = 0, pictures: int = 1) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(pictures, 3, SIDE // s, SIDE // s, 57, generator=generator).requires_grad_() for s in STRIDES]


def read_reference(parity, name):
    z = np.load(parity / f"units_loss_{name}.npz")
    strides = [int(s) for s in z["stride"]]
    raw = [torch.tensor(z[f"p{level}"], requires_grad=True) for level in range(len(strides))]
    size = torch.tensor([raw[0].shape[3], raw[0].shape[2]]) * strides[0]
    rows = torch.tensor(z["targets"])
    points = rows[:, 6:].unflatten(1, (17, 2))
    keypoints = torch.cat([points * size, (points[..., :1] != 0).float()], 2)
    targets = Targets(
        rows[:, 0].long(), rows[:, 2:6] * torch.cat([size, size]), keypoints, torch.ones(3, dtype=torch.bool)
    )
    head = SimpleNamespace(
        anchors=torch.tensor(z["anchors_grid_units"]) * torch.tensor(strides)[:, None, None], strides=strides
    )
    return z, raw, targets, head


@pytest.mark.parametrize(("name", "size"), [("tiny", 640), ("w6", 960)])
def test_agrees_with_the_reference(parity, name, size):
    z, raw, targets, head = read_reference(parity, name)
    settings = LossSettings.published(len(raw), size)
    hyp = json.loads(str(z["hyp"]))
    assert (settings.box, settings.objectness, settings.keypoint, settings.visibility) == pytest.approx(
        (hyp["box"], hyp["obj"], hyp["kpt"], hyp["cls"])
    )
    total, parts = PoseLoss(head, settings)(raw, targets)
    (total * 3).backward()  # the reference multiplies by the pictures of the batch
    weighted = [float(parts[LOSS_PARTS.index(part)]) * getattr(settings, part) for part in LOSS_PARTS]
    box, objectness, _, keypoint, visibility, _ = z["items_box_obj_cls_kpt_kptv_total"]
    # In one cell of the tiny arrays two people meet; the reference takes the last of them, we the better: 3e-4.
    np.testing.assert_allclose(weighted[1], objectness, rtol=4e-4 if name == "tiny" else 1e-6)
    np.testing.assert_allclose([weighted[0], *weighted[3:]], [box, keypoint, visibility], rtol=1e-5)
    for level, z_level in enumerate(raw):
        expected = z[f"grad{level}"].copy()
        actual = z_level.grad.numpy()
        if name == "tiny" and level == 2:
            differs = np.abs(actual - expected) > 1e-6
            assert differs.sum() == 1  # the objectness of that cell
            assert differs[..., 4].sum() == 1
            expected[differs] = actual[differs]
        np.testing.assert_allclose(actual, expected, atol=2e-8, rtol=1e-4)


@pytest.mark.parametrize("name", ["tiny", "w6"])
def test_the_same_cells_answer_as_in_the_reference(parity, name):
    z, raw, targets, head = read_reference(parity, name)
    for level, z_level in enumerate(raw):
        found = anchor_candidates(targets, head.anchors[level], head.strides[level], *z_level.shape[2:4])
        ours = torch.stack([targets.picture[found.person], found.anchor, found.cell[:, 1], found.cell[:, 0]])
        assert sorted(map(tuple, ours.T.tolist())) == sorted(map(tuple, z[f"idx{level}_b_a_gj_gi"].T.tolist()))


def test_complete_iou_agrees_with_the_reference(parity):
    z = np.load(parity / "units_ciou.npz")
    actual = complete_iou(torch.tensor(z["a_xywh"]), torch.tensor(z["b_xywh"]))
    np.testing.assert_allclose(actual.numpy(), z["ciou"], atol=1e-5)


def test_a_perfect_prediction_costs_nothing_but_objectness():
    """Maps that decode to exactly the person: overlap 1, every keypoint in place."""
    person = (40.0, 72.0, 24.0, 48.0)
    targets = targets_of(person)
    perfect = [z.detach() for z in maps()]
    for level, stride in enumerate(STRIDES):
        found = anchor_candidates(targets, HEAD.anchors[level], stride, SIDE // stride, SIDE // stride)
        for anchor, (x, y) in zip(found.anchor.tolist(), found.cell.tolist(), strict=True):
            row = perfect[level][0, anchor, y, x]
            centre = torch.tensor(person[:2]) / stride
            squashed = torch.cat([
                (centre - torch.tensor([x, y]) + 0.5) / 2,
                (torch.tensor(person[2:]) / HEAD.anchors[level][anchor]).sqrt() / 2,
            ])  # fmt: skip
            row[:4] = torch.logit(squashed.clamp(1e-6, 1 - 1e-6))
            points = row[6:].unflatten(0, (17, 3))
            points[:, :2] = (targets.keypoints[0, :, :2] / stride - torch.tensor([x, y]) + 0.5) / 2
            points[:, 2] = 20.0
            row[5] = 20.0
    _, parts = PoseLoss(HEAD)(perfect, targets)
    named = dict(zip(LOSS_PARTS, parts.tolist(), strict=True))
    for part in ("box", "quality", "keypoint", "visibility"):
        assert named[part] < 1e-3, part


@pytest.mark.parametrize("assigner", ["anchor", "transport"])
@pytest.mark.parametrize("visibility", [0.0, -1.0])
def test_people_without_labelled_keypoints_give_a_number(assigner, visibility):
    """The reference gives NaN here: infinity times zero."""
    raw = maps()
    total, parts = PoseLoss(HEAD, LossSettings(assigner=assigner))(
        raw, targets_of((64, 64, 40, 80), visibility=visibility)
    )
    total.backward()
    named = dict(zip(LOSS_PARTS, parts.tolist(), strict=True))
    assert torch.isfinite(total)
    assert all(torch.isfinite(z.grad).all() for z in raw)
    assert named["keypoint"] == named["quality"] == 0
    assert named["box"] > 0
    assert (named["visibility"] > 0) == (visibility == 0)


@pytest.mark.parametrize("assigner", ["anchor", "transport"])
def test_no_people_leave_only_objectness(assigner):
    raw = maps()
    total, parts = PoseLoss(HEAD, LossSettings(assigner=assigner))(raw, targets_of())
    total.backward()
    assert parts[LOSS_PARTS.index("objectness")] > 0
    assert parts.sum() == parts[LOSS_PARTS.index("objectness")]
    assert all((z.grad[..., :4] == 0).all() and (z.grad[..., 5:] == 0).all() for z in raw)


def test_an_unknown_keypoint_pulls_at_nothing():
    targets = targets_of((64, 64, 40, 80))
    targets.keypoints[0, 9, 2] = -1
    raw = maps()
    PoseLoss(HEAD)(raw, targets)[0].backward()
    column = 6 + 3 * 9
    assert all((z.grad[..., column : column + 3] == 0).all() for z in raw)
    assert any((z.grad[..., column + 3 : column + 6] != 0).any() for z in raw)


def test_keypoints_far_off_keep_a_slope():
    """Where exp(−e) has none any more."""
    targets = targets_of((64, 64, 40, 80))
    slopes = []
    for far in (0.0, 0.05):
        raw = [torch.full_like(z, 50.0).requires_grad_() for z in maps()]  # keypoints 100 cells away
        PoseLoss(HEAD, LossSettings(far=far, visibility=0.0))(raw, targets)[0].backward()
        slopes.append(max(float(z.grad[..., 6::3].abs().max()) for z in raw))
    assert slopes[0] < 1e-12 < slopes[1]


def test_the_class_column_learns_how_good_the_keypoints_are():
    targets = targets_of((64, 64, 40, 80))
    loss = PoseLoss(HEAD, LossSettings(box=0, objectness=0, keypoint=0, visibility=0))
    raw = [z.detach() for z in maps(3)]
    column = [z[..., 5:6].clone().requires_grad_() for z in raw]
    optimiser = torch.optim.Adam(column, lr=0.1)
    for _ in range(400):
        joined = [torch.cat([z[..., :5], c, z[..., 6:]], -1) for z, c in zip(raw, column, strict=True)]
        optimiser.zero_grad()
        loss(joined, targets)[0].backward()
        optimiser.step()
    for level, stride in enumerate(STRIDES):
        found = anchor_candidates(targets, HEAD.anchors[level], stride, SIDE // stride, SIDE // stride)
        for anchor, (x, y) in zip(found.anchor.tolist(), found.cell.tolist(), strict=True):
            points = raw[level][0, anchor, y, x, 6:].unflatten(0, (17, 3))
            xy = (points[:, :2] * 2 - 0.5 + torch.tensor([x, y])) * stride
            squared = (xy - targets.keypoints[0, :, :2]).square().sum(1)
            sigma = torch.tensor([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
            similarity = torch.exp(-squared / (4 * sigma**2 * 40 * 80)).mean()
            learnt = float(column[level][0, anchor, y, x, 0].detach().sigmoid())
            assert learnt == pytest.approx(float(similarity), abs=0.02)


def test_where_labels_are_incomplete_other_people_are_not_held_against_the_network():
    """A confident prediction away from the labelled person: background in one picture, somebody in the other."""
    slopes = {}
    for complete in (True, False):
        raw = [torch.full_like(z, -4.0) for z in maps()]
        raw[1][0, 1, 1, 1, 4] = 3.0  # a confident find, 16–32 px from the corner
        raw = [z.requires_grad_() for z in raw]
        PoseLoss(HEAD)(raw, targets_of((100, 100, 30, 50), complete=complete))[0].backward()
        slopes[complete] = float(raw[1].grad[0, 1, 1, 1, 4])
        assert raw[1].grad[0, 0, 5, 0, 4] > 0  # elsewhere background is background
    assert slopes[True] > 0
    assert slopes[False] == 0


def test_transport_keeps_the_best_candidates_only():
    targets = targets_of((64, 64, 40, 80), (20, 20, 20, 30))
    raw = maps(5)
    _, anchor = PoseLoss(HEAD, LossSettings(assigner="anchor"))(raw, targets)
    _, transport = PoseLoss(HEAD, LossSettings(assigner="transport"))(raw, targets)
    box = LOSS_PARTS.index("box")
    assert 0 < transport[box] < anchor[box]
