"""The settings: every one with its unit, its range and its default.

These classes are the truth; `config.yaml` at the top shows them all at their defaults, and a test keeps the two equal.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from index.classification import DECISION_RULE, DecisionRule

__all__ = [
    "IndexSettings",
    "KeypointFilterSettings",
    "NamedSource",
    "OutputSettings",
    "OverlaySettings",
    "PoseSettings",
    "Settings",
    "SmoothingSettings",
    "SourceSettings",
    "TrackingSettings",
]

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
PictureSize = Annotated[int, Field(ge=64, le=4096)]
Count = Annotated[int, Field(ge=1, le=100_000)]
FromList = Field(strict=False)  # YAML has lists only


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PoseSettings(_Section):
    """Finding people: the network, where it runs, and what counts as seen."""

    network: Literal["auto", "picodet-tinypose", "yolov7-w6-pose", "yolov7-tiny-pose"] = "auto"
    weights: str | None = None
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    runtime: Literal["auto", "openvino", "torch"] = "auto"
    image_size: PictureSize | Annotated[tuple[PictureSize, ...], FromList, Field(min_length=1, max_length=4)] | None = (
        None
    )
    batch_size: Annotated[int, Field(ge=1, le=256)] | None = None
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    detect_every_seconds: Annotated[float, Field(ge=0, le=60)] = 0.3
    turned_every_seconds: Annotated[float, Field(ge=0, le=60)] | None = 1.0
    calm_every_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    settled_every_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    max_people: Annotated[int, Field(ge=1, le=300)] = 20
    person_threshold: Share | None = None
    high_score_threshold: Share | None = None
    iou_threshold: Share | None = None
    keypoint_threshold: Share = 0.5
    min_keypoints: Annotated[int, Field(ge=1, le=17)] = 5
    min_person_px: Annotated[float, Field(ge=0, le=10_000)] = 24.0


class IndexSettings(_Section):
    """Naming postures: the database and the vote of its nearest entries."""

    path: str = "pose_index"
    embedding: Literal["gravity59", "nose25"] = "gravity59"
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    k: Annotated[int, Field(ge=1, le=1000)] = DECISION_RULE.k
    min_probability: Share = DECISION_RULE.min_probability
    min_margin: Share = DECISION_RULE.min_margin

    @property
    def rule(self) -> DecisionRule:
        """What a posture needs in order to be named."""
        return DecisionRule(self.k, self.min_probability, self.min_margin)


class SourceSettings(_Section):
    """Reading sources: what holds for all of them."""

    open_timeout_seconds: Seconds = 5.0
    read_timeout_seconds: Seconds = 5.0
    stall_seconds: Seconds = 2.0
    retry_max_seconds: Seconds = 15.0
    transport: Literal["tcp", "udp"] = "tcp"
    hardware_decoding: Literal["none", "auto"] = "none"
    max_fps: Annotated[float, Field(gt=0, le=1000)] | None = None
    start_seconds: Annotated[float, Field(ge=0, le=1e6)] | None = None
    end_seconds: Annotated[float, Field(gt=0, le=1e6)] | None = None
    rotation: Literal[0, 90, 180, 270] = 0
    region: Annotated[tuple[Share, Share, Share, Share], FromList] | None = None
    webcam_size: Annotated[tuple[Count, Count], FromList] | None = None
    webcam_fps: Annotated[float, Field(gt=0, le=1000)] | None = None
    webcam_format: Annotated[str, Field(pattern=r"^[A-Za-z0-9 ]{4}$")] | None = None

    @field_validator("region")
    @classmethod
    def _region_has_room(cls, region: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if region is not None and not (region[0] < region[2] and region[1] < region[3]):
            raise PydanticCustomError(
                "region", "it should be [left, top, right, bottom] with left < right, top < bottom"
            )
        return region


class NamedSource(SourceSettings):
    """One of several sources; what it does not say is as in `source`."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")] | None = None
    address: str | int
    index: str | None = None


class TrackingSettings(_Section):
    """Following people from frame to frame."""

    min_similarity: Share = 0.3
    confirm_seconds: Seconds = 0.2
    max_lost_seconds: Seconds = 2.0


class KeypointFilterSettings(_Section):
    """Steadying keypoints over time, before the posture is told from them."""

    enabled: bool = True
    min_cutoff_hz: Annotated[float, Field(gt=0, le=1000)] = 1.0
    beta: Annotated[float, Field(ge=0, le=1000)] = 0.7


class SmoothingSettings(_Section):
    """Steadying labels over time."""

    switch_seconds: Seconds = 0.6
    unknown_probability: Annotated[float, Field(ge=0.05, lt=1)] = 0.25
    grace_seconds: Seconds = 1.0
    lag_seconds: Seconds = 2.0
    gait: bool = True


class OverlaySettings(_Section):
    """What is drawn over the picture."""

    picture: bool = True
    boxes: bool = True
    skeletons: bool = True
    labels: bool = True


class OutputSettings(_Section):
    """Writing results."""

    video_crf: Annotated[int, Field(ge=0, le=51)] = 23
    sound: bool = True
    segment_minutes: Annotated[float, Field(gt=0, le=10_080)] | None = None
    segment_megabytes: Annotated[float, Field(ge=1, le=1_000_000)] | None = None


class Settings(_Section):
    """Everything that can be set."""

    pose: PoseSettings = PoseSettings()
    index: IndexSettings = IndexSettings()
    source: SourceSettings = SourceSettings()
    sources: Annotated[tuple[NamedSource, ...], FromList] = ()
    tracking: TrackingSettings = TrackingSettings()
    keypoint_filter: KeypointFilterSettings = KeypointFilterSettings()
    smoothing: SmoothingSettings = SmoothingSettings()
    overlay: OverlaySettings = OverlaySettings()
    output: OutputSettings = OutputSettings()
