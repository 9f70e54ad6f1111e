"""Crops are packed once, and again when the pictures or the labels have changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pose.errors import PictureError
from pose.training.keypoints import crop_cache
from pose.training.keypoints.crop_cache import KEY, data_key, packed_once
from tests.pose.training.conftest import draw_people


@pytest.fixture
def times_packed(monkeypatch) -> list[int]:
    """How many pictures were packed, for each time."""
    times: list[int] = []
    pack = crop_cache.pack_crops

    def counting(pictures, folder):
        times.append(len(pictures))
        return pack(pictures, folder)

    monkeypatch.setattr(crop_cache, "pack_crops", counting)
    return times


def test_the_same_data_is_packed_once(tmp_path, times_packed):
    pictures = draw_people(tmp_path / "made", 2).pictures
    first = packed_once(pictures, tmp_path / "crops")
    again = packed_once(pictures, tmp_path / "crops")
    assert times_packed == [2]
    np.testing.assert_array_equal(first.keypoints, again.keypoints)
    np.testing.assert_array_equal(first.pixels, again.pixels)


def test_other_labels_fewer_pictures_and_a_new_file_are_packed_anew(tmp_path, times_packed):
    pictures = draw_people(tmp_path / "made", 2).pictures
    packed_once(pictures, tmp_path / "crops")
    keypoints = pictures[0].keypoints.copy()
    keypoints[0, 3, 2] = -1
    changed = (replace(pictures[0], keypoints=keypoints), pictures[1])
    assert (packed_once(changed, tmp_path / "crops").keypoints[0, 3, 2]) == -1
    assert len(packed_once(changed[:1], tmp_path / "crops")) == 1
    changed[0].path.write_bytes(changed[0].path.read_bytes() + b"more")
    packed_once(changed[:1], tmp_path / "crops")
    assert times_packed == [2, 2, 1, 1]


def test_crops_of_a_packing_that_was_stopped_are_not_taken(tmp_path, times_packed, monkeypatch):
    pictures = draw_people(tmp_path / "made", 2).pictures
    packed_once(pictures, tmp_path / "crops")
    pack = crop_cache.pack_crops

    def interrupted(pictures, folder):
        pack(pictures, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(crop_cache, "pack_crops", interrupted)
    with pytest.raises(KeyboardInterrupt):
        packed_once(pictures[:1], tmp_path / "crops")
    assert not (tmp_path / "crops" / KEY).exists()


def test_a_picture_that_is_gone_is_named(tmp_path):
    pictures = draw_people(tmp_path / "made", 1).pictures
    pictures[0].path.unlink()
    with pytest.raises(PictureError, match="made_000"):
        data_key(pictures)
