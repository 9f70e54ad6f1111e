"""A part of a recording. Strategy: clips whose pictures carry their number; a start between keyframes; the times stay
those of the whole."""

import cv2
import numpy as np
import pytest

from stream.errors import SourceError
from stream.settings.model import SourceSettings
from stream.sources.file import FileSource
from stream.sources.moments import parse_moment
from stream.sources.opening import open_source


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("1:30", 90), ("1:02:03.5", 3723.5), (" 75:00 ", 4500), ("0:00.25", 0.25)],
)
def test_moments(text, seconds):
    assert parse_moment(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-3", "1:75", "1:60:00", "1:2:3:4", "1e3", "nan"])
def test_what_is_no_moment(text):
    with pytest.raises(ValueError, match=r"Write seconds \(90\) or minutes and seconds \(1:30\)"):
        parse_moment(text)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi", "gif"])
@pytest.mark.parametrize(("start", "end"), [(None, 1.0), (0.5, None), (0.52, 1.2), (0.04, 0.08)])
def test_a_part(tmp_path, worlds, suffix, start, end):
    plain = worlds.write_clip(tmp_path / "plain.mp4", [n / 25 for n in range(50)], bframes=2)
    clip = tmp_path / f"clip.{suffix}"
    worlds.ffmpeg("-i", plain, *([] if suffix == "gif" else ["-c:v", "mpeg4", "-g", "12"]), clip)
    with open_source(clip, SourceSettings(start_seconds=start, end_seconds=end)) as source:
        frames = list(source)
        assert source.status.reason == ""
        assert source.info.frame_count is None or source.info.frame_count == pytest.approx(len(frames), abs=1)
    expected = [n for n in range(50) if n / 25 >= (start or 0) and n / 25 < (end or 2)]
    assert [worlds.stamp_of(frame.bgr) for frame in frames] == expected
    np.testing.assert_allclose([frame.media_seconds for frame in frames], np.array(expected) / 25, atol=2e-3)


def test_no_such_part(tmp_path, worlds):
    clip = worlds.write_clip(tmp_path / "clip.mp4", [n / 25 for n in range(25)])
    with pytest.raises(SourceError, match=r"ends before the start, 3 s"):
        FileSource(clip, SourceSettings(start_seconds=3.0))
    with pytest.raises(SourceError, match=r"the start \(0.5 s\) is not before the end \(0.5 s\)"):
        FileSource(clip, SourceSettings(start_seconds=0.5, end_seconds=0.5))
    cv2.imwrite(str(tmp_path / "a.png"), worlds.stamped(1))
    for source, what in (("0", "is live"), (tmp_path / "a.png", "holds pictures, which have no time")):
        with pytest.raises(SourceError, match=f"{what}: only a recording has a start and an end"):
            open_source(source, SourceSettings(start_seconds=1.0))
