"""A recording loses no picture and no written second, whatever the camera and the disk do. Strategy: stamped pictures
go in, every segment is decoded again; the disk is a real one that is really full; processes are really killed."""

import contextlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from stream.errors import SinkError
from stream.settings.model import OutputSettings
from stream.sinks.base import Drawing, Sink
from stream.sinks.video.recording import Recording
from stream.sources.base import SourceInfo
from stream.sources.file import FileSource

ROOT = Path(__file__).resolve().parents[4]
SECONDS = 1 / 60  # as minutes


def write(sink, worlds, frames):
    for frame in frames:
        scene = worlds.empty_scene(frame)
        sink.write(scene, Drawing(scene, lambda scene: scene.frame.bgr))


def live(worlds, **options):
    return worlds.FakeSource(live=True, info=SourceInfo(192, 128, 25.0), name="cam", **options)


def noisy(worlds, frame):
    """The frame with noise below its stamp: some 20 kB."""
    bgr = frame.bgr.copy()
    bgr[40:] = np.random.default_rng(frame.number).integers(0, 255, bgr[40:].shape, np.uint8)
    return type(frame)(bgr, frame.source, frame.number, 0, frame.media_seconds, frame.captured_seconds)


def decoded(worlds, path):
    """Stamps, times, duration of the video, and how large the pictures are."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        stamps = [worlds.stamp_of(frame.to_ndarray(format="bgr24")) for frame in frames]
        duration = float(stream.duration * stream.time_base) if stream.duration else None
        return stamps, np.array([frame.time for frame in frames]), duration, frames[0].to_ndarray(format="bgr24").shape


def metadata(path):
    import av

    with av.open(str(path)) as container:
        return dict(container.metadata)


def test_one_file_where_nothing_is_cut(tmp_path, worlds):
    source = worlds.FakeSource()
    (tmp_path / "out.mp4").write_bytes(b"an earlier run")
    with Recording(tmp_path / "out.mp4", source, output=OutputSettings()) as sink:
        assert isinstance(sink, Sink)
        write(sink, worlds, source)
    assert sink.files == [tmp_path / "out.mp4"]
    assert decoded(worlds, tmp_path / "out.mp4")[0] == list(range(10))
    with pytest.raises(SinkError, match="closed"):
        write(sink, worlds, [source.frame(10)])


@pytest.mark.parametrize("rate", [30, 24000 / 1001])
def test_cut_by_duration(tmp_path, worlds, rate):
    times = [n / rate for n in range(round(7.5 * rate))]
    clip = worlds.write_clip(tmp_path / "clip.mp4", times)
    whole = decoded(worlds, clip)[2]
    output = OutputSettings(segment_minutes=2 * SECONDS)
    with FileSource(clip) as source, Recording(tmp_path / "out.mp4", source, output=output) as sink:
        write(sink, worlds, source)
    assert [path.name for path in sink.files] == [f"out_{n:04d}.mp4" for n in (1, 2, 3, 4)]
    parts = [decoded(worlds, path) for path in sink.files]
    assert [stamp for part in parts for stamp in part[0]] == list(range(len(times)))
    assert sum(part[2] for part in parts) == pytest.approx(whole, abs=1e-4)
    begins = np.cumsum([0, *(part[2] for part in parts[:-1])])
    np.testing.assert_allclose(
        np.concatenate([begin + part[1] for begin, part in zip(begins, parts, strict=True)]), times, atol=1e-3
    )
    assert all(2 <= part[2] < 2 + 1.01 / rate for part in parts[:-1])
    assert sorted(os.listdir(tmp_path)) == ["clip.mp4", *(path.name for path in sink.files)]


def test_cut_by_duration_at_a_varying_rate(tmp_path, worlds):
    """The last picture of a segment is shown until the next begins, however long that is."""
    times = [0.0, 0.033, 0.4, 1.9, 2.6, 2.633, 4.0, 7.5, 7.533]
    clip = worlds.write_clip(tmp_path / "clip.mp4", times)
    output = OutputSettings(segment_minutes=2 * SECONDS)
    with FileSource(clip) as source, Recording(tmp_path / "out.mp4", source, output=output) as sink:
        write(sink, worlds, source)
    parts = [decoded(worlds, path) for path in sink.files]
    assert [part[0] for part in parts] == [[0, 1, 2, 3], [4, 5, 6], [7, 8]]
    np.testing.assert_allclose([part[2] for part in parts[:-1]], [2.6, 4.9], atol=1e-3)
    assert sum(part[2] for part in parts) == pytest.approx(decoded(worlds, clip)[2], abs=1e-3)


def test_cut_by_size(tmp_path, worlds):
    source = worlds.FakeSource(count=300, info=SourceInfo(192, 128, 30.0, 300, 10.0))
    with Recording(tmp_path / "out.mp4", source, output=OutputSettings(segment_megabytes=1.0)) as sink:
        write(sink, worlds, (noisy(worlds, frame) for frame in source))
    assert [n for path in sink.files for n in decoded(worlds, path)[0]] == list(range(300))
    sizes = [path.stat().st_size for path in sink.files]
    assert len(sizes) > 2
    assert all(900_000 < size <= 1_000_000 for size in sizes[:-1]), sizes


def test_live_segments_are_named_and_dated_by_the_clock(tmp_path, worlds):
    source = live(worlds)
    output = OutputSettings(segment_minutes=SECONDS)
    now = time.monotonic() - 1000  # the source's clock begins at 1000
    frames = [source.frame(n, now + n / 10) for n in range(25)]
    earlier = tmp_path / f"cam_{datetime.fromtimestamp(time.time()):%Y%m%d-%H%M%S}.mp4"
    for second in range(-1, 4):  # whichever second it is
        taken = datetime.fromtimestamp(time.time() + second)
        (tmp_path / f"cam_{taken:%Y%m%d-%H%M%S}.mp4").write_bytes(b"an earlier segment")
    with Recording(tmp_path / "cam.mp4", source, output=output) as sink:
        write(sink, worlds, frames)
    assert earlier.read_bytes() == b"an earlier segment"
    assert len(sink.files) == 3
    for second, path in enumerate(sink.files):
        name, day, moment, counter = path.stem.replace("-", "_").split("_")
        assert (name, counter) == ("cam", "2")
        named = datetime.strptime(day + moment, "%Y%m%d%H%M%S").timestamp()
        assert named == pytest.approx(time.time() + second, abs=3)
        dated = datetime.fromisoformat(metadata(path)["creation_time"])
        assert dated.timestamp() == pytest.approx(named, abs=1.01)
    assert [n for path in sink.files for n in decoded(worlds, path)[0]] == list(range(25))


def test_a_camera_is_cut_every_hour_where_nothing_is_said(tmp_path, worlds):
    source = live(worlds)
    (tmp_path / "cam.mp4").write_bytes(b"an earlier run")
    with Recording(tmp_path / "cam.mp4", source, output=OutputSettings()) as sink:
        write(sink, worlds, [source.frame(n, 600 * n) for n in range(14)])
    assert sink.files[0] == tmp_path / "cam.mp4"
    assert all(re.fullmatch(r"cam_\d{8}-\d{6}", path.stem) for path in sink.files[1:])
    assert [decoded(worlds, path)[0] for path in sink.files] == [[*range(6)], [*range(6, 12)], [12, 13]]


def test_a_recording_is_not_cut_where_nothing_is_said(tmp_path, worlds):
    source = worlds.FakeSource(info=SourceInfo(192, 128, 25.0))
    with Recording(tmp_path / "out.mp4", source, output=OutputSettings()) as sink:
        write(sink, worlds, [source.frame(n, 600 * n) for n in range(14)])
    assert sink.files == [tmp_path / "out.mp4"]
    assert decoded(worlds, tmp_path / "out.mp4")[0] == list(range(14))


def test_another_size_begins_a_segment(tmp_path, worlds):
    source = live(worlds)
    sizes = [(192, 128)] * 3 + [(384, 256)] * 3 + [(192, 127)] * 3
    with Recording(tmp_path / "cam.mp4", source, output=OutputSettings()) as sink:
        write(sink, worlds, [source.frame(n, n / 25, size=size) for n, size in enumerate(sizes)])
    assert sink.files[0] == tmp_path / "cam.mp4"
    assert [decoded(worlds, path)[3] for path in sink.files] == [(128, 192, 3), (256, 384, 3), (128, 192, 3)]
    assert [n for path in sink.files for n in decoded(worlds, path)[0]] == list(range(9))


def test_another_size_in_a_recording_is_scaled_unless_it_is_cut(tmp_path, worlds):
    source = worlds.FakeSource()
    frames = [source.frame(n, size=(192, 128) if n < 5 else (384, 256)) for n in range(10)]
    for output, count in ((OutputSettings(), 1), (OutputSettings(segment_minutes=1.0), 2)):
        with Recording(tmp_path / "out.mp4", source, output=output) as sink:
            write(sink, worlds, frames)
        assert [n for path in sink.files for n in decoded(worlds, path)[0]] == list(range(10))
        assert len(sink.files) == count


def test_a_segment_does_not_stand_still_while_the_camera_is_away(tmp_path, worlds):
    source = live(worlds)
    moments = [0, 0.5, 1.0, 4.0, 4.5, 100.0, 100.5]
    with Recording(tmp_path / "cam.mp4", source, output=OutputSettings(segment_minutes=5 * SECONDS)) as sink:
        write(sink, worlds, [source.frame(n, at) for n, at in enumerate(moments)])
    first, second = (decoded(worlds, path) for path in sink.files)
    np.testing.assert_allclose(first[1], moments[:5], atol=1e-4)
    assert first[2] == pytest.approx(5.0, abs=0.01)
    np.testing.assert_allclose(second[1], [0, 0.5], atol=1e-4)


def test_each_segment_has_its_part_of_the_sound(tmp_path, worlds):
    beeps = [0.5, 1.9, 2.6, 4.5]
    clip = worlds.write_clip_with_sound(tmp_path / "clip.mp4", [n / 30 for n in range(120)], beeps, seconds=5)
    output = OutputSettings(segment_minutes=1.5 * SECONDS)
    with FileSource(clip) as source, Recording(tmp_path / "out.mp4", source, output=output) as sink:
        write(sink, worlds, source)
    assert len(sink.files) == 3
    heard = np.concatenate([1.5 * n + worlds.beeps_in(path) for n, path in enumerate(sink.files)])
    np.testing.assert_allclose(heard, beeps, atol=0.006)
    with FileSource(clip) as source, Recording(tmp_path / "still.mp4", source, output=output, sound=False) as sink:
        write(sink, worlds, source)
    for path in sink.files:
        with pytest.raises(IndexError):
            worlds.beeps_in(path)


def test_plays_while_it_is_written(tmp_path, worlds):
    source = live(worlds)
    with Recording(tmp_path / "cam.mp4", source, output=OutputSettings()) as sink:
        write(sink, worlds, [source.frame(n, n / 25) for n in range(80)])
        assert decoded(worlds, tmp_path / "cam.mp4")[0] == list(range(75))
        shutil.copy(tmp_path / "cam.mp4", tmp_path / "copy.mp4")
    assert decoded(worlds, tmp_path / "copy.mp4")[0] == list(range(75))
    assert decoded(worlds, tmp_path / "cam.mp4")[0] == list(range(80))


def test_a_full_disk_pauses_a_live_recording(small_disk, worlds, caplog):
    caplog.set_level(logging.INFO, "stream")
    source = live(worlds)
    drawn = []

    def give(numbers):
        for n in numbers:
            scene = worlds.empty_scene(noisy(worlds, source.frame(n, n / 25)))
            sink.write(scene, Drawing(scene, lambda scene: drawn.append(scene.frame.number) or scene.frame.bgr))

    (small_disk / "old.bin").write_bytes(bytes(700_000))
    handles = len(os.listdir("/proc/self/fd"))
    with Recording(small_disk / "cam.mp4", source, output=OutputSettings()) as sink:
        n = 0
        while sink.paused_reason is None:
            give([n])
            n += 1
            assert n < 1000
        fault = n
        assert "No space left" in sink.paused_reason
        assert sink.files == [small_disk / "cam.mp4"]
        give(range(fault, fault + 25 * 100))  # 100 s; every attempt fails
        assert sink.paused_reason is not None
        assert len(drawn) - fault < 25 * 10
        assert sorted(os.listdir(small_disk)) == ["cam.mp4", "old.bin"]
        assert len(os.listdir("/proc/self/fd")) == handles
        whole = decoded(worlds, small_disk / "cam.mp4")[0]
        assert whole[: fault - 27] == list(range(fault - 27))  # all but about the last second

        (small_disk / "old.bin").unlink()
        n = fault + 2500
        while sink.paused_reason is not None:
            give([n])
            n += 1
            assert n < fault + 2500 + 25 * 62
        missed = sink.missed_seconds
        give(range(n, n + 3))
        assert sink.missed_seconds == missed
    assert len(sink.files) == 2
    stamps = decoded(worlds, sink.files[1])[0]
    assert stamps == list(range(stamps[0], stamps[0] + len(stamps)))
    assert missed == pytest.approx((stamps[0] - whole[-1] - 1) / 25, abs=0.01)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3, said
    assert "cam.mp4" in said[0]
    assert "Make room in" in said[0]
    assert "recorded again" in said[1]
    assert "were not recorded" in said[2]
    assert len(os.listdir("/proc/self/fd")) == handles


def test_a_full_disk_ends_the_recording_of_a_file_and_it_plays(small_disk, worlds):
    source = worlds.FakeSource(count=1000, info=SourceInfo(192, 128, 30.0, 1000, 1000 / 30))
    sink = Recording(small_disk / "out.mp4", source, output=OutputSettings())
    with pytest.raises(SinkError, match=r"out\.mp4 cannot be written any further .No space left"):
        write(sink, worlds, (noisy(worlds, frame) for frame in source))
    sink.close()
    stamps = decoded(worlds, small_disk / "out.mp4")[0]
    assert stamps == list(range(len(stamps)))
    assert len(stamps) >= source.given - 32


def test_a_disk_that_is_full_at_the_start(small_disk, worlds, caplog):
    with contextlib.suppress(OSError), (small_disk / "old.bin").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    source = live(worlds)
    with Recording(small_disk / "cam.mp4", source, output=OutputSettings()) as sink:
        write(sink, worlds, [source.frame(n, n / 25) for n in range(100)])
        assert sink.paused_reason is not None
    assert sink.files == []
    assert os.listdir(small_disk) == ["old.bin"]
    assert sink.missed_seconds == pytest.approx(99 / 25, abs=0.01)


def test_a_folder_that_vanishes(tmp_path, worlds, caplog):
    source = live(worlds)
    (tmp_path / "disk").mkdir()
    with Recording(tmp_path / "disk" / "cam.mp4", source, output=OutputSettings(segment_minutes=SECONDS)) as sink:
        write(sink, worlds, [source.frame(n, n / 25) for n in range(30)])
        shutil.rmtree(tmp_path / "disk")
        write(sink, worlds, [source.frame(n, n / 25) for n in range(30, 100)])
        assert sink.paused_reason == "No such file or directory"
        (tmp_path / "disk").mkdir()
        write(sink, worlds, [source.frame(n, n / 25) for n in range(100, 400)])
        assert sink.paused_reason is None
    assert "not recorded" in caplog.text


CHILD = """
import resource, os, signal, sys
import numpy as np
from pathlib import Path
from pose.poses import Poses
from stream.errors import SinkError
from stream.frame import Frame
from stream.sinks.video.recording import Recording
from stream.scene import Scene
from stream.settings.model import OutputSettings
from stream.sinks.base import Drawing
from stream.sources.base import SourceInfo

class Source:
    live, still = True, False
    path = None
    name = "cam"
    info = SourceInfo(192, 128, 25.0)

mode, path = sys.argv[1:]
Source.live = mode != "limit of a file"
if mode != "kill":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    output = OutputSettings()
else:
    output = OutputSettings(segment_minutes=2 / 60)
sink = Recording(path, Source(), output=output)
noise = np.random.default_rng(0)
for number in range(240 if mode == "kill" else 1000):
    bgr = noise.integers(0, 255, (128, 192, 3), np.uint8)
    scene = Scene(Frame(bgr, "cam", number, 0, None if Source.live else number / 25, number / 25), Poses.empty())
    try:
        sink.write(scene, Drawing(scene, lambda scene: scene.frame.bgr))
    except SinkError as error:
        sys.exit(f"{number} {error}")
if mode == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
sink.close()
print(len(sink.files), sink.missed_seconds)
"""


def child(mode, path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", CHILD, mode, str(path)], capture_output=True, text=True, env=environment, check=False
    )


def test_playable_after_a_kill(tmp_path, worlds):
    """240 pictures at 25 a second: four whole segments of 50, and of the fifth's 40 those in complete fragments."""
    assert child("kill", tmp_path / "cam.mp4").returncode == -signal.SIGKILL
    counts = [len(decoded(worlds, path)[0]) for path in sorted(tmp_path.iterdir())]
    assert counts == [50, 50, 50, 50, 25]


def test_a_file_size_limit_pauses_too(tmp_path, worlds):
    """Files end at 1 MB: the recording pauses 10 s or more, then goes on in a new one, again and again."""
    result = child("limit", tmp_path / "cam.mp4")
    assert result.returncode == 0, result.stderr
    assert "File too large" in result.stderr
    count, missed = result.stdout.split()
    assert int(count) >= 2
    assert 10 < float(missed) < 40
    for path in tmp_path.iterdir():
        assert len(decoded(worlds, path)[0]) >= 25


def test_a_file_size_limit_ends_the_recording_of_a_file(tmp_path, worlds):
    result = child("limit of a file", tmp_path / "out.mp4")
    assert result.returncode == 1
    number, said = result.stderr.split(maxsplit=1)
    assert "out.mp4 cannot be written any further (File too large). Is the disk full" in said
    assert len(decoded(worlds, tmp_path / "out.mp4")[0]) >= int(number) - 31
