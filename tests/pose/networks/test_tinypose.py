"""The keypoint network without its weights: shapes, the structure of its sums."""

from __future__ import annotations

import pytest
import torch

from pose.networks.tinypose import Exchange, TinyPose, interleaved

SMALL = TinyPose(channels=(4, 8, 12), modules=(1, 1))


def test_the_published_size() -> None:
    network = TinyPose()
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_300_177
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 256, 192)).shape == (2, 17, 64, 48)


def test_a_small_network_of_another_input_size() -> None:
    with torch.inference_mode():
        assert SMALL(torch.zeros(1, 3, 128, 96)).shape == (1, 17, 32, 24)


def test_people_of_a_batch_do_not_see_each_other() -> None:
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together, alone = SMALL(x), torch.cat([SMALL(one[None]) for one in x])
    torch.testing.assert_close(together, alone)


def test_every_weight_takes_part() -> None:
    network = TinyPose(channels=(4, 8, 12), modules=(1, 2))
    network(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))).square().sum().backward()
    unused = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert unused == []


def test_shuffled_channels_come_in_turn() -> None:
    first, second = torch.arange(3.0), torch.arange(10.0, 13.0)
    shuffled = interleaved(first.reshape(1, 3, 1, 1), second.reshape(1, 3, 1, 1))
    assert shuffled.flatten().tolist() == [0, 10, 1, 11, 2, 12]


def test_first_terms_count_twice_and_the_highest_sum_goes_down() -> None:
    exchange = Exchange((2, 2))
    for parameter in exchange.parameters():
        torch.nn.init.zeros_(parameter)
    up, down = exchange.paths[0][1][0], exchange.paths[1][0][0]
    torch.nn.init.dirac_(up.weight)  # the low branch as it is
    down.depthwise.weight.data[:, :, 1, 1] = 1.0  # the high branch, every second cell
    torch.nn.init.dirac_(down.pointwise.weight)
    # A unit with zero weights passes its first half and zeroes the second, in channels taken in turn.
    high, low = torch.full((1, 2, 4, 4), 3.0), torch.full((1, 2, 2, 2), -10.0)
    above, below = exchange([high, low])
    assert above[0, :, 0, 0].tolist() == [0.0, 0.0]  # 2 * 3 - 10 = -4, cut off by the ReLU
    assert below[0, :, 0, 0].tolist() == [0.0, 0.0]  # 2 * -4 - 10
    above, below = exchange([high, -low])
    assert above[0, :, 0, 0].tolist() == [16.0, 0.0]  # 2 * 3 + 10
    assert below[0, :, 0, 0].tolist() == [42.0, 0.0]  # 2 * 16 + 10
    above, below = exchange([high, torch.full((1, 2, 2, 2), -2.0)])
    assert above[0, 0, 0, 0] == 4.0  # 2 * 3 - 2
    assert below[0, 0, 0, 0] == 6.0  # 2 * 4 - 2


def test_stages_and_branches_must_fit() -> None:
    with pytest.raises(ValueError, match="3 branches need 2 stages, not 3"):
        TinyPose(channels=(4, 8, 12))
