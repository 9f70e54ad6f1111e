"""`KeyTable`: how the arrays of a layer listing become the parameters of one of our networks.

Start weights come with a list of the operations of the network they were taken from, and have the numbers of that list
for names: a convolution of number n keeps its weight as "n.1", with three digits at least, and its bias, which the next
operation adds, as "n + 1.1".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["KeyTable"]


class KeyTable(NamedTuple):
    """Which operation of a listing is which convolution of ours.

    Attributes:
        convolutions: our block, and the numbers of its convolutions in the order in which the block names them.
        constants: numbers of the arrays that are no weights.
        factors: our convolution, and what its weight and bias are multiplied by.
    """

    convolutions: Mapping[str, tuple[int, ...]]
    constants: tuple[int, ...]
    factors: Mapping[str, float]
