"""Turning, cropping and thinning. Strategy: one picture with four known corners is turned every way; rates are counted
on recordings of known times; every kind of source goes through `open_source`."""

import cv2
import numpy as np
import pytest

from stream.settings.model import SourceSettings
from stream.sources.base import Source
from stream.sources.opening import open_source
from stream.sources.status import SourceState
from stream.sources.transformed import PreparedSource


@pytest.fixture
def corners(tmp_path):
    """A picture of 40×20 pixels whose quarters are 10 and 20 above 30 and 40."""
    bgr = np.zeros((20, 40, 3), np.uint8)
    bgr[:10, :20], bgr[:10, 20:], bgr[10:, :20], bgr[10:, 20:] = 10, 20, 30, 40
    path = tmp_path / "corners.png"
    cv2.imwrite(str(path), bgr)
    return path


def quarters(bgr):
    height, width = bgr.shape[:2]
    return [int(bgr[row, column, 0]) for row in (0, height - 1) for column in (0, width - 1)]


def test_nothing_wanted_nothing_wrapped(corners):
    with open_source(corners, SourceSettings()) as source:
        assert not isinstance(source, PreparedSource)


@pytest.mark.parametrize(
    ("degrees", "expected"), [(90, [30, 10, 40, 20]), (180, [40, 30, 20, 10]), (270, [20, 40, 10, 30])]
)
def test_turns_clockwise(corners, degrees, expected):
    with open_source(corners, SourceSettings(rotation=degrees), name="door") as source:
        assert isinstance(source, Source)
        assert (source.name, source.path, source.still, source.live) == ("door", corners, True, False)
        (frame,) = source
        assert source.status.state is SourceState.ENDED
    assert quarters(frame.bgr) == expected
    height, width = frame.bgr.shape[:2]
    assert (width, height) == (source.info.width, source.info.height) == ((40, 20) if degrees == 180 else (20, 40))


def test_the_region_is_of_the_turned_picture(corners):
    settings = SourceSettings(rotation=90, region=(0.5, 0.0, 1.0, 0.5))
    with open_source(corners, settings) as source:
        (frame,) = source
        assert (source.info.width, source.info.height) == (10, 20)
    assert frame.bgr.shape == (20, 10, 3)
    assert frame.bgr.flags.c_contiguous
    assert np.unique(frame.bgr).tolist() == [10]  # the upper right quarter after a quarter turn


def test_a_sliver_has_at_least_a_pixel(corners):
    with open_source(corners, SourceSettings(region=(0.999, 0.999, 1.0, 1.0))) as source:
        (frame,) = source
        assert frame.bgr.shape == (source.info.height, source.info.width, 3) == (1, 1, 3)


@pytest.mark.parametrize(("rate", "most", "expected"), [(30, 20, 20), (30, 10, 10), (25, 12.5, 12.5), (30, 60, 30)])
def test_thins_to_the_rate_in_an_even_rhythm(tmp_path, worlds, rate, most, expected):
    clip = worlds.write_clip(tmp_path / "clip.mp4", [n / rate for n in range(4 * rate)])
    with open_source(clip, SourceSettings(max_fps=most)) as source:
        frames = list(source)
        assert source.info.frames_per_second == pytest.approx(expected)
        assert source.info.frame_count == pytest.approx(len(frames), abs=1)
        assert source.info.duration_seconds == pytest.approx(4, abs=0.1)
        assert source.capped == 4 * rate - len(frames)
    assert len(frames) == pytest.approx(4 * expected, abs=1)
    gaps = np.diff([frame.seconds for frame in frames])
    assert gaps.max() < 2 / rate + 1 / expected
    assert [worlds.stamp_of(frame.bgr) for frame in frames] == [frame.number for frame in frames]


def test_after_a_gap_no_burst_makes_up_for_it(tmp_path, worlds):
    clip = worlds.write_clip(tmp_path / "clip.mp4", [0.0, 0.1, 5.0, 5.05, 5.1, 5.15, 5.2])
    with open_source(clip, SourceSettings(max_fps=10)) as source:
        assert [round(frame.seconds, 2) for frame in source] == [0.0, 0.1, 5.0, 5.1, 5.2]


def test_a_frame_a_little_early_is_in_time(tmp_path, worlds):
    """Cameras' clocks shake: at 10 frames a second a frame that is 8 ms early is the one that was waited for."""
    times = [0.0, 0.092, 0.192, 0.285, 0.32, 0.4]
    clip = worlds.write_clip(tmp_path / "clip.mp4", times)
    with open_source(clip, SourceSettings(max_fps=10)) as source:
        assert [round(frame.seconds, 3) for frame in source] == [0.0, 0.092, 0.192, 0.32, 0.4]


def test_independent_pictures_have_no_rate(tmp_path):
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))
    with open_source(tmp_path, SourceSettings(max_fps=1)) as source:
        assert len(list(source)) == source.info.frame_count == 5


def test_close_closes_the_source(tmp_path, worlds):
    clip = worlds.write_clip(tmp_path / "clip.mp4", [n / 30 for n in range(60)])
    with open_source(clip, SourceSettings(rotation=180)) as source:
        frames = iter(source)
        next(frames)
        source.close()
        assert list(frames) == []
