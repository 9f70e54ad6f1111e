"""A recording gives every frame with its own time. Strategy: clips whose pictures carry their number, made with known
times (constant, varying, with B-frames, turned), then damaged in known ways; ffprobe judges the real clips."""

import itertools
import json
import logging
import shutil
import subprocess

import numpy as np
import pytest

from stream.errors import SourceError
from stream.settings.model import SourceSettings
from stream.sources.file import FileSource
from stream.sources.status import SourceState

VARYING = [0.0, 0.033, 0.1, 0.4, 0.433, 1.5, 1.533, 1.6, 2.0, 2.1]


def collect(source, frames):
    for frame in source:
        frames.append(frame)
    return frames


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("bframes", [0, 2])
@pytest.mark.parametrize("times", [[n / 30 for n in range(25)], VARYING], ids=["constant", "varying"])
def test_every_frame_at_its_time(tmp_path, worlds, suffix, bframes, times):
    clip = worlds.write_clip(tmp_path / f"clip.{suffix}", times, bframes=bframes)
    with FileSource(clip) as source:
        frames = list(source)
    assert [worlds.stamp_of(frame.bgr) for frame in frames] == list(range(len(times)))
    assert [frame.number for frame in frames] == list(range(len(times)))
    assert {frame.epoch for frame in frames} == {0}
    tolerance = 1e-4 if suffix == "mp4" else 1e-3  # Matroska counts milliseconds
    np.testing.assert_allclose([frame.media_seconds for frame in frames], times, atol=tolerance, rtol=0)


def test_frames_own_their_pixels(tmp_path, worlds):
    with FileSource(worlds.write_clip(tmp_path / "clip.mp4", [0.0, 0.1, 0.2])) as source:
        frames = list(source)
    for first, second in itertools.pairwise(frames):
        assert not np.shares_memory(first.bgr, second.bgr)
        assert not first.bgr.flags.writeable


def test_raw_h264_without_times_still_counts_up(tmp_path, worlds):
    clip = worlds.write_clip(tmp_path / "clip.h264", [n / 30 for n in range(12)])
    with FileSource(clip) as source:
        assert source.info.frame_count is None
        times = [frame.media_seconds for frame in source]
    np.testing.assert_allclose(times, np.arange(12) / 25, atol=1e-9)


def test_odd_size(tmp_path, worlds):
    with FileSource(worlds.write_clip(tmp_path / "clip.mp4", [0.0, 0.1], size=(161, 121))) as source:
        assert {frame.bgr.shape for frame in source} == {(121, 161, 3)}
        assert (source.info.width, source.info.height) == (161, 121)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied_as_ffmpeg_does(tmp_path, worlds, degrees):
    worlds.need("/usr/bin/ffmpeg", "ffmpeg")
    plain = worlds.write_clip(tmp_path / "plain.mp4", [0.0, 0.1])
    turned = tmp_path / "turned.mp4"
    ffmpeg = ["ffmpeg", "-v", "error"]
    subprocess.run([*ffmpeg, "-i", plain, "-c", "copy", "-metadata:s:v", f"rotate={degrees}", turned], check=True)
    raw = subprocess.run(
        [*ffmpeg, "-i", turned, "-f", "rawvideo", "-pix_fmt", "bgr24", "-"], capture_output=True, check=True
    ).stdout
    shape = (128, 192, 3) if degrees == 180 else (192, 128, 3)
    expected = np.frombuffer(raw, np.uint8).reshape(-1, *shape)
    with FileSource(turned) as source:
        assert (source.info.height, source.info.width) == shape[:2]
        pictures = np.stack([frame.bgr for frame in source])
    assert pictures.shape == expected.shape
    assert np.abs(pictures.astype(int) - expected).mean() < 2  # two versions of swscale


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_truncated_gives_what_it_has_then_says_so(tmp_path, worlds, suffix):
    faststart = {"movflags": "faststart"} if suffix == "mp4" else {}
    clip = worlds.write_clip(tmp_path / f"clip.{suffix}", [n / 30 for n in range(90)], options=faststart)
    content = clip.read_bytes()
    clip.write_bytes(content[: len(content) * 6 // 10])
    frames = []
    with FileSource(clip) as source, pytest.raises(SourceError, match=r"truncated: \d+ of 90 frames"):
        collect(source, frames)
    assert 30 < len(frames) < 70
    # the last one may be half a picture
    assert [worlds.stamp_of(frame.bgr) for frame in frames[:-1]] == list(range(len(frames) - 1))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_corrupt_middle_costs_no_more_than_itself(tmp_path, worlds, suffix, caplog):
    clip = worlds.write_clip(tmp_path / f"clip.{suffix}", [n / 30 for n in range(90)])
    content = bytearray(clip.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 300] = bytes(300)
    clip.write_bytes(content)
    with FileSource(clip) as source:
        frames = list(source)
        assert source.status.reason == ""
    numbers = [worlds.stamp_of(frame.bgr) for frame in frames]
    assert 50 < len(numbers) < 90
    assert numbers[:20] == list(range(20))
    assert numbers[-5:] == [85, 86, 87, 88, 89]
    np.testing.assert_allclose([frame.seconds for frame in frames[-5:]], np.arange(85, 90) / 30, atol=1e-3)
    assert f"{90 - len(numbers)} damaged frames could not be decoded" in caplog.text


def test_not_one_frame(tmp_path, worlds):
    clip = worlds.write_clip(tmp_path / "clip.mp4", [n / 30 for n in range(30)])
    content = bytearray(clip.read_bytes())
    start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[start:end] = bytes(end - start)
    clip.write_bytes(content)
    with pytest.raises(SourceError, match=r"not one frame|cannot be decoded|is not video"), FileSource(clip) as source:
        list(source)


def test_where_it_stands(tmp_path, worlds):
    clip = worlds.write_clip(tmp_path / "clip.mkv", [n / 30 for n in range(90)])
    with FileSource(clip, name="lobby") as source:
        assert source.status.state is SourceState.CONNECTING
        frames = iter(source)
        assert next(frames).source == source.name == "lobby"
        assert source.status.state is SourceState.LIVE
        frames.close()
        assert source.status.state is SourceState.ENDED
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with FileSource(clip, name="lobby") as source:
        with pytest.raises(SourceError, match="truncated"):
            list(source)
        assert "truncated" in source.status.reason
        assert str(clip) in source.status.reason


def test_hardware_decoding_says_what_it_became(tmp_path, worlds, caplog):
    clip = worlds.write_clip(tmp_path / "clip.mp4", [n / 30 for n in range(10)])
    with (
        caplog.at_level(logging.INFO, "stream"),
        FileSource(clip, SourceSettings(hardware_decoding="auto"), name="lobby") as source,
    ):
        assert [worlds.stamp_of(frame.bgr) for frame in source] == list(range(10))
    assert "lobby: decoded on the " in caplog.text


def test_sound_that_outlasts_the_picture_is_no_fault(tmp_path, worlds):
    worlds.need("/usr/bin/ffmpeg", "ffmpeg")
    clip = worlds.write_clip(tmp_path / "plain.mp4", [n / 30 for n in range(30)])
    for name in ("longer.mkv", "longer.mp4"):
        command = ["ffmpeg", "-v", "error", "-i", clip, "-f", "lavfi", "-i", "sine=d=4", "-c:v", "copy"]
        subprocess.run([*command, tmp_path / name], check=True)
        with FileSource(tmp_path / name) as source:
            assert len(list(source)) == 30


AVIS = {
    "steady": ["-c:v", "mpeg4"],
    "copied": ["-c", "copy"],  # two ticks for every picture
    "with sound": ["-f", "lavfi", "-i", "sine=d=5", "-c:v", "mpeg4", "-c:a", "mp3"],  # a tick more than pictures
    "late": ["-vf", "setpts=if(N\\,PTS+1/TB)", "-c:v", "mpeg4"],  # a second between the first and the next
    "varying": ["-vf", "select=not(mod(n\\,7))", "-fps_mode", "vfr", "-c:v", "mpeg4"],
}


def write_avi(worlds, folder, kind):
    worlds.need("/usr/bin/ffmpeg", "ffmpeg")
    clip = worlds.write_clip(folder / "plain.mp4", [n / 30 for n in range(90)], bframes=2)
    subprocess.run(["ffmpeg", "-v", "error", "-i", clip, *AVIS[kind], folder / "clip.avi"], check=True)
    return folder / "clip.avi"


@pytest.mark.parametrize("kind", AVIS)
def test_an_avi_that_counts_empty_frames_is_no_fault(tmp_path, worlds, kind, caplog):
    with FileSource(write_avi(worlds, tmp_path, kind)) as source:
        numbers = [worlds.stamp_of(frame.bgr) for frame in source]
        assert source.status.reason == ""
        assert len(numbers) == source.info.frame_count or kind != "steady"
        assert len(numbers) < source.info.frame_count or kind == "steady"
    assert numbers == list(range(0, 90, 7 if kind == "varying" else 1))
    assert caplog.text == ""


@pytest.mark.parametrize("share", [0.75, 0.9])
@pytest.mark.parametrize("kind", AVIS)
def test_a_truncated_avi_says_so(tmp_path, worlds, kind, share):
    clip = write_avi(worlds, tmp_path, kind)
    clip.write_bytes(clip.read_bytes()[: round(clip.stat().st_size * share)])
    frames = []
    with FileSource(clip) as source, pytest.raises(SourceError, match=r"truncated: \d+ of \d+ frames"):
        collect(source, frames)
    assert frames


def test_a_cut_that_hides_frames_is_no_fault(tmp_path, worlds):
    worlds.need("/usr/bin/ffmpeg", "ffmpeg")
    clip = worlds.write_clip(tmp_path / "plain.mp4", [n / 30 for n in range(60)])
    cut = tmp_path / "cut.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-ss", "0.6", "-i", clip, "-c", "copy", cut], check=True)
    with FileSource(cut) as source:
        assert len(list(source)) >= 40


def test_closing_ends_the_iteration_quietly(tmp_path, worlds):
    with FileSource(worlds.write_clip(tmp_path / "clip.mp4", [n / 30 for n in range(60)])) as source:
        frames = iter(source)
        next(frames)
        source.close()
        source.close()
        assert list(frames) == []


@pytest.mark.parametrize("name", ["two_people_1080p", "street_pedestrians", "gym_two_people", "worker_slips"])
def test_real_clips_agree_with_ffprobe(shared_videos, worlds, name):
    worlds.need("/usr/bin/ffprobe", "ffmpeg")
    clip = shared_videos / f"{name}.mp4"
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts_time", "-of", "json"]
    answer = subprocess.run([shutil.which("ffprobe") or "", *command[1:], clip], capture_output=True, check=True)
    expected = [float(frame["pts_time"]) for frame in json.loads(answer.stdout)["frames"]]
    with FileSource(clip) as source:
        times = [frame.media_seconds for frame in source]
        assert source.info.frame_count == len(expected)
    np.testing.assert_allclose(times, expected, atol=2e-6, rtol=0)  # ffprobe prints microseconds
