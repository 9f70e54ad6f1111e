"""Small worlds for the tests of `stream`: clips whose pictures carry their own number, sources without a camera, a
real RTSP server."""

from __future__ import annotations

import os
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
from stream.source_state import SourceState, SourceStatus
from stream.sources import SourceInfo

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
    options: dict[str, str] | None = None,
) -> Path:
    """A stamped clip with the given presentation times in seconds, a keyframe every 10 pictures."""
    import av

    ticks = 30_000
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p" if size[1] % 2 == 0 else "yuv444p"
        stream.options = {"preset": "ultrafast", "bf": str(bframes), "g": "10"}
        stream.codec_context.time_base = stream.time_base = Fraction(1, ticks)
        if rotate:
            stream.metadata["rotate"] = str(rotate)
        for number, seconds in enumerate(times):
            frame = av.VideoFrame.from_ndarray(stamped(number, *size), "bgr24")
            frame.pts, frame.time_base = round(seconds * ticks), Fraction(1, ticks)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


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
def worlds() -> object:
    """The helpers of this file, for test modules (which cannot import it by name)."""
    import sys

    return sys.modules[__name__]


@pytest.fixture(scope="session")
def shared_videos() -> Path:
    """The real clips beside the checkout."""
    videos = ROOT.parent / "shared" / "videos"
    if not videos.is_dir():
        pytest.skip("no real clips: ../shared/videos is not there")
    return videos
