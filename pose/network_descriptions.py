"""What is known of every pose network: how it works, and on which scale it scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["AUTO", "HIGH_SCORE_THRESHOLD", "NETWORKS", "TOP_DOWN", "NetworkDescription", "describe_network"]

AUTO: Final = "auto"
TOP_DOWN: Final = "picodet-tinypose"


@dataclass(frozen=True, slots=True)
class NetworkDescription:
    """A pose network, and the thresholds that belong to its scores.

    Attributes:
        name: what settings and databases call it.
        parts: the weights that it needs.
        video_parts: further ones that only video needs, whose examples no database holds.
        image_sizes: longest sides of its input in pixels, where settings name none: one on a CPU, one on a GPU.
        person_threshold: people below this score are left out, 0–1.
        apart_threshold: what must be left of somebody's score beside better ones in the same place, 0–1 (see
            `stream.people.similarity.scores_apart`); of a top-down network less than its detector's threshold, as the
            score is the detector's times the keypoints'.
        high_score_threshold: people from this score on are matched to tracks first, 0–1.
        iou_threshold: of two boxes that overlap more than this, the better one stays, 0–1.
        judged_threshold: the `person_threshold` that average precision is measured with: where people cost nothing,
            the whole curve of precision over recall is looked at.
    """

    name: str
    parts: tuple[str, ...]
    video_parts: tuple[str, ...]
    image_sizes: tuple[int, int]
    person_threshold: float
    apart_threshold: float
    high_score_threshold: float
    iou_threshold: float
    judged_threshold: float

    @property
    def all_parts(self) -> tuple[str, ...]:
        """The weights that pictures and video need together."""
        return self.parts + self.video_parts


HIGH_SCORE_THRESHOLD: Final = 0.3
"""Of every network so far, and of whoever follows people without one."""

_ONE_SHOT: Final = {
    "person_threshold": 0.1,
    "apart_threshold": 0.1,
    "high_score_threshold": HIGH_SCORE_THRESHOLD,
    "iou_threshold": 0.65,
    "judged_threshold": 0.005,
}

NETWORKS: Final = {
    TOP_DOWN: NetworkDescription(
        TOP_DOWN,
        ("picodet-s", "tinypose"),
        ("tinypose-small",),
        (320, 320),
        person_threshold=0.2,
        apart_threshold=0.15,
        high_score_threshold=HIGH_SCORE_THRESHOLD,
        iou_threshold=0.6,
        judged_threshold=0.2,
    ),
    "yolov7-w6-pose": NetworkDescription("yolov7-w6-pose", ("yolov7-w6-pose",), (), (416, 640), **_ONE_SHOT),
    "yolov7-tiny-pose": NetworkDescription("yolov7-tiny-pose", ("yolov7-tiny-pose",), (), (416, 416), **_ONE_SHOT),
}


def describe_network(name: str) -> NetworkDescription:
    """The network of that name.

    Raises:
        ValueError: there is none.
    """
    try:
        return NETWORKS[name]
    except KeyError:
        raise ValueError(f"There is no network {name!r}; known are {', '.join(NETWORKS)}.") from None
