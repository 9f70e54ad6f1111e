"""`AverageWeights`: a slow average of the weights in training; it finds people better than the weights themselves."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["AverageWeights"]


class AverageWeights:
    """Exponential moving average of a network's parameters and batch-norm statistics.

    The decay rises with the number of updates, so that the first, random weights are soon forgotten.

    Args:
        model: whose weights are averaged.
        decay: in the long run.
        updates: how many updates the weights count for already: above 0 for a network that is trained on.
    """

    def __init__(self, model: nn.Module, decay: float, updates: int = 0):
        self.decay = decay
        self.updates = updates
        self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take the weights after one more step into the average."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        ours, theirs = [], []
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                ours.append(self.state[name])
                theirs.append(value)
            else:
                self.state[name].copy_(value)
        torch._foreach_lerp_(ours, theirs, 1 - decay)

    def load(self, state: Mapping[str, Tensor], updates: int) -> None:
        """Go on from a saved average."""
        for name, value in self.state.items():
            value.copy_(state[name])
        self.updates = updates
