"""A camera comes back. Strategy: the webcam is a stand-in at OpenCV's border with the real read loop behind it, which
loses and finds pictures as told; the network is a real RTSP server on loopback that is killed, frozen and started
again."""

import contextlib
import http.server
import itertools
import logging
import os
import signal
import threading
import time

import cv2
import numpy as np
import pytest

from stream.errors import SourceError
from stream.handoff import Handoff
from stream.live_source import LiveSource, LiveState, retry_seconds
from stream.sources import open_source


class Device:
    """Stands in for `cv2.VideoCapture`. `script` has one entry per opening: None fails to open, a list is read out."""

    def __init__(self, script):
        self.script = list(script)
        self.openings = []
        self.released = 0

    def __call__(self, source, backend, parameters):
        self.openings.append((source, backend, time.monotonic()))
        pictures = self.script.pop(0) if self.script else None
        device = self

        class Capture:
            def isOpened(self):  # noqa: N802, OpenCV's name
                return pictures is not None

            def read(self):
                return (True, pictures.pop(0)) if pictures else (False, None)

            def get(self, property_):
                return {cv2.CAP_PROP_FRAME_WIDTH: 64.0, cv2.CAP_PROP_FRAME_HEIGHT: 48.0}.get(property_, 0.0)

            def release(self):
                device.released += 1

        return Capture()


def pictures(count, height=48, width=64):
    return [np.full((height, width, 3), shade, np.uint8) for shade in range(count)]


@pytest.fixture
def device(monkeypatch):
    def install(*script):
        device = Device(script)
        monkeypatch.setattr(cv2, "VideoCapture", device)
        return device

    return install


def quick(address=0, **options):
    return LiveSource(address, retry_min_seconds=0.01, retry_max_seconds=0.05, jitter=lambda: 0.0, **options)


def take(source, count):
    frames = []
    for frame in source:
        frames.append(frame)
        if len(frames) == count:
            source.close()
    return frames


def test_webcam(device):
    device(pictures(3), None)
    with open_source("0") as source:
        assert (source.name, source.live, source.path) == ("webcam 0", True, None)
        assert (source.info.width, source.info.height) == (64, 48)
        assert source.info.frames_per_second is None  # it says 0
        assert source.state is LiveState.CONNECTING
        before = time.monotonic()
        frames = take(source, 3)
    assert [int(frame.bgr[0, 0, 0]) for frame in frames] == [0, 1, 2]
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert [frame.media_seconds for frame in frames] == [None] * 3
    assert before <= frames[0].captured_seconds <= frames[2].captured_seconds <= time.monotonic()
    assert source.state is LiveState.ENDED


def test_no_webcam(device):
    device(None)
    with pytest.raises(SourceError, match=r"webcam 3 cannot be opened\. Check"):
        open_source(3)


def test_a_real_missing_webcam_prints_nothing(capfd):
    with pytest.raises(SourceError, match="webcam 63"):
        open_source(63)
    assert "".join(capfd.readouterr()) == ""


def test_comes_back_with_another_size(device, caplog):
    # lost, twice not there, back with one picture, lost, there without a picture, back
    camera = device(pictures(2), None, None, pictures(1, 20, 30), [], pictures(2))
    with caplog.at_level(logging.INFO, "stream"), quick() as source:
        frames = take(source, 5)
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.epoch for frame in frames] == [0, 0, 1, 2, 2]
    assert frames[2].bgr.shape == (20, 30, 3)
    assert camera.released >= 6  # every capture was given back, those that did not open as well
    states = [message.split(": ")[1] for message in caplog.messages]
    assert states == ["live", "waiting to reconnect", "live", "waiting to reconnect", "live", "ended"]


def test_grey_cameras_become_colour(device):
    device([np.full((48, 64), 9, np.uint8)])
    with quick() as source:
        (frame,) = take(source, 1)
    assert frame.bgr.shape == (48, 64, 3)


def test_pauses_grow_to_a_cap():
    assert [retry_seconds(n, 0.5, 15, 0.0) for n in range(1, 8)] == [0.5, 1, 2, 4, 8, 15, 15]
    assert retry_seconds(10**6, 0.5, 15, 0.0) == 15
    assert retry_seconds(1, 0.5, 15, 1.0) == 0.25


def test_a_camera_that_flaps_is_not_hammered(device):
    camera = device(*[pictures(1) for _ in range(6)])
    with LiveSource(0, retry_min_seconds=0.02, retry_max_seconds=0.2, jitter=lambda: 0.0) as source:
        take(source, 6)
    pauses = np.diff([opened for _, _, opened in camera.openings])
    assert (pauses >= np.array([0.02, 0.04, 0.08, 0.16, 0.2])).all()


def test_close_wakes_the_wait(device):
    device(pictures(1))
    source = LiveSource(0, retry_min_seconds=600, retry_max_seconds=600)
    started = time.monotonic()
    with Handoff(source) as frames:
        assert len(frames.take()) == 1
        while source.state is not LiveState.WAITING:
            assert time.monotonic() - started < 10
            time.sleep(0.005)
        assert "gives no picture" in source.status.reason
    assert time.monotonic() - started < 5
    assert source.state is LiveState.ENDED
    source.close()


def test_release_never_meets_a_read(device):
    reading, go_on = threading.Event(), threading.Event()
    camera = device([])
    source = quick()

    def read(self=None):
        reading.set()
        go_on.wait(10)
        assert camera.released == 0
        return True, pictures(1)[0]

    source._capture._capture.read = read
    frames = []
    thread = threading.Thread(target=lambda: frames.extend(source))
    thread.start()
    assert reading.wait(10)
    source.close()
    assert camera.released == 0
    go_on.set()
    thread.join(10)
    assert camera.released == 1
    assert frames == []


# --- a real server ---


@pytest.fixture
def clip(tmp_path, worlds):
    return worlds.write_clip(tmp_path / "cam.mp4", [n / 30 for n in range(90)])


def test_rtsp_killed_and_started_again(rtsp_server, clip, worlds, caplog, capfd):
    server = rtsp_server(clip, login="bob:secret")
    address = f"rtsp://bob:secret@127.0.0.1:{server.port}/cam"
    source = LiveSource(address, open_timeout_seconds=8, retry_min_seconds=0.1, retry_max_seconds=0.3)
    with caplog.at_level(logging.DEBUG), Handoff(source) as frames:
        first = [frames.take(timeout_seconds=10)[0] for _ in range(20)]
        server.kill()
        assert worlds.wait_until(lambda: source.state is LiveState.WAITING)
        assert source.status.reason
        server.start()
        second = next(frame for frame in frames if frame.epoch == 1)
        assert source.state is LiveState.LIVE
    assert (source.info.width, source.info.height) == (192, 128)
    numbers = [frame.number for frame in first]
    assert numbers == sorted(set(numbers))
    assert second.number > numbers[-1]
    assert second.captured_seconds > first[-1].captured_seconds
    stamps = [worlds.stamp_of(frame.bgr) for frame in first]
    assert set(stamps) <= set(range(90))
    assert all(one != next_one for one, next_one in itertools.pairwise(stamps))
    output = caplog.text + "".join(capfd.readouterr()) + repr(first[0]) + source.name
    assert "secret" not in output
    assert "bob:***@" in output


def test_rtsp_frozen_is_noticed(rtsp_server, clip, worlds):
    server = rtsp_server(clip)
    source = LiveSource(f"rtsp://127.0.0.1:{server.port}/cam", read_timeout_seconds=0.5, retry_min_seconds=60)
    with Handoff(source) as frames:
        assert frames.take(timeout_seconds=10)
        os.kill(server._process.pid, signal.SIGSTOP)
        try:
            assert worlds.wait_until(lambda: source.state is LiveState.WAITING, 6)
            assert "no picture for" in source.status.reason
        finally:
            os.kill(server._process.pid, signal.SIGCONT)


def test_rtsp_refusals(rtsp_server, clip):
    server = rtsp_server(clip, login="bob:secret")
    with pytest.raises(SourceError, match="refuses the user name or password") as caught:
        open_source(f"rtsp://bob:wrong-secret@127.0.0.1:{server.port}/cam")
    error = caught.value
    while error is not None:
        assert "secret" not in repr(error)
        error = error.__cause__ or error.__context__
    with pytest.raises(SourceError, match="does not have this path"):
        open_source(f"rtsp://bob:secret@127.0.0.1:{server.port}/none")


def test_http_mjpeg_comes_back(worlds):
    """A camera that sends JPEGs over HTTP and hangs up after 30 of them."""

    class Camera(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for number in range(30):
                jpeg = cv2.imencode(".jpg", worlds.stamped(number))[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(head + jpeg + b"\r\n")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with quick(f"http://127.0.0.1:{server.server_port}/video?token=secret") as source:
            frames = take(source, 45)
    finally:
        server.shutdown()
        server.server_close()
    assert source.name.endswith("/video?token=***")
    assert {frame.epoch for frame in frames} == {0, 1}
    stamps = [worlds.stamp_of(frame.bgr) for frame in frames if frame.epoch == 0]
    assert stamps == list(range(len(stamps)))
    assert len(stamps) >= 28  # FFmpeg may keep the last one back
