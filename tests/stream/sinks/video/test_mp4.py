"""An annotated video that is not cut is the source's equal. Strategy: stamped pictures with known times go into a
`Recording`; what comes out is decoded again, frame by frame, by another library (PyAV), and by a real browser where
there is one."""

import functools
import http.server
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

from stream.errors import SinkError
from stream.settings.model import OutputSettings
from stream.sinks.background import BackgroundSink
from stream.sinks.base import Drawing
from stream.sinks.video.recording import Recording
from stream.sources.base import SourceInfo
from stream.sources.file import FileSource


def unchanged(scene):
    return scene.frame.bgr


def record(path, source):
    return Recording(path, source, output=OutputSettings())


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
    with FileSource(clip) as source, BackgroundSink(record(tmp_path / "out.mp4", source), "out.mp4") as sink:
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
    with FileSource(clip) as source, BackgroundSink(record(tmp_path / "out.mp4", source), "out.mp4") as sink:
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
    with record(tmp_path / "out.mp4", source) as sink:
        scene = worlds.empty_scene(source.frame(0))
        sink.write(scene, Drawing(scene, lambda _: colours))
    (picture,), _, _ = decoded(tmp_path / "out.mp4")
    for column in (32, 96, 160):
        assert np.abs(picture[64, column].astype(int) - colours[64, column]).max() <= 6


def test_odd_sizes_gain_a_copied_edge(tmp_path, worlds):
    source = worlds.FakeSource(size=(191, 127))
    with record(tmp_path / "out.mp4", source) as sink:
        write(sink, worlds, source)
    pictures, _, _ = decoded(tmp_path / "out.mp4")
    assert [worlds.stamp_of(picture) for picture in pictures] == list(range(10))
    assert pictures[0].shape == (128, 192, 3)
    edge = pictures[0][:, -2:].astype(int)
    assert np.abs(edge[:, 0] - edge[:, 1]).mean() < 6


def test_a_new_size_is_fitted_into_the_first(tmp_path, worlds):
    source = worlds.FakeSource()
    frames = [source.frame(0), source.frame(1, size=(384, 256)), source.frame(2, size=(96, 128)), source.frame(3)]
    with record(tmp_path / "out.mp4", source) as sink:
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
    with record(tmp_path / "out.mp4", source) as sink:
        write(sink, worlds, [source.frame(number, moment) for number, moment in enumerate(seconds)])
    _, times, _ = decoded(tmp_path / "out.mp4")
    assert (np.diff(times) > 0).all()
    np.testing.assert_allclose(times, np.array(seconds) - 5, atol=1e-4)


def test_pictures_are_shown_for_a_second_each(tmp_path, worlds):
    source = worlds.FakeSource(count=3, still=True, info=SourceInfo(192, 128, None, 3))
    with record(tmp_path / "out.mp4", source) as sink:
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
                record(path, source)
    assert clip.read_bytes() == before


def test_without_a_picture_there_is_no_file(tmp_path, worlds):
    sink = record(tmp_path / "out.mp4", worlds.FakeSource())
    sink.close()
    sink.close()
    assert not (tmp_path / "out.mp4").exists()
    scene = worlds.empty_scene(worlds.FakeSource().frame(0))
    with pytest.raises(SinkError, match="closed"):
        sink.write(scene, Drawing(scene, unchanged))


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "growing"])
def test_plays_in_a_browser_with_sound(tmp_path, worlds, ended):
    program = Path("/usr/bin/chromium")
    worlds.need(str(program), "chromium")
    browser = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install '.[dev]')")
    clip = worlds.write_clip_with_sound(tmp_path / "clip.mp4", [n / 30 for n in range(90)], [0.5], seconds=3)
    with FileSource(clip) as source, record(tmp_path / "whole.mp4", source) as sink:
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
