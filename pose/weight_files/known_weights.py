"""The weights Stance knows of: where each file comes from, under which licence, and how to tell it is the one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["KNOWN_WEIGHTS", "KnownWeights"]

SHIPPED: Final = {
    "picodet-s": ("5f407ceaac354aaf2e2836de68abb9a64033b711121f554df5381c4c0d5bdcb4", 2_311_648),
    "tinypose": ("8ad5bfa62c140598e610def3b2568aee3daa1314a9b10a69712cba1f17649c06", 2_658_586),
    "tinypose-small": ("30b1a49814f0d1eece405a873c92cfe4e962c74088f84c153572bf04ec1eee75", 2_658_578),
}
"""SHA-256 and bytes of the weights that ship. New weights: write theirs here and into `weights/README.md`; a test holds
both to the files."""


@dataclass(frozen=True, slots=True)
class KnownWeights:
    """One network's weights.

    Attributes:
        network: name of the network.
        file: name the file has in the weights folder.
        source: who made them.
        licence: under which they are given.
        address: where the file is fetched from; None for weights that ship with Stance.
        digests: SHA-256 in hexadecimal of every file known to be good, and what is known about it.
        bytes: how large those files are.
    """

    network: str
    file: str
    source: str
    licence: str
    address: str | None
    digests: Mapping[str, str]
    bytes: tuple[int, ...]


def _shipped(network: str) -> KnownWeights:
    digest, size = SHIPPED[network]
    return KnownWeights(
        network=network,
        file=f"{network}.safetensors",
        source="trained for Stance from PaddleDetection's weights, ships with it",
        licence="Apache-2.0 (origin and training data: see weights/README.md)",
        address=None,
        digests={digest: "the weights that ship"},
        bytes=(size,),
    )


KNOWN_WEIGHTS: Final = {
    "picodet-s": _shipped("picodet-s"),
    "tinypose": _shipped("tinypose"),
    "tinypose-small": _shipped("tinypose-small"),
    "yolov7-w6-pose": KnownWeights(
        network="yolov7-w6-pose",
        file="yolov7-w6-pose.pt",
        source="WongKinYiu/yolov7, release v0.1",
        licence="GPL-3.0",
        address="https://github.com/WongKinYiu/yolov7/releases/download/v0.1/yolov7-w6-pose.pt",
        # The release names no digest. Both were read off public copies; which is the release is likely, not proven.
        digests={
            "8394a97f5a5283269028738e80006f3e9835088f00d293108bdee3320f2b0f8d": "very probably the release itself",
            "b8c6cc021ed494799007195b72eec645183e5dcfb0d763ca6fbdfab0d68ed215": "a later copy, saved again",
        },
        bytes=(161_114_789, 161_137_109),
    ),
}
