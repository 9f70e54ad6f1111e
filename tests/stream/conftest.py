"""Small worlds for the tests of `stream`: clips whose pictures carry their own number, sources without a camera, a
real RTSP server."""

from __future__ import annotations

import base64
import contextlib
import http.server
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pose.poses import Poses
from stream.frame import Frame
from stream.scene import Scene
from stream.sources.base import SourceInfo
from stream.sources.status import SourceState, SourceStatus

ROOT = Path(__file__).resolve().parents[2]
STAMP_BITS = 12


def stamped(number: int, width: int = 192, height: int = 128) -> np.ndarray:
    """A picture that says its number: a bar of 12 cells over the full width, white for 1, black for 0."""
    bgr = np.full((height, width, 3), 110, np.uint8)
    bgr[:, :, 0] = np.linspace(40, 200, width, dtype=np.uint8)
    for bit in range(STAMP_BITS):
        bgr[: height // 4, bit * width // STAMP_BITS : (bit + 1) * width // STAMP_BITS] = 255 * (number >> bit & 1)
    return bgr


def stamp_of(bgr: np.ndarray) -> int:
    """The number in a stamped picture, also after coding and scaling."""
    height, width = bgr.shape[:2]
    columns = [(2 * bit + 1) * width // (2 * STAMP_BITS) for bit in range(STAMP_BITS)]
    return sum(int(bgr[height // 8, column].mean() > 127) << bit for bit, column in enumerate(columns))


def write_clip(
    path: Path,
    times: list[float],
    *,
    size: tuple[int, int] = (192, 128),
    bframes: int = 0,
    rotate: int = 0,
    gop: int = 10,
    moving: bool = False,
    noise: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """A stamped clip with the given presentation times in seconds, a keyframe every `gop` pictures. Below the stamp a
    bar may move, or noise make the file large."""
    import av

    ticks = 30_000
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p" if size[1] % 2 == 0 else "yuv444p"
        stream.options = {"preset": "ultrafast", "bf": str(bframes), "g": str(gop)}
        stream.codec_context.time_base = stream.time_base = Fraction(1, ticks)
        if rotate:
            stream.metadata["rotate"] = str(rotate)
        for number, seconds in enumerate(times):
            bgr = stamped(number, *size)
            if moving:
                bgr[size[1] // 2 :, 6 * number : 6 * number + 80] = 250
            if noise:
                shape = bgr[size[1] // 2 :].shape
                bgr[size[1] // 2 :] = np.random.default_rng(number).integers(0, 256, shape, np.uint8)
            frame = av.VideoFrame.from_ndarray(bgr, "bgr24")
            frame.pts, frame.time_base = round(seconds * ticks), Fraction(1, ticks)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_clip_with_sound(
    path: Path,
    times: list[float],
    beeps: list[float],
    *,
    seconds: float,
    codec: str = "aac",
    rate: int = 48_000,
    sound_start: float = 0.0,
) -> Path:
    """A stamped clip, and sound from `sound_start` for `seconds`: silence, and a tenth of a second of 1 kHz at `beeps`,
    by the clock of `times`."""
    import av

    moments = sound_start + np.arange(round(seconds * rate)) / rate
    wave = sum(
        np.where((moments >= at) & (moments < at + 0.1), np.sin(2 * np.pi * 1000 * (moments - at)), 0) for at in beeps
    )
    samples = np.tile((0.5 * wave).astype(np.float32), (2, 1))
    ticks = 30 if path.suffix == ".avi" else 30_000  # AVI fills every tick
    coding = "mpeg4" if path.suffix == ".avi" else "libx264"
    with av.open(str(path), "w") as container:
        video = container.add_stream(coding, rate=30, options={"preset": "ultrafast", "bf": "0", "g": "10"})
        video.width, video.height, video.pix_fmt = 192, 128, "yuv420p"
        video.codec_context.time_base = video.time_base = Fraction(1, ticks)
        options = {"strict": "-2"} if codec == "vorbis" else {}
        sound = container.add_stream(codec, rate=rate, layout="stereo", options=options)
        packets = []
        for number, at in enumerate(times):
            frame = av.VideoFrame.from_ndarray(stamped(number), "bgr24")
            frame.pts, frame.time_base = round(at * ticks), Fraction(1, ticks)
            packets += video.encode(frame)
        packets += video.encode()
        resampler = av.AudioResampler(format=sound.format.name, layout="stereo", rate=rate, frame_size=1024)
        if codec not in ("pcm_s16le", "vorbis"):
            resampler = av.AudioResampler(sound.format.name, "stereo", rate, frame_size=sound.codec_context.frame_size)
        whole = av.AudioFrame.from_ndarray(samples, "fltp", "stereo")
        whole.sample_rate, whole.pts, whole.time_base = rate, round(sound_start * rate), Fraction(1, rate)
        for chunk in [*resampler.resample(whole), *resampler.resample(None)]:
            packets += sound.encode(chunk)
        packets += sound.encode()
        packets.sort(key=lambda packet: packet.dts * packet.time_base)
        container.mux(packets)
    return path


def beeps_in(path: Path) -> np.ndarray:
    """When the beeps of a file begin, by its own clock, seconds."""
    import av

    with av.open(str(path)) as container:
        moments, levels = [], []
        for frame in container.decode(audio=0):
            wave = frame.to_ndarray().astype(np.float64)
            if frame.format.is_packed:
                wave = wave.reshape(-1, frame.layout.nb_channels).T
            full = 32768 if frame.format.name.startswith("s16") else 1
            levels.append(np.abs(wave[0]) / full)
            moments.append(frame.time + np.arange(len(wave[0])) / frame.sample_rate)
    loud = np.concatenate(moments)[np.concatenate(levels) > 0.1]
    return loud[np.concatenate([[True], np.diff(loud) > 0.05])] if len(loud) else loud


@dataclass
class FakeSource:
    """A source without a camera: gives frames when `permits` are released, then an error or the end."""

    count: int = 10
    live: bool = False
    still: bool = False
    error: Exception | None = None
    size: tuple[int, int] = (192, 128)
    info: SourceInfo = field(default_factory=lambda: SourceInfo(192, 128, 30.0, 10, 10 / 30))
    path: Path | None = None
    name: str = "fake"
    permits: threading.Semaphore | None = None
    given: int = 0
    status: SourceStatus = field(default_factory=lambda: SourceStatus(SourceState.LIVE))
    closed: threading.Event = field(default_factory=threading.Event)

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self.count):
            if self.permits is not None:
                self.permits.acquire()
            if self.closed.is_set():
                return
            self.given += 1
            yield self.frame(number)
        if self.error is not None:
            raise self.error

    def frame(self, number: int, seconds: float | None = None, size: tuple[int, int] | None = None) -> Frame:
        media = None if self.live or self.still else number / 30 if seconds is None else seconds
        captured = 1000 + number / 30 if seconds is None else 1000 + seconds
        return Frame(stamped(number, *(size or self.size)), self.name, number, 0, media, captured)

    def close(self) -> None:
        self.closed.set()
        if self.permits is not None:
            self.permits.release()

    def __enter__(self) -> FakeSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def captured_now(frame: Frame) -> Frame:
    return replace(frame, captured_seconds=time.monotonic())


def empty_scene(frame: Frame) -> Scene:
    return Scene(frame, Poses.empty())


def need(program: str, packages: str) -> None:
    """Skip without a system program; on the CI machine, which must have it, fail."""
    if Path(program).exists():
        return
    reason = f"{program} is not installed (apt-get install {packages})"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def wait_until(condition: Callable[[], object], timeout_seconds: float = 10.0) -> bool:
    """Wait for something another thread or process does; whether it came."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


class RtspServer:
    """`tests/rtsp_server.py` in a process of its own, which can be killed and started again on the same port."""

    def __init__(
        self, clip: Path, login: str | None = None, host: str = "127.0.0.1", prefix: Sequence[str] = ()
    ) -> None:
        self.port = 0
        self.clip = clip
        self.login = login
        self._host = host
        self._prefix = prefix
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        """Start, or start again, on the same port; `clip` and `login` may have been changed before."""
        command = [*self._prefix, "/usr/bin/python3", str(ROOT / "tests" / "rtsp_server.py")]
        command += ["--host", self._host, "--port", str(self.port)]
        command += ["--login", self.login] if self.login else []
        self._process = subprocess.Popen([*command, f"cam={self.clip}"], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        ready = self._process.stdout.readline().split()
        assert ready[:1] == ["ready"], "the RTSP server did not start"
        self.port = int(ready[1])

    def address(self, login: str = "") -> str:
        return f"rtsp://{login and login + '@'}{self._host}:{self.port}/cam"

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()


def _gstreamer_answers() -> bool:
    check = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    return subprocess.run(["/usr/bin/python3", "-c", check], capture_output=True, check=False).returncode == 0


@pytest.fixture
def rtsp_server() -> Iterator[Callable[..., RtspServer]]:
    """Starts RTSP servers; all are killed at the end."""
    packages = "gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
    need("/usr/bin/python3", packages)
    if not _gstreamer_answers():
        reason = f"GStreamer's RTSP server is not installed (apt-get install {packages})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    servers: list[RtspServer] = []

    def start(*arguments: object, **options: object) -> RtspServer:
        servers.append(RtspServer(*arguments, **options))  # type: ignore[arg-type]
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1.5 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow mounting a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An X server; gives its name and the file that is its screen."""
    need("/usr/bin/Xvfb", "xvfb")
    folder = tmp_path_factory.mktemp("screen")
    reader, writer = os.pipe()
    command = ["/usr/bin/Xvfb", "-displayfd", str(writer), "-screen", "0", "800x600x24", "-fbdir", str(folder)]
    command += ["-noreset"]  # else it starts afresh, with another screen file, whenever its last client leaves
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        number = pipe.readline().strip()
    yield f":{number}", folder / "Xvfb_screen0"
    server.send_signal(signal.SIGTERM)
    server.wait(10)


@pytest.fixture
def worlds() -> object:
    """The helpers of this file, for test modules (which cannot import it by name)."""
    import sys

    return sys.modules[__name__]


@pytest.fixture(scope="session")
def shared_videos(shared: Path) -> Path:
    """The real clips beside the checkout."""
    return shared / "videos"


def ffmpeg(*arguments: object) -> None:
    """Run FFmpeg's own command. Skip where it or an encoder is missing; on the CI machine, which must have it, fail."""
    need("/usr/bin/ffmpeg", "ffmpeg")
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Unknown encoder" in done.stderr and not os.environ.get("CI"):
        pytest.skip(f"this ffmpeg lacks an encoder: {done.stderr.strip()}")
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


class WebServer:
    """A real HTTP server of a folder, in a thread.

    Args:
        folder: what it serves.
        ranges: whether it gives parts of files, as Python's own does not.
        login: `user:password` that it asks for.
        answers: content made on the spot, by path: gives `(content type, content)`; None is a 404.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ranges: bool = False,
        login: str | None = None,
        answers: dict[str, Callable[[], tuple[str, bytes] | None]] | None = None,
    ) -> None:
        self.asked: list[tuple[float, str]] = []
        self.folder = folder
        self.ranges = ranges
        self.login = login
        self.answers = answers or {}
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError):
                    server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        self.asked.append((time.monotonic(), path))
        if self.login is not None:
            expected = "Basic " + base64.b64encode(self.login.encode()).decode()
            if request.headers.get("Authorization") != expected:
                request.send_response(401)
                request.send_header("WWW-Authenticate", 'Basic realm="camera"')
                request.send_header("Content-Length", "0")
                request.end_headers()
                return
        if path in self.answers:
            made = self.answers[path]()
        else:
            file = self.folder / path.lstrip("/")
            made = ("application/octet-stream", file.read_bytes()) if file.is_file() else None
        if made is None:
            request.send_response(404)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        kind, content = made
        start = 0
        wanted = request.headers.get("Range")
        if self.ranges and wanted:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        request.wfile.write(content[start:])

    def address(self, path: str, login: str = "") -> str:
        return f"http://{login and login + '@'}127.0.0.1:{self._server.server_port}/{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def web_server(tmp_path: Path) -> Iterator[Callable[..., WebServer]]:
    """Starts HTTP servers of the test's folder; all are closed at the end."""
    servers: list[WebServer] = []

    def start(folder: Path | None = None, **options: object) -> WebServer:
        servers.append(WebServer(folder or tmp_path, **options))  # type: ignore[arg-type]
        return servers[-1]

    yield start
    for server in servers:
        server.close()
