"""What the network sees: people, their 17 keypoints, and the numbers that stand for their posture.

`import pose` is quick; PyTorch arrives with the first `PoseEstimator`.
"""

from typing import TYPE_CHECKING, Any

from pose.embeddings.registry import EMBEDDINGS, Embedding, get_embedding, nose25
from pose.errors import (
    DeviceError,
    EvaluatorMissing,
    FetchError,
    LabelsError,
    LabelsMissing,
    PictureError,
    PoseError,
    StanceError,
    WeightsError,
    WeightsMissing,
)
from pose.keypoints import FLIP, KEYPOINT_COUNT, LIMBS, SIGMAS, Keypoint
from pose.poses import Poses
from pose.reason import Reason

if TYPE_CHECKING:
    from pose.estimator import PoseEstimator

__all__ = [
    "EMBEDDINGS",
    "FLIP",
    "KEYPOINT_COUNT",
    "LIMBS",
    "SIGMAS",
    "DeviceError",
    "Embedding",
    "EvaluatorMissing",
    "FetchError",
    "Keypoint",
    "LabelsError",
    "LabelsMissing",
    "PictureError",
    "PoseError",
    "PoseEstimator",
    "Poses",
    "Reason",
    "StanceError",
    "WeightsError",
    "WeightsMissing",
    "get_embedding",
    "nose25",
]


def __getattr__(name: str) -> Any:
    if name == "PoseEstimator":
        from pose.estimator import PoseEstimator

        return PoseEstimator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
