"""Steps that are shares of the weights."""

from __future__ import annotations

import torch
from torch import nn

from pose.training.relative_adamw import RelativeAdamW, sizes


def test_the_first_step_is_the_same_share_of_every_filter():
    filters = torch.randn(3, 4, 3, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [1e-3, 1.0, 50.0]
    ).reshape(-1, 1, 1, 1)
    weights, biases = nn.Parameter(filters.clone()), nn.Parameter(torch.tensor([0.02, -0.02]))
    optimiser = RelativeAdamW([weights, biases], lr=0.01, weight_decay=0.0)
    ((weights * torch.randn_like(weights)).sum() + biases.sum()).backward()
    optimiser.step()
    moved = (weights.detach() - filters).abs()
    # Adam's first step is the learning rate for every weight, whatever its gradient
    expected = 0.01 * sizes(filters).expand_as(filters)
    torch.testing.assert_close(moved, expected, rtol=1e-2, atol=1e-6 * 50)
    torch.testing.assert_close(biases.detach(), torch.tensor([0.02, -0.02]) - 0.01 * 0.02)


def test_filters_of_nothing_can_grow_and_biases_have_limits():
    filters = torch.ones(3, 2, 1, 1)
    filters[0] = 0
    assert sizes(filters).flatten().tolist() == torch.tensor([0.1, 1.0, 1.0]).tolist()
    assert sizes(torch.zeros(4)).tolist() == torch.tensor([1e-3]).tolist()
    assert sizes(torch.full((4,), 30.0)).tolist() == [1.0]


def test_learning_goes_on_from_a_saved_state():
    def trained(stop: bool) -> torch.Tensor:
        weights = nn.Parameter(torch.linspace(-1, 2, 12).reshape(3, 4))
        optimiser = RelativeAdamW([weights], lr=0.01)
        for step in range(6):
            if stop and step == 3:
                state, value = optimiser.state_dict(), weights.detach().clone()
                weights = nn.Parameter(value)
                optimiser = RelativeAdamW([weights], lr=0.01)
                optimiser.load_state_dict(state)
            optimiser.zero_grad()
            (weights - 3).square().sum().backward()
            optimiser.step()
        return weights.detach()

    assert torch.equal(trained(True), trained(False))
