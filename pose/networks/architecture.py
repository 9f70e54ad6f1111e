"""`Architecture`: what must be known, besides the weights, to rebuild a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pose.errors import WeightsError

__all__ = ["KEYPOINT_BRANCHES", "NETWORKS", "Architecture"]

KEYPOINT_BRANCHES: Final = {"official": 6, "short": 3}
"""Name of a keypoint branch and how many depthwise convolutions it has."""

NETWORKS: Final = ("yolov7-tiny-pose", "yolov7-w6-pose")


@dataclass(frozen=True, slots=True)
class Architecture:
    """The facts that weights alone do not tell. Travels in the metadata of our safetensors files.

    Attributes:
        network: `yolov7-w6-pose` or `yolov7-tiny-pose`.
        keypoint_branch: `official` (six depthwise convolutions) or `short` (three).
        activation: of backbone and neck, `silu` or `leaky_relu_0.1`.
        keypoint_activation: of the keypoint branch.
        bn_eps: added to the variance in batch normalisation.
        width: width multiple; 1 for the published networks.

    Raises:
        WeightsError: a value that no network of ours has.
    """

    network: str
    keypoint_branch: str = "official"
    activation: str = "silu"
    keypoint_activation: str = "silu"
    bn_eps: float = 1e-3
    width: float = 1.0

    def __post_init__(self) -> None:
        activations = ("silu", "leaky_relu_0.1")
        for field, known in (
            ("network", NETWORKS),
            ("keypoint_branch", tuple(KEYPOINT_BRANCHES)),
            ("activation", activations),
            ("keypoint_activation", activations),
        ):
            value = getattr(self, field)
            if value not in known:
                raise WeightsError(f"{field} {value!r} is not one of ours: {', '.join(known)}.")
        # Sizes out of a file are memory to be taken: the published networks are 1 wide, tests go below.
        if not (0 < self.width <= 4 and 0 < self.bn_eps < 1):
            raise WeightsError(f"width {self.width:g} or bn_eps {self.bn_eps:g} is none that a network of ours has.")

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels per cell of every level of the head."""
        return (8, 16, 32, 64) if self.network == "yolov7-w6-pose" else (8, 16, 32)

    def to_metadata(self) -> dict[str, str]:
        """As text, for the header of a safetensors file."""
        return {
            "network": self.network,
            "keypoint_branch": self.keypoint_branch,
            "activation": self.activation,
            "keypoint_activation": self.keypoint_activation,
            "bn_eps": f"{self.bn_eps:g}",
            "width": f"{self.width:g}",
            "classes": "person",
            "keypoints": "coco17",
            "input": "rgb 0-1 letterbox 114",
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], file: str) -> Architecture:
        """Read back what `to_metadata` wrote.

        Raises:
            WeightsError: no network is named, or it sees other classes or keypoints than ours.
        """
        if "network" not in metadata:
            raise WeightsError(
                f"{file} does not say which network it is for. Convert it with `stance weights convert {file} "
                "--network NAME`."
            )
        for field, ours in (("classes", "person"), ("keypoints", "coco17")):
            if metadata.get(field, ours) != ours:
                raise WeightsError(f"{file} is for {field} {metadata[field]!r}; Stance needs {ours!r}.")
        try:
            bn_eps, width = float(metadata.get("bn_eps", 1e-3)), float(metadata.get("width", 1.0))
        except ValueError as error:
            raise WeightsError(f"{file} has a damaged header: {error}.") from error
        return cls(
            network=metadata["network"],
            keypoint_branch=metadata.get("keypoint_branch", "official"),
            activation=metadata.get("activation", "silu"),
            keypoint_activation=metadata.get("keypoint_activation", "silu"),
            bn_eps=bn_eps,
            width=width,
        )
