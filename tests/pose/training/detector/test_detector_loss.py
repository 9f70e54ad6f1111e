"""Each part of the loss where its value is known, where it must have no gradient, and under quarter turns."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from pose.networks.picodet import BINS, Level, candidates
from pose.training.detector.detector_loss import (
    DetectorLoss,
    DetectorLossSettings,
    distribution_focal_loss,
    generalised_iou,
    turned_levels,
)
from tests.pose.training.detector.conftest import answer

PERSON = (4.0, 4.0, 20.0, 20.0)
NOBODY = torch.zeros(1, 0, 4)


def learnable(found):
    parts = {
        name: getattr(found, name).detach().clone().requires_grad_() for name in ("classes", "quality", "distributions")
    }
    return found._replace(**parts)


def test_generalised_iou_of_known_boxes():
    unit = torch.tensor([[0.0, 0.0, 2.0, 2.0]]).expand(4, 4)
    other = torch.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0], [2.0, 0.0, 4.0, 2.0], [4.0, 0.0, 6.0, 2.0]])
    # the same; a third shared and nothing empty; side by side; apart, with a third of the box around both empty
    torch.testing.assert_close(generalised_iou(unit, other), torch.tensor([1.0, 1 / 3, 0.0, -1 / 3]))


def test_distances_between_two_bins_want_both():
    distances = torch.tensor([[2.25, 0.0, 7.0, 9.5]])
    logits = torch.randn(1, 4, BINS, generator=torch.Generator().manual_seed(0)).requires_grad_()
    distribution_focal_loss(logits, distances).sum().backward()
    wanted = torch.zeros(1, 4, BINS)
    wanted[0, 0, 2], wanted[0, 0, 3] = 0.75, 0.25
    wanted[0, 1, 0] = 1
    wanted[0, 2, 7] = wanted[0, 3, 7] = 1
    torch.testing.assert_close(logits.grad, logits.detach().softmax(-1) - wanted, atol=2e-3, rtol=0)


def test_a_distribution_that_is_right_has_the_least_loss():
    right = torch.full((1, 4, BINS), -30.0)
    right[..., 2], right[..., 3] = torch.log(torch.tensor(0.75)), torch.log(torch.tensor(0.25))
    entropy = -(0.75 * torch.log(torch.tensor(0.75)) + 0.25 * torch.log(torch.tensor(0.25)))
    loss = distribution_focal_loss(right, torch.full((1, 4), 2.25))
    torch.testing.assert_close(loss, entropy.expand(1, 4))


def test_ignored_regions_give_no_gradient():
    found = learnable(answer({40: (1.0, (4.0, 36.0, 12.0, 52.0)), 9: (1.0, PERSON)}))
    region = torch.tensor([[[0.0, 24.0, 64.0, 64.0]]])
    loss, _ = DetectorLoss()(found, torch.tensor([[PERSON]]), region)
    loss.backward()
    inside = (found.centres[:, 1] > 24)[None]
    for gradient in (found.classes.grad, found.quality.grad, found.distributions.grad.abs().sum((2, 3))):
        assert (gradient[inside] == 0).all()
    assert (found.classes.grad[~inside] != 0).any()
    found = learnable(found)
    DetectorLoss()(found, torch.tensor([[PERSON]]), NOBODY)[0].backward()
    assert found.classes.grad[0, 40] > 0  # without the region it is somebody who is not there


def test_the_score_rises_where_the_person_is_and_falls_elsewhere():
    found = learnable(answer({9: (0.0, PERSON), 30: (0.0, (44.0, 20.0, 60.0, 36.0))}))
    loss, parts = DetectorLoss()(found, torch.tensor([[PERSON]]), NOBODY)
    loss.backward()
    assert parts.shape == (5,)
    assert found.classes.grad[0, 9] < 0 < found.classes.grad[0, 30]
    assert found.quality.grad[0, 9] < 0
    assert parts[4] == 0  # no teacher
    assert parts[2] == pytest.approx(0, abs=0.3)


def test_a_picture_of_nobody_has_a_loss_of_the_score_alone():
    found = learnable(answer())
    loss, parts = DetectorLoss()(found, torch.zeros(1, 0, 4), NOBODY)
    loss.backward()
    assert parts[0] > 0
    assert (parts[1:] == 0).all()
    assert (found.distributions.grad == 0).all()


def test_a_teacher_is_followed_where_it_is_to_be_and_nobody_is_labelled():
    teacher = answer({30: (3.0, (44.0, 20.0, 60.0, 36.0))}, pictures=2)
    found = learnable(answer(pictures=2))
    region = torch.tensor([[[0.0, 0.0, 64.0, 64.0]]]).expand(2, 1, 4)  # labels say nothing
    taught = torch.tensor([True, False])
    loss, parts = DetectorLoss()(found, torch.zeros(2, 0, 4), region, teacher, taught)
    loss.backward()
    assert parts[4] > 0
    assert found.classes.grad[0, 30] < 0
    assert found.distributions.grad[0, 30].abs().sum() > 0
    assert (found.classes.grad[1] == 0).all()
    same = learnable(teacher)
    _, parts = DetectorLoss()(same, torch.zeros(2, 0, 4), region, teacher, taught)
    assert parts[4] == pytest.approx(0, abs=1e-5)


def test_weights_scale_the_parts():
    found = answer({9: (0.0, PERSON)})
    alone = DetectorLossSettings(score=0, quality=0, box=0, distances=0, teacher=0)
    for number, name in enumerate(DetectorLoss.PARTS):
        loss, parts = DetectorLoss(replace(alone, **{name: 3.0}))(found, torch.tensor([[PERSON]]), NOBODY)
        assert loss == pytest.approx(3 * float(parts[number]))


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_turned_levels_hold_the_turned_boxes(turn):
    """A quarter turn clockwise brings x, y to side − y, x; the network's answer must follow."""
    generator = torch.Generator().manual_seed(1)
    levels = [Level(*(torch.randn(2, c, n, n, generator=generator) for c in (1, 1, 32))) for n in (8, 4, 2, 1)]
    turned = candidates(turned_levels(levels, torch.tensor([turn, 0])))
    upright = candidates(levels)
    boxes = upright.boxes()[0]
    for _ in range(turn):
        x1, y1, x2, y2 = boxes.T
        boxes = torch.stack([64 - y2, x1, 64 - y1, x2], 1)
    order = torch.cdist(turned.boxes()[0], boxes).argmin(1)  # the same boxes, in other cells
    assert sorted(order.tolist()) == list(range(len(boxes)))
    torch.testing.assert_close(turned.boxes()[0], boxes[order], atol=1e-3, rtol=0)
    torch.testing.assert_close(turned.scores()[0], upright.scores()[0][order])
    torch.testing.assert_close(turned.boxes()[1], upright.boxes()[1])
    assert F.mse_loss(turned.classes[1], upright.classes[1]) == 0
