"""Packed crops of drawn people."""

from __future__ import annotations

from pathlib import Path

import pytest

from pose.training.keypoints.packed_crops import PackedCrops, pack_crops
from tests.pose.training.conftest import draw_people


@pytest.fixture
def packed(tmp_path: Path) -> PackedCrops:
    """Three pictures with four people."""
    return pack_crops(draw_people(tmp_path / "made", 3).pictures, tmp_path / "packed")
