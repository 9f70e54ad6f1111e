"""The 17 COCO keypoints: names, mirror partners, limbs, and how exactly people place them."""

from enum import IntEnum
from typing import Final

__all__ = ["FLIP", "KEYPOINT_COUNT", "LIMBS", "SIGMAS", "Keypoint"]


class Keypoint(IntEnum):
    """Position of a keypoint in the COCO order. Left and right are the person's own."""

    NOSE = 0
    LEFT_EYE = 1
    RIGHT_EYE = 2
    LEFT_EAR = 3
    RIGHT_EAR = 4
    LEFT_SHOULDER = 5
    RIGHT_SHOULDER = 6
    LEFT_ELBOW = 7
    RIGHT_ELBOW = 8
    LEFT_WRIST = 9
    RIGHT_WRIST = 10
    LEFT_HIP = 11
    RIGHT_HIP = 12
    LEFT_KNEE = 13
    RIGHT_KNEE = 14
    LEFT_ANKLE = 15
    RIGHT_ANKLE = 16


KEYPOINT_COUNT: Final = 17

FLIP: Final = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
"""`keypoints[FLIP]` of a mirrored picture are in COCO order again."""

_K = Keypoint
LIMBS: Final = (
    (_K.LEFT_ANKLE, _K.LEFT_KNEE),
    (_K.LEFT_KNEE, _K.LEFT_HIP),
    (_K.RIGHT_ANKLE, _K.RIGHT_KNEE),
    (_K.RIGHT_KNEE, _K.RIGHT_HIP),
    (_K.LEFT_HIP, _K.RIGHT_HIP),
    (_K.LEFT_SHOULDER, _K.LEFT_HIP),
    (_K.RIGHT_SHOULDER, _K.RIGHT_HIP),
    (_K.LEFT_SHOULDER, _K.RIGHT_SHOULDER),
    (_K.LEFT_SHOULDER, _K.LEFT_ELBOW),
    (_K.RIGHT_SHOULDER, _K.RIGHT_ELBOW),
    (_K.LEFT_ELBOW, _K.LEFT_WRIST),
    (_K.RIGHT_ELBOW, _K.RIGHT_WRIST),
    (_K.LEFT_EYE, _K.RIGHT_EYE),
    (_K.NOSE, _K.LEFT_EYE),
    (_K.NOSE, _K.RIGHT_EYE),
    (_K.LEFT_EYE, _K.LEFT_EAR),
    (_K.RIGHT_EYE, _K.RIGHT_EAR),
    (_K.LEFT_EAR, _K.LEFT_SHOULDER),
    (_K.RIGHT_EAR, _K.RIGHT_SHOULDER),
)
"""The 19 limbs COCO draws, as pairs of keypoints."""

SIGMAS: Final = (
    0.026,  # nose
    0.025, 0.025, 0.035, 0.035,  # eyes, ears
    0.079, 0.079, 0.072, 0.072, 0.062, 0.062,  # shoulders, elbows, wrists
    0.107, 0.107, 0.087, 0.087, 0.089, 0.089,  # hips, knees, ankles
)  # fmt: skip
"""Per-keypoint spread of human labels that object keypoint similarity (OKS) uses; COCO keypoint evaluation."""
