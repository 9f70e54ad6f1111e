"""What cameras in the network do to us. Strategy: a real RTSP server in a process of its own, which is killed, frozen,
locked, moved behind a network that loses packets, and started again; bare sockets where a host is to say nothing. Every
test counts the threads and files that are left."""

import contextlib
import http.server
import itertools
import logging
import os
import socket
import subprocess
import threading
import time

import cv2
import pytest

from stream.errors import SourceError
from stream.reading.reader import BackgroundReader
from stream.settings.model import SourceSettings
from stream.sources.live import LiveSource
from stream.sources.opening import open_source
from stream.sources.status import SourceState

WAITING, LIVE, STALLED = SourceState.WAITING, SourceState.LIVE, SourceState.STALLED


@pytest.fixture
def clip(tmp_path, worlds):
    return worlds.write_clip(tmp_path / "cam.mp4", [n / 30 for n in range(90)])


@pytest.fixture(autouse=True)
def nothing_is_left(worlds):
    """No thread, also none of FFmpeg's, and no file or socket."""

    def left():
        tasks, files = (len(os.listdir(f"/proc/self/{kind}")) for kind in ("task", "fd"))
        return tasks, files, threading.active_count()

    before = left()
    yield
    assert worlds.wait_until(lambda: all(now <= then for now, then in zip(left(), before, strict=True))), left()


def camera(address, **settings):
    quick = {"open_timeout_seconds": 8.0, "retry_max_seconds": 0.3, "stall_seconds": 0.5, "read_timeout_seconds": 2.0}
    return LiveSource(address, SourceSettings(**quick | settings), name="door")


def becomes(worlds, source, state, reason="", seconds=10.0):
    return worlds.wait_until(lambda: source.status.state is state and reason in source.status.reason, seconds)


def test_killed_and_started_again_with_another_size_and_rate(rtsp_server, clip, tmp_path, worlds, caplog):
    server = rtsp_server(clip)
    source = camera(server.address())
    with caplog.at_level(logging.DEBUG, "stream"), BackgroundReader(source) as frames:
        first = [frames.take(timeout_seconds=10)[0] for _ in range(20)]
        assert (source.info.width, source.info.height, source.info.frames_per_second) == (192, 128, 30)
        server.kill()
        assert becomes(worlds, source, WAITING, "refuses the connection")
        time.sleep(1)  # some attempts
        server.clip = worlds.write_clip(tmp_path / "other.mp4", [n / 12 for n in range(60)], size=(320, 240))
        server.start()
        second = next(frame for frame in frames if frame.epoch == 1)
        assert source.status.state is LIVE
        assert (source.info.width, source.info.height, source.info.frames_per_second) == (320, 240, 12)
    assert second.bgr.shape == (240, 320, 3)
    numbers = [frame.number for frame in first]
    assert numbers == sorted(set(numbers))
    assert second.number > numbers[-1]
    assert second.captured_seconds > first[-1].captured_seconds
    stamps = [worlds.stamp_of(frame.bgr) for frame in first]
    assert set(stamps) <= set(range(90))
    assert all(one != next_one for one, next_one in itertools.pairwise(stamps))
    said = [message for message in caplog.messages if message.startswith("door: ")]
    assert [message.split(":")[1].strip() for message in said] == ["live", "waiting", "waiting", "live", "ended"]


def test_frozen_for_a_moment_then_for_long_then_thawed(rtsp_server, clip, worlds, caplog):
    server = rtsp_server(clip)
    source = camera(server.address())
    with caplog.at_level(logging.INFO, "stream"), BackgroundReader(source) as frames:
        assert frames.take(timeout_seconds=10)
        server.freeze()
        frozen = time.monotonic()
        assert becomes(worlds, source, STALLED, "no picture for 0.5 s")
        assert time.monotonic() - frozen < 1.5
        server.thaw()
        assert becomes(worlds, source, LIVE)
        assert frames.take(timeout_seconds=10)[0].epoch == 0  # the connection held
        server.freeze()
        frozen = time.monotonic()
        assert becomes(worlds, source, WAITING, "no picture for 2.0 s")
        assert time.monotonic() - frozen < 3.5
        server.thaw()
        assert next(frame for frame in frames if frame.epoch == 1)
    said = [message.split(":")[1].strip() for message in caplog.messages]
    assert said == ["live", "stalled", "live", "stalled", "waiting", "live"]


def test_close_while_the_server_is_frozen_in_a_read(rtsp_server, clip, worlds):
    server = rtsp_server(clip)
    source = LiveSource(server.address())
    with BackgroundReader(source, join_timeout_seconds=10) as frames:
        assert frames.take(timeout_seconds=10)
        server.freeze()
        assert becomes(worlds, source, STALLED)
        started = time.monotonic()
    assert time.monotonic() - started < 6
    server.thaw()


@pytest.mark.parametrize("scheme", ["rtsp", "http", "rtmp"])
def test_close_while_connecting_to_a_host_that_says_nothing(scheme):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = camera(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/cam", open_timeout_seconds=3)
        with BackgroundReader(source):
            time.sleep(0.5)
            assert source.status.state is SourceState.CONNECTING
            started = time.monotonic()
        assert time.monotonic() - started < 1


def test_a_host_that_says_nothing_is_told(worlds, caplog, capfd):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = camera(f"rtsp://bob:secret@127.0.0.1:{silent.getsockname()[1]}/cam", open_timeout_seconds=0.4)
        with caplog.at_level(logging.DEBUG), BackgroundReader(source):
            assert becomes(worlds, source, WAITING, "does not answer within 0.4 s")
            time.sleep(2)  # some attempts
    levels = [record.levelno for record in caplog.records if record.name == "stream.sources.live"]
    assert [level for level in levels if level > logging.DEBUG] == [logging.WARNING]
    assert "secret" not in caplog.text + "".join(capfd.readouterr())


def test_a_server_that_comes_later(rtsp_server, clip, worlds):
    server = rtsp_server(clip)
    server.kill()
    source = camera(server.address())
    with BackgroundReader(source) as frames:
        assert becomes(worlds, source, WAITING, "refuses the connection")
        assert frames.take(timeout_seconds=0.1) == []
        server.start()
        (frame,) = frames.take(timeout_seconds=10)
        assert frame.epoch == 0  # its number says how many came at once while it connected


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG], ids=["plain", "verbose"])
def test_a_wrong_password_is_told_until_it_works(rtsp_server, clip, worlds, caplog, capfd, level):
    server = rtsp_server(clip, login="bob:other")
    source = camera(server.address("bob:secret"))
    with caplog.at_level(level), BackgroundReader(source) as frames:
        assert becomes(worlds, source, WAITING, "refuses the user name or password")
        with pytest.raises(SourceError, match="Check the user name and the password") as caught:
            source.probe()
        server.kill()
        server.login = "bob:secret"
        server.start()
        (frame,) = frames.take(timeout_seconds=10)
        info = source.probe()
    assert (info.width, info.height) == (192, 128)
    error = caught.value
    assert "bob:***@" in str(error)
    while error is not None:
        assert "secret" not in repr(error)
        error = error.__cause__ or error.__context__
    assert "secret" not in caplog.text + "".join(capfd.readouterr()) + repr(frame) + repr(source.status)


def test_a_wrong_path(rtsp_server, clip, worlds):
    server = rtsp_server(clip)
    with camera(server.address() + "-none") as source, pytest.raises(SourceError, match="does not have this path"):
        source.probe()


def test_no_such_host(capfd):
    source = camera("rtsp://bob:secret@no-such-host.invalid/cam")
    with pytest.raises(SourceError, match=r"bob:\*\*\*@no-such-host\.invalid/cam cannot be reached"):
        source.probe()
    assert "secret" not in "".join(capfd.readouterr())


def _own_udp_sockets():
    """How many of this process's sockets are UDP."""
    with open("/proc/net/udp") as table:
        udp = {f"socket:[{line.split()[9]}]" for line in list(table)[1:]}
    own = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            own.add(os.readlink(f"/proc/self/fd/{number}"))
    return len(udp & own)


def test_transports_side_by_side(rtsp_server, clip):
    server = rtsp_server(clip)
    before = _own_udp_sockets()
    with BackgroundReader(camera(server.address())) as tcp:
        assert tcp.take(timeout_seconds=10)
        assert _own_udp_sockets() == before
        with BackgroundReader(camera(server.address(), transport="udp")) as udp:
            assert udp.take(timeout_seconds=10)
            assert _own_udp_sockets() > before
        with BackgroundReader(camera(server.address())) as other:
            assert other.take(timeout_seconds=10)
            assert _own_udp_sockets() == before


def test_hardware_decoding_says_what_it_became(rtsp_server, clip, caplog):
    server = rtsp_server(clip)
    with (
        caplog.at_level(logging.INFO, "stream"),
        BackgroundReader(camera(server.address(), hardware_decoding="auto")) as frames,
    ):
        assert frames.take(timeout_seconds=10)
    assert "door: live: decoded on the " in caplog.text


def test_a_prepared_camera(rtsp_server, clip):
    server = rtsp_server(clip)
    settings = SourceSettings(rotation=90, region=(0, 0, 1, 0.5), max_fps=10)
    source = open_source(server.address(), settings)
    assert (source.live, source.info.width, source.info.height) == (True, None, None)
    with BackgroundReader(source) as frames:
        taken = [frames.take(timeout_seconds=10)[0] for _ in range(8)]
        assert (source.info.width, source.info.height, source.info.frames_per_second) == (128, 96, 10)
        assert source.status.state is LIVE
    assert {frame.bgr.shape for frame in taken} == {(96, 128, 3)}
    assert source.capped > 8
    assert taken[-1].captured_seconds - taken[1].captured_seconds > 0.5


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
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    frames = []
    try:
        address = f"http://127.0.0.1:{server.server_port}/video?token=secret"
        with LiveSource(address, SourceSettings(retry_max_seconds=0.05)) as source:
            for frame in source:
                frames.append(frame)
                if len(frames) == 45:
                    source.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert source.name.endswith("/video?token=***")
    assert {frame.epoch for frame in frames} == {0, 1}
    stamps = [worlds.stamp_of(frame.bgr) for frame in frames if frame.epoch == 0]
    assert stamps == list(range(len(stamps)))
    assert len(stamps) >= 28  # FFmpeg may keep the last one back


# --- a network that loses packets ---


@pytest.fixture
def far_network():
    """A network namespace behind a pair of virtual cables: (command prefix in it, its address, our cable)."""
    name, near, far = f"stance{os.getpid()}", f"sn{os.getpid() % 100000}", f"sf{os.getpid() % 100000}"
    steps = [
        f"netns add {name}",
        f"link add {near} type veth peer name {far}",
        f"link set {far} netns {name}",
        f"addr add 10.213.77.1/30 dev {near}",
        f"link set {near} up",
        f"-n {name} addr add 10.213.77.2/30 dev {far}",
        f"-n {name} link set {far} up",
    ]
    try:
        for step in steps:
            done = subprocess.run(["ip", *step.split()], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                pytest.skip(f"this machine allows no network namespaces (ip {step}: {done.stderr.strip()})")
        yield ["ip", "netns", "exec", name], "10.213.77.2", near
    except FileNotFoundError:
        pytest.skip("ip is not installed (apt-get install iproute2)")
    finally:
        with contextlib.suppress(FileNotFoundError):
            subprocess.run(["ip", "link", "del", near], capture_output=True, check=False)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_network_that_is_cut(far_network, rtsp_server, clip, worlds, transport):
    prefix, host, cable = far_network
    server = rtsp_server(clip, host=host, prefix=prefix)
    source = camera(server.address(), transport=transport, open_timeout_seconds=2.0)
    with BackgroundReader(source) as frames:
        assert frames.take(timeout_seconds=10)
        subprocess.run(["ip", "link", "set", cable, "down"], check=True)
        assert becomes(worlds, source, WAITING)
        subprocess.run(["ip", "link", "set", cable, "up"], check=True)
        assert next(frame for frame in frames if frame.epoch == 1)
