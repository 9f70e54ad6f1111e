"""Which weights files a pose network is made of."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pose.errors import WeightsError, WeightsMissing
from pose.network_descriptions import AUTO, NETWORKS, TOP_DOWN, NetworkDescription, describe_network
from pose.weight_files.digest import sha256
from pose.weight_files.header import network_of
from pose.weight_files.location import find_weights

__all__ = ["NetworkFiles", "find_network"]

log = logging.getLogger(__name__)

LARGE = "yolov7-w6-pose"


@dataclass(frozen=True)
class NetworkFiles:
    """A pose network and the files of its parts.

    Attributes:
        description: what is known of the network.
        files: of every part, those for video among them.
    """

    description: NetworkDescription
    files: dict[str, Path]

    @cached_property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """Name and SHA-256, in hexadecimal, of the files that keypoints of pictures come from."""
        return tuple((part, sha256(self.files[part])) for part in self.description.parts)


def find_network(wanted: str, given: Path | None = None, *, gpu: bool = False) -> NetworkFiles:
    """The network that is wanted, with its files.

    Args:
        wanted: its name; or `auto`: the large one where a GPU and its weights are, else the top-down one.
        given: a weights file, instead of the one that would be found for the network or part that it is of.
        gpu: whether it will run on one.

    Raises:
        WeightsMissing: a file is not there.
        WeightsError: the file given is of another network.
        ValueError: there is no such network.
    """
    if given is not None:
        part = network_of(given, None if wanted in (AUTO, TOP_DOWN) else wanted)
        by_part = {each: one for one in NETWORKS.values() for each in one.all_parts}
        if part not in by_part:
            raise WeightsError(f"{given} holds weights of {part}; known are {', '.join(by_part)}.")
        description = by_part[part]
        if wanted not in (AUTO, description.name):
            raise WeightsError(f"{given} holds weights of {part}, not of {wanted}.")
        return NetworkFiles(
            description, {each: given if each == part else find_weights(each) for each in description.all_parts}
        )
    if wanted == AUTO:
        wanted = TOP_DOWN
        if gpu:
            try:
                find_weights(LARGE)
                wanted = LARGE
            except WeightsMissing:
                log.info("There are no weights of %s here, so %s runs on the GPU too.", LARGE, TOP_DOWN)
    description = describe_network(wanted)
    return NetworkFiles(description, {part: find_weights(part) for part in description.all_parts})
