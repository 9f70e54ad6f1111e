"""A camera comes back. Strategy: the webcam is a stand-in at OpenCV's border with the real read loop behind it, which
loses and finds pictures as told. Cameras in the network are real, in `test_live_faults.py`."""

import logging
import threading
import time

import cv2
import numpy as np
import pytest

from stream.errors import SourceError
from stream.reading.reader import BackgroundReader
from stream.settings.model import SourceSettings
from stream.sources import live as live_source
from stream.sources import webcam
from stream.sources.capture import Capture
from stream.sources.devices import Camera
from stream.sources.live import LiveSource, retry_seconds
from stream.sources.opening import open_source
from stream.sources.status import SourceState


class Device:
    """Stands in for `cv2.VideoCapture`. `script` has one entry per opening: None fails to open, a list is read out."""

    def __init__(self, script):
        self.script = list(script)
        self.openings = []
        self.asked = []
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

            def set(self, property_, value):
                device.asked.append((property_, value))

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


def quick(address=0, *, retry_max_seconds=0.05, **settings):
    settings = SourceSettings(retry_max_seconds=retry_max_seconds, **settings)
    return LiveSource(address, settings, jitter=lambda: 0.0)


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
        assert (source.info.width, source.info.height) == (None, None)  # not yet connected
        assert source.status.state is SourceState.CONNECTING
        before = time.monotonic()
        frames = take(source, 3)
    assert [int(frame.bgr[0, 0, 0]) for frame in frames] == [0, 1, 2]
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert [frame.media_seconds for frame in frames] == [None] * 3
    assert (source.info.width, source.info.height) == (64, 48)
    assert source.info.frames_per_second is None  # it says 0
    assert before <= frames[0].captured_seconds <= frames[2].captured_seconds <= time.monotonic()
    assert source.status.state is SourceState.ENDED


def test_no_webcam_is_said_by_probe_and_waited_for_by_iteration(device):
    device(None, None, None, pictures(1))
    with quick(3) as source:
        with pytest.raises(SourceError, match=r"webcam 3 cannot be opened\. Check that the camera is plugged in"):
            source.probe()
        assert len(take(source, 1)) == 1
    assert source.status.state is SourceState.ENDED


def test_probe_looks_at_one_picture_and_hangs_up(device):
    camera = device(pictures(1, 20, 30), [])
    with quick() as source:
        info = source.probe()
        assert (info.width, info.height) == (30, 20)
        assert camera.released == 1
        with pytest.raises(SourceError, match="gives no picture"):
            source.probe()


def test_a_real_missing_webcam_prints_nothing(capfd):
    with open_source(63) as source, pytest.raises(SourceError, match="webcam 63"):
        source.probe()
    assert "".join(capfd.readouterr()) == ""


def test_what_is_asked_of_a_webcam(device, caplog):
    camera = device(pictures(1))
    asked = {"webcam_size": (1280, 720), "webcam_fps": 15.0, "webcam_format": "MJPG"}
    with caplog.at_level(logging.INFO, "stream"), quick(**asked) as source:
        take(source, 1)
    assert camera.asked == [  # the format first, for it decides about the rest
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
        (cv2.CAP_PROP_FRAME_WIDTH, 1280),
        (cv2.CAP_PROP_FRAME_HEIGHT, 720),
        (cv2.CAP_PROP_FPS, 15.0),
    ]
    assert "asked for 1280×720, the webcam gives 64×48" in caplog.text


def test_a_webcam_by_name_is_looked_up_at_each_opening(device, monkeypatch, worlds):
    camera = device(pictures(1), pictures(1))
    plugged = [[Camera(2, "Desk Cam")], [], [Camera(4, "Desk Cam")]]
    monkeypatch.setattr(webcam, "list_cameras", lambda: plugged.pop(0) if len(plugged) > 1 else plugged[0])
    with quick("desk cam") as source:
        frames = take(source, 2)
    assert [opened for opened, *_ in camera.openings] == [2, 4]
    assert [frame.epoch for frame in frames] == [0, 1]


def test_a_device_that_is_not_plugged_in_yet_is_a_camera():
    with open_source("/dev/v4l/by-id/usb-none-such-video-index0") as source:
        assert source.live
    with pytest.raises(SourceError, match="no such file, folder or camera"):
        open_source("No Such Cam")


def test_a_given_name_is_used_everywhere(device, caplog):
    device(pictures(1))
    source = LiveSource(0, name="desk")
    with caplog.at_level(logging.INFO, "stream"), source:
        (frame,) = take(source, 1)
    assert source.name == frame.source == "desk"
    assert all(message.startswith("desk: ") for message in caplog.messages)


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
    assert states == ["live", "waiting", "waiting", "live", "waiting", "live"]  # lost, then not there


def test_grey_cameras_become_colour(device):
    device([np.full((48, 64), 9, np.uint8)])
    with quick() as source:
        (frame,) = take(source, 1)
    assert frame.bgr.shape == (48, 64, 3)


def test_pauses_grow_to_a_cap():
    assert [retry_seconds(n, 0.5, 15, 0.0) for n in range(1, 8)] == [0.5, 1, 2, 4, 8, 15, 15]
    assert retry_seconds(10**6, 0.5, 15, 0.0) == 15
    assert retry_seconds(1, 0.5, 15, 1.0) == 0.25


def test_a_camera_that_flaps_is_not_hammered(device, monkeypatch):
    monkeypatch.setattr(live_source, "RETRY_MIN_SECONDS", 0.02)
    camera = device(*[pictures(1) for _ in range(6)])
    with quick(retry_max_seconds=0.2) as source:
        take(source, 6)
    pauses = np.diff([opened for _, _, opened in camera.openings])
    assert (pauses >= np.array([0.02, 0.04, 0.08, 0.16, 0.2])).all()


def test_a_camera_that_fails_for_ever_is_logged_once(device, caplog, worlds):
    camera = device()
    source = quick(retry_max_seconds=0.01)
    with caplog.at_level(logging.INFO, "stream"), BackgroundReader(source):
        assert worlds.wait_until(lambda: len(camera.openings) > 20)
        status = source.status
    assert status.state is SourceState.WAITING
    assert status.reason == "cannot be opened"
    assert caplog.messages == ["webcam 0: waiting: cannot be opened"]


def test_close_wakes_the_wait(device, monkeypatch, worlds):
    monkeypatch.setattr(live_source, "RETRY_MIN_SECONDS", 600)
    device(pictures(1))
    source = quick(retry_max_seconds=600)
    started = time.monotonic()
    with BackgroundReader(source) as frames:
        assert len(frames.take()) == 1
        assert worlds.wait_until(lambda: source.status.next_try_seconds is not None)
        status = source.status
        assert status.state is SourceState.WAITING
        assert "gives no picture" in status.reason
        assert started <= status.since_seconds <= time.monotonic()
        assert status.next_try_seconds == pytest.approx(status.since_seconds + 600, abs=5)
    assert time.monotonic() - started < 5
    assert source.status.state is SourceState.ENDED
    source.close()


def test_close_does_not_wait_for_an_opening(monkeypatch, worlds):
    opening, go_on, released = threading.Event(), threading.Event(), threading.Event()

    class Slow:
        def __init__(self, *_):
            opening.set()
            go_on.wait(10)

        isOpened = lambda self: True  # noqa: E731, N815
        release = lambda self: released.set()  # noqa: E731

    monkeypatch.setattr(cv2, "VideoCapture", Slow)
    before = threading.active_count()
    with BackgroundReader(quick()):
        assert opening.wait(10)
        started = time.monotonic()
    assert time.monotonic() - started < 2
    go_on.set()  # what opens too late is given back at once
    assert released.wait(10)
    assert worlds.wait_until(lambda: threading.active_count() == before)


def test_release_never_meets_a_read(device, monkeypatch):
    reading, go_on = threading.Event(), threading.Event()
    camera = device(pictures(1))
    source = quick()
    opened = cv2.VideoCapture

    def open_slow(*arguments):
        capture = opened(*arguments)

        def read():
            reading.set()
            go_on.wait(10)
            assert camera.released == 0
            return True, pictures(1)[0]

        capture.read = read
        return capture

    monkeypatch.setattr(cv2, "VideoCapture", open_slow)
    frames = []
    thread = threading.Thread(target=lambda: frames.extend(source))
    thread.start()
    assert reading.wait(10)
    source.close()
    assert camera.released == 0
    go_on.set()
    thread.join(10)
    assert camera.released
    assert frames == []


def test_a_close_at_the_last_moment_of_a_read_is_not_lost(device):
    camera = device(pictures(2))
    capture = Capture(0, cv2.CAP_ANY)
    lock = capture._lock

    class ClosedJustBefore:
        acquire, release = lock.acquire, lock.release

        def __enter__(self):
            lock.acquire()

        def __exit__(self, *_):
            if not capture.closed:
                capture.close()
            lock.release()

    capture._lock = ClosedJustBefore()
    assert capture.read() is None
    assert camera.released == 1
