"""Frames a second of reading alone: ours (PyAV, `FileSource`) against OpenCV's `VideoCapture`, 480p to 4K.

One clip is scaled and coded for each size, as cameras and telephones code. Both give BGR arrays; nothing else is done
with them. The two take turns in one run, and the ratio is taken within a turn, so a loaded machine hits both. CPU time
a frame stands beside, which load changes least.

python -m bench.reading CLIP
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.machine import cpu_seconds, limit_cores, load, machine, show, spread, write

RESULT: Final = Path(__file__).parent / "results" / "reading.json"
H264: Final = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "2")
KINDS: Final = {
    "480p H.264": (854, 480, H264),
    "720p H.264": (1280, 720, H264),
    "1080p H.264": (1920, 1080, H264),
    "1080p H.265": (1920, 1080, ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")),
    "1080p MPEG-4": (1920, 1080, ("-c:v", "mpeg4", "-q:v", "4")),
    "2160p H.264": (3840, 2160, H264),
}


def opencv(clip: Path) -> int:
    import cv2

    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    count = 0
    while capture.read()[0]:
        count += 1
    capture.release()
    return count


def ours(clip: Path) -> int:
    from stream.sources.file import FileSource

    with FileSource(clip) as source:
        return sum(1 for _ in source)


READERS: Final[dict[str, Callable[[Path], int]]] = {"opencv": opencv, "ours": ours}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=200, help="in each clip; of 2160p a quarter (200)")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cores", type=int, help="keep everything on this many cores (all)")
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    args = parser.parse_args()
    limit_cores(args.cores)
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        clips = {kind: _coded(args.clip, Path(folder), kind, args.frames) for kind in KINDS}
        before = load()
        for kind, clip in clips.items():
            rows[kind] = _measure(clip, args.repeats)
            print(
                f"{kind:12}  OpenCV {show(rows[kind]['opencv'])} frames/s, ours {show(rows[kind]['ours'])}, ratio "
                f"{show(rows[kind]['ratio'], 2)}; CPU ms a frame {rows[kind]['opencv_cpu_ms']} and "
                f"{rows[kind]['ours_cpu_ms']}"
            )
    write(args.out, {"frames_per_second": rows}, before, machine())
    return 0


def _coded(clip: Path, folder: Path, kind: str, frames: int) -> Path:
    """The clip, looped, in one size and coding."""
    width, height, coding = KINDS[kind]
    count = frames // 4 if height > 1080 else frames
    coded = folder / f"{kind.replace(' ', '_')}.mp4"
    scale = f"scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height},setsar=1"
    loop = ["ffmpeg", "-nostdin", "-v", "error", "-stream_loop", "-1", "-i", str(clip), "-an", "-vf", scale]
    subprocess.run([*loop, "-frames:v", str(count), *coding, "-pix_fmt", "yuv420p", str(coded)], check=True)
    return coded


def _measure(clip: Path, repeats: int) -> dict[str, Any]:
    speeds: dict[str, list[float]] = {name: [] for name in READERS}
    cpu: dict[str, list[float]] = {name: [] for name in READERS}
    for repeat in range(-1, repeats):  # the first warms up
        for name, read in READERS.items():
            used, started = cpu_seconds(), time.perf_counter()
            count = read(clip)
            seconds = time.perf_counter() - started
            if repeat >= 0:
                speeds[name].append(count / seconds)
                cpu[name].append(1000 * (cpu_seconds() - used) / count)
    ratios = [mine / other for mine, other in zip(speeds["ours"], speeds["opencv"], strict=True)]
    return {
        **{name: spread(values, 1) for name, values in speeds.items()},
        "ratio": spread(ratios, 3),
        **{f"{name}_cpu_ms": round(statistics.median(values), 2) for name, values in cpu.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
