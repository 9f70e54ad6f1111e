"""Cameras for benchmarks: real RTSP servers, each in a process of its own, that can be killed and started again."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Server", "clock_of", "raw_pictures", "served_clip", "standing"]

SERVER = Path(__file__).resolve().parents[1] / "tests" / "rtsp_server.py"


class Server:
    """A process that serves one stream at `address`, the same after every start.

    Args:
        what: see `tests/rtsp_server.py`: a clip, or raw pictures for a stream with a clock.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"rtsp://127.0.0.1:{self._port}/cam"

    def start(self) -> None:
        """Serve; returns when it listens."""
        command = ["/usr/bin/python3", str(SERVER), "--port", str(self._port), f"cam={self._what}"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        ready = self._process.stdout.readline().split()
        if ready[:1] != ["ready"]:
            raise SystemExit("The RTSP server does not start; see the head of tests/rtsp_server.py for its packages.")
        self._port = int(ready[1])

    def cpu_seconds(self) -> float:
        """CPU time that it has taken so far, all threads."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime

    def kill(self) -> None:
        """End it without a word to its viewers."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()


def served_clip(clip: Path, path: Path, size: tuple[int, int], rate: int, seconds: float) -> Path:
    """The clip's beginning as a camera would send it: H.264 without B-frames, a keyframe a second."""
    with av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "bf": "0", "g": str(rate)}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for picture in _pictures(clip, size, rate, seconds):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        container.mux(stream.encode())
    return path


def raw_pictures(clip: Path, path: Path, size: tuple[int, int], rate: int, seconds: float) -> Path:
    """The clip's beginning as raw I420, for a stream with a clock. The top eighth, where that will be, stays free."""
    with path.open("wb") as file:
        for picture in _pictures(clip, size, rate, seconds, top=size[1] // 8):
            file.write(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path


def _pictures(
    clip: Path, size: tuple[int, int], rate: int, seconds: float, top: int = 0
) -> Iterator[NDArray[np.uint8]]:
    """The clip's beginning at its own speed, in its own proportions, black beside and in the first `top` rows."""
    capture = cv2.VideoCapture(str(clip))
    clip_rate, shown = capture.get(cv2.CAP_PROP_FPS), -1
    width, height = size
    canvas = np.zeros((height, width, 3), np.uint8)
    for number in range(round(rate * seconds)):
        while shown < int(number / rate * clip_rate + 1e-6):
            ok, picture = capture.read()
            if not ok:
                capture.release()
                return
            shown += 1
            scale = min(width / picture.shape[1], (height - top) / picture.shape[0])
            w, h = int(scale * picture.shape[1]), int(scale * picture.shape[0])
            left = (width - w) // 2
            canvas[top : top + h, left : left + w] = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)
        yield canvas
    capture.release()


def clock_of(bgr: NDArray[np.uint8]) -> float:
    """The time drawn into a picture of a stream with a clock, seconds of `time.monotonic()`."""
    height, width = bgr.shape[:2]
    cell = width // 32
    row = bgr[height // 16, :, 1]
    return sum(int(row[bit * cell + cell // 2] > 127) << bit for bit in range(32)) / 1000


def standing() -> dict[str, Any]:
    """What this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        "resident_mb": round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1),
        "open_files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "system_threads": len(os.listdir("/proc/self/task")),
    }


def share(values: Sequence[float], quantile: float) -> float:
    """A quantile in milliseconds of values in seconds."""
    return round(1e3 * float(np.quantile(np.array(values), quantile)), 1)
