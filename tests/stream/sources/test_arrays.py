"""Arrays and generators of arrays as sources: how they come says what they are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest

from index import PostureIndex
from pose import Poses
from pose.network_descriptions import describe_network
from stream import Scene, scenes
from stream.errors import SourceError
from stream.sources.arrays import ArraySource
from stream.sources.status import SourceState

PICTURE = np.zeros((48, 64, 3), np.uint8)


class Nobody:
    """An estimator that finds nobody."""

    person_threshold, high_score_threshold, top_down, concurrency, parts = 0.1, 0.3, None, 1, ()
    description = describe_network("yolov7-w6-pose")

    def find(self, bgr):
        assert bgr.flags["C_CONTIGUOUS"]
        return Poses.empty()
        yield


def seen(given: object) -> list[Scene]:
    return list(scenes(given, Nobody(), PostureIndex("nose25")))


def numbered(count: int) -> list[np.ndarray]:
    return [np.full_like(PICTURE, number) for number in range(count)]


def test_one_array_is_a_picture() -> None:
    (scene,) = seen(PICTURE)
    assert np.array_equal(scene.frame.bgr, PICTURE)
    assert ArraySource(PICTURE).still


@pytest.mark.parametrize("pictures", [numbered(3), tuple(numbered(3)), np.stack(numbered(3))], ids=type)
def test_several_at_once_are_pictures_that_stand_for_themselves(pictures: object) -> None:
    source = ArraySource(pictures)
    assert (source.still, source.info.width, source.info.height, source.info.frame_count) == (True, 64, 48, 3)
    found = seen(pictures)
    assert [scene.frame.bgr[0, 0, 0] for scene in found] == [0, 1, 2]
    assert [scene.frame.number for scene in found] == [0, 1, 2]


def test_with_a_rate_they_are_a_video() -> None:
    source = ArraySource(np.stack(numbered(5)), frames_per_second=10)
    assert (source.still, source.info.duration_seconds) == (False, 0.5)
    assert [scene.frame.media_seconds for scene in seen(source)] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_a_generator_is_a_video_in_its_own_time() -> None:
    def camera() -> Iterator[np.ndarray]:
        for picture in numbered(3):
            time.sleep(0.02)
            yield picture

    found = seen(camera())
    assert [scene.frame.bgr[0, 0, 0] for scene in found] == [0, 1, 2]
    steps = np.diff([scene.frame.media_seconds for scene in found])
    assert (steps > 0.015).all()


def test_a_generator_may_say_the_times() -> None:
    found = seen((picture, 60 + number / 5) for number, picture in enumerate(numbered(3)))
    assert [scene.frame.media_seconds for scene in found] == pytest.approx([60, 60.2, 60.4])


def test_beside_other_sources_each_has_its_name(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "one.png"), PICTURE)
    found = seen([iter(numbered(2)), tmp_path / "one.png", iter(numbered(1))])
    names = sorted(scene.frame.source for scene in found)
    assert names == sorted(["arrays", "arrays", str(tmp_path / "one.png"), "arrays 3"])


def test_a_reversed_channel_order_is_taken() -> None:
    """`rgb[..., ::-1]` is what everybody writes, and OpenCV does not take it as it is."""
    (scene,) = seen(iter([PICTURE[..., ::-1]]))
    assert scene.frame.bgr.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (np.zeros((4, 4), np.uint8), r"arrays: picture 1 is uint8 \[4, 4\]. Give uint8 arrays \[height, width, 3\]"),
        (np.zeros((4, 4, 3)), r"float64 \[4, 4, 3\]"),
        ("clip.mp4", "picture 1 is str"),
    ],
)
def test_what_is_no_picture_is_said(item: object, told: str) -> None:
    found = scenes(iter([PICTURE, item]), Nobody(), PostureIndex("nose25"))
    assert next(found).frame.number == 0
    with pytest.raises(SourceError, match=told):
        next(found)


def test_what_is_no_source_is_said() -> None:
    with pytest.raises(SourceError, match="NoneType is no source"):
        seen(None)
    with pytest.raises(SourceError, match="there is no picture"):
        ArraySource([])
    with pytest.raises(ValueError, match="frames_per_second is 0"):
        ArraySource(PICTURE, frames_per_second=0)


def test_an_error_of_the_generator_rises_where_the_scenes_are_taken() -> None:
    def broken() -> Iterator[np.ndarray]:
        yield PICTURE
        raise ZeroDivisionError("my own")

    with pytest.raises(ZeroDivisionError, match="my own"):
        seen(broken())


def test_closing_ends_it() -> None:
    source = ArraySource(repeat(PICTURE))
    frames = iter(source)
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []
    assert source.status.state is SourceState.ENDED
