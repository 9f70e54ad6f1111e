"""The networks that are known: complete, and in agreement with what runs and loads them."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest

from pose.network_descriptions import AUTO, NETWORKS, TOP_DOWN, describe_network
from pose.weight_files.known_weights import KNOWN_WEIGHTS


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_what_it_needs(name: str) -> None:
    network = describe_network(name)
    assert network.name == name != AUTO
    assert network.parts
    assert min(network.image_sizes) > 0
    thresholds = [field.name for field in fields(network) if field.name.endswith("threshold")]
    assert len(thresholds) == 5
    assert all(0 < getattr(network, threshold) < 1 for threshold in thresholds)
    assert network.person_threshold <= network.high_score_threshold
    assert network.judged_threshold <= network.person_threshold


def test_a_name_nobody_knows() -> None:
    with pytest.raises(ValueError, match="There is no network 'auto'; known are picodet-tinypose, "):
        describe_network(AUTO)


def test_no_part_is_of_two_networks() -> None:
    """So that a weights file says which network it is for."""
    parts = [part for network in NETWORKS.values() for part in network.all_parts]
    assert len(set(parts)) == len(parts)


def test_the_weights_of_what_auto_takes_are_known() -> None:
    assert {*NETWORKS[TOP_DOWN].all_parts, "yolov7-w6-pose"} <= {*KNOWN_WEIGHTS}
    assert {*KNOWN_WEIGHTS} <= {part for network in NETWORKS.values() for part in network.all_parts}


def test_parts_are_networks_that_can_be_loaded() -> None:
    from pose.networks.architecture import NETWORKS as ONE_SHOT
    from pose.weight_files.topdown_file import TOPDOWN_NETWORKS

    assert NETWORKS[TOP_DOWN].all_parts == (*TOPDOWN_NETWORKS,)
    assert {name for name in NETWORKS if name != TOP_DOWN} == {*ONE_SHOT}


def test_settings_offer_every_network() -> None:
    from stream.settings.model import PoseSettings

    assert set(get_args(PoseSettings.model_fields["network"].annotation)) == {AUTO, *NETWORKS}
