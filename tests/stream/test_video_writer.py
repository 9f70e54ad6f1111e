"""The annotated video is the source's equal and survives a kill. Strategy: stamped pictures with known times go in;
what comes out is decoded again, frame by frame, by another library (PyAV), and by a real browser where there is one. A
real process is killed and a real file-size limit is hit."""

import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from stream.errors import SinkError, SourceError
from stream.file_source import FileSource
from stream.sinks import BackgroundSink, Drawing
from stream.sources import SourceInfo
from stream.video_writer import VideoSink

ROOT = Path(__file__).resolve().parents[2]


def unchanged(scene):
    return scene.frame.bgr


def write(sink, worlds, frames):
    for frame in frames:
        scene = worlds.empty_scene(frame)
        sink.write(scene, Drawing(scene, unchanged))


def decoded(path):
    """Pictures uint8 `[T, H, W, 3]`, times `[T]`, what the container says."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        says = (stream.frames, stream.average_rate, float(stream.duration * stream.time_base), stream.codec.name)
        return [f.to_ndarray(format="bgr24") for f in frames], np.array([f.time for f in frames]), says


@pytest.mark.parametrize(
    "times",
    [
        [n / 10 for n in range(31)],
        [n * 1001 / 30000 for n in range(40)],
        [n * 1001 / 24000 for n in range(40)],
        [0.0, 0.033, 0.1, 0.4, 0.433, 1.5, 1.533, 3.6, 3.633],
    ],
    ids=["10", "29.97", "23.976", "varying"],
)
def test_count_times_rate_and_duration_are_the_sources(tmp_path, worlds, times):
    clip = worlds.write_clip(tmp_path / "clip.mp4", times)
    _, times_in, says_in = decoded(clip)
    with FileSource(clip) as source, BackgroundSink(VideoSink(tmp_path / "out.mp4", source)) as sink:
        write(sink, worlds, source)
    pictures, times_out, says_out = decoded(tmp_path / "out.mp4")
    assert [worlds.stamp_of(picture) for picture in pictures] == list(range(len(times)))
    np.testing.assert_allclose(times_out, times_in, atol=1e-5, rtol=0)
    assert says_out[0] == len(times)
    assert float(says_out[1]) == pytest.approx(float(says_in[1]), rel=1e-5)
    assert says_out[2] == pytest.approx(says_in[2], abs=1e-4)
    assert says_out[3] == "h264"


@pytest.mark.parametrize("name", ["two_people_1080p", "gym_two_people", "worker_slips"])
def test_real_clips(tmp_path, shared_videos, worlds, name):
    clip = shared_videos / f"{name}.mp4"
    with FileSource(clip) as source, BackgroundSink(VideoSink(tmp_path / "out.mp4", source)) as sink:
        write(sink, worlds, source)
    worlds.need("/usr/bin/ffprobe", "ffmpeg")
    entries = "stream=nb_frames,avg_frame_rate,r_frame_rate,duration,width,height"
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "default"]
    before, after = (
        subprocess.run([*command, path], capture_output=True, text=True, check=True).stdout
        for path in (clip, tmp_path / "out.mp4")
    )
    assert after == before


def test_colours_survive(tmp_path, worlds):
    source = worlds.FakeSource()
    colours = np.zeros((128, 192, 3), np.uint8)
    colours[:, :64], colours[:, 64:128], colours[:, 128:] = (200, 40, 40), (40, 200, 40), (40, 40, 200)
    with VideoSink(tmp_path / "out.mp4", source) as sink:
        scene = worlds.empty_scene(source.frame(0))
        sink.write(scene, Drawing(scene, lambda _: colours))
    (picture,), _, _ = decoded(tmp_path / "out.mp4")
    for column in (32, 96, 160):
        assert np.abs(picture[64, column].astype(int) - colours[64, column]).max() <= 6


def test_odd_sizes_gain_a_copied_edge(tmp_path, worlds):
    source = worlds.FakeSource(size=(191, 127))
    with VideoSink(tmp_path / "out.mp4", source) as sink:
        write(sink, worlds, source)
    pictures, _, _ = decoded(tmp_path / "out.mp4")
    assert [worlds.stamp_of(picture) for picture in pictures] == list(range(10))
    assert pictures[0].shape == (128, 192, 3)
    edge = pictures[0][:, -2:].astype(int)
    assert np.abs(edge[:, 0] - edge[:, 1]).mean() < 6


def test_a_new_size_is_fitted_into_the_first(tmp_path, worlds):
    source = worlds.FakeSource(live=True)
    frames = [source.frame(0), source.frame(1, size=(384, 256)), source.frame(2, size=(96, 128)), source.frame(3)]
    with VideoSink(tmp_path / "out.mp4", source) as sink:
        write(sink, worlds, frames)
    pictures, _, _ = decoded(tmp_path / "out.mp4")
    assert {picture.shape for picture in pictures} == {(128, 192, 3)}
    assert worlds.stamp_of(pictures[1]) == 1
    assert worlds.stamp_of(pictures[2][:, 48:144]) == 2  # upright and narrow: black at both sides
    assert pictures[2][:, :40].max() < 30
    assert pictures[2][:, -40:].max() < 30


def test_live_pictures_carry_their_capture_time(tmp_path, worlds):
    source = worlds.FakeSource(live=True, info=SourceInfo(192, 128))
    seconds = [5.0, 5.04, 5.04, 5.2, 65.2]  # two at the same instant, and a camera that was away for a minute
    with VideoSink(tmp_path / "out.mp4", source) as sink:
        write(sink, worlds, [source.frame(number, moment) for number, moment in enumerate(seconds)])
    _, times, _ = decoded(tmp_path / "out.mp4")
    assert (np.diff(times) > 0).all()
    np.testing.assert_allclose(times, np.array(seconds) - 5, atol=1e-4)


def test_pictures_are_shown_for_a_second_each(tmp_path, worlds):
    source = worlds.FakeSource(count=3, still=True, info=SourceInfo(192, 128, None, 3))
    with VideoSink(tmp_path / "out.mp4", source) as sink:
        write(sink, worlds, source)
    _, times, says = decoded(tmp_path / "out.mp4")
    np.testing.assert_allclose(times, [0, 1, 2])
    assert says[2] == 3


def test_refusals(tmp_path, worlds):
    clip = worlds.write_clip(tmp_path / "clip.mp4", [0.0, 0.1])
    before = clip.read_bytes()
    with FileSource(clip) as source:
        for path, reason in (
            (clip, "would be destroyed"),
            (tmp_path / "none" / "out.mp4", "does not exist"),
            (tmp_path / "out.avi", r"ends in .mp4"),
        ):
            with pytest.raises(SinkError, match=reason):
                VideoSink(path, source)
    assert clip.read_bytes() == before


def test_without_a_picture_there_is_no_file(tmp_path, worlds):
    sink = VideoSink(tmp_path / "out.mp4", worlds.FakeSource())
    sink.close()
    sink.close()
    assert not (tmp_path / "out.mp4").exists()
    scene = worlds.empty_scene(worlds.FakeSource().frame(0))
    with pytest.raises(SinkError, match="closed"):
        sink.write(scene, Drawing(scene, unchanged))


CHILD = """
import os, resource, signal, sys
import numpy as np
from pose.poses import Poses
from stream.errors import SinkError
from stream.frame import Frame
from stream.scene import Scene
from stream.sinks import Drawing
from stream.sources import SourceInfo
from stream.video_writer import VideoSink

class Source:
    live = still = False
    path = None
    info = SourceInfo(192, 128, 30.0, 1000, 1000 / 30)

mode, path = sys.argv[1:]
if mode == "limit":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
sink = VideoSink(path, Source())
noise = np.random.default_rng(0)
try:
    for number in range(200):
        bgr = noise.integers(0, 255, (128, 192, 3), np.uint8)
        scene = Scene(Frame(bgr, "child", number, 0, number / 30, 0.0), Poses.empty())
        sink.write(scene, Drawing(scene, lambda scene: scene.frame.bgr))
except SinkError as error:
    print(number, error)
    sink.close()
    sys.exit(2)
os.kill(os.getpid(), signal.SIGKILL)
"""


def child(mode, path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", CHILD, mode, str(path)], capture_output=True, text=True, env=environment, check=False
    )


def test_playable_after_a_kill(tmp_path):
    """30 frames are a fragment; of 200 frames the 180 in complete fragments are there."""
    assert child("kill", tmp_path / "out.mp4").returncode == -9
    pictures, times, _ = decoded(tmp_path / "out.mp4")
    assert 180 <= len(pictures) <= 200
    np.testing.assert_allclose(times, np.arange(len(pictures)) / 30, atol=1e-4)


def test_a_full_disk_is_one_sentence(tmp_path):
    result = child("limit", tmp_path / "out.mp4")
    assert result.returncode == 2, result.stderr
    assert "cannot be written any further" in result.stdout
    assert "disk full" in result.stdout
    with FileSource(tmp_path / "out.mp4") as source:
        count = 0
        with contextlib.suppress(SourceError):  # it says that the end is missing
            for _ in source:
                count += 1
    assert count >= int(result.stdout.split()[0]) - 31


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "growing"])
def test_plays_in_a_browser_with_sound(tmp_path, worlds, ended):
    program = Path("/usr/bin/chromium")
    worlds.need(str(program), "chromium")
    browser = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install '.[dev]')")
    clip = worlds.write_clip_with_sound(tmp_path / "clip.mp4", [n / 30 for n in range(90)], [0.5], seconds=3)
    with FileSource(clip) as source, VideoSink(tmp_path / "whole.mp4", source) as sink:
        write(sink, worlds, source)
        shutil.copy(tmp_path / "whole.mp4", tmp_path / "out.mp4")
    if ended:
        shutil.copy(tmp_path / "whole.mp4", tmp_path / "out.mp4")
    (tmp_path / "page.html").write_text("<video id=video muted preload=auto src=out.mp4></video>")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with browser.sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=str(program), args=["--no-sandbox"])
            page = chromium.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/page.html")
            page.evaluate("document.getElementById('video').play()")
            playing = (
                "(v => v.currentTime > 0.2 && v.webkitAudioDecodedByteCount > 0)(document.getElementById('video'))"
            )
            page.wait_for_function(playing, timeout=30_000)
            says = page.evaluate("(v => [v.duration, v.videoWidth, v.videoHeight])(document.getElementById('video'))")
            chromium.close()
    finally:
        server.shutdown()
        server.server_close()
    assert says[0] == pytest.approx(3.0 if ended else 2.0, abs=0.05)
    assert says[1:] == [192, 128]
