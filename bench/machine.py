"""What a figure was measured on: the machine, the versions, the commit, the load before and after.

Needs nothing but the standard library, so that another project's environment can use it too.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

__all__ = ["allowed_cores", "cpu_seconds", "limit_cores", "load", "machine", "show", "spread", "write"]

PACKAGES: Final = ("torch", "openvino", "opencv-python", "numpy", "faiss-cpu", "faiss-gpu", "av", "ultralytics")
FLAGS: Final = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")
QUIET_LOAD: Final = 0.3
"""Runnable processes per core before a measurement, up to which the machine counts as quiet."""

REPOSITORY: Final = Path(__file__).resolve().parent.parent


def allowed_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_cores(count: int | None) -> int:
    """Keep this process, all its threads and children, on the first `count` cores. None changes nothing.

    Call it before anything makes threads. Returns how many cores are left.
    """
    if count is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    return allowed_cores()


def cpu_seconds() -> float:
    """CPU time of all threads of this process so far, user and system."""
    return time.process_time()


def load() -> dict[str, Any]:
    """Load of the machine now: the average over a minute, and the processes that want a core this instant, but us."""
    facts: dict[str, Any] = {"one_minute": round(os.getloadavg()[0], 2)}
    try:
        # "0.20 0.18 0.12 3/80 11206": three averages, runnable/all
        samples = []
        for _ in range(10):
            samples.append(int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].split("/")[0]) - 1)
            time.sleep(0.05)
        facts["others_running"] = round(statistics.mean(samples), 1)
    except OSError:
        facts["others_running"] = None
    return facts


def machine() -> dict[str, Any]:
    """The facts every result carries. Names no user, host or folder."""
    return {
        "cpu": _cpu_model(),
        "cores_allowed": allowed_cores(),
        "cores": os.cpu_count(),
        "cpu_flags": _cpu_flags(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "gpu": _gpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name)) is not None},
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "changed_beside_the_commit": bool(_git("status", "--porcelain", "--", "pose", "index", "stream", "weights")),
        "date": time.strftime("%Y-%m-%d"),
    }


def _cpu_info(field: str) -> str | None:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == field:
                return value.strip()
    except OSError:
        pass
    return None


def _cpu_model() -> str:
    name = _cpu_info("model name") or platform.processor() or "unknown"
    family, model = _cpu_info("cpu family"), _cpu_info("model")
    return f"{name} (family {family}, model {model})" if family else name


def _cpu_flags() -> list[str]:
    present = set((_cpu_info("flags") or "").split())
    return [flag for flag in FLAGS if flag in present]


def _gpu() -> str | None:
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name(0) if torch is not None and torch.cuda.is_available() else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def spread(values: Sequence[float], digits: int = 2) -> dict[str, Any]:
    """Median, smallest and largest of some repeats, and the repeats themselves in the order they were taken."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
        "repeats": [round(value, digits) for value in values],
    }


def show(figures: dict[str, Any], digits: int = 1) -> str:
    """`median [min–max]` of what `spread` gave."""
    return "{median:.{d}f} [{min:.{d}f}–{max:.{d}f}]".format(d=digits, **figures)


def write(path: str | Path, result: dict[str, Any], before: dict[str, Any], facts: dict[str, Any]) -> None:
    """Write a result with its machine and load. `path` `-` writes nothing."""
    after = load()
    busy = before["others_running"] is None or before["others_running"] > QUIET_LOAD * facts["cores_allowed"]
    whole = {"machine": facts, "load_before": before, "load_after": after, "loaded": busy, **result}
    if busy:
        print(f"Others wanted {before['others_running']} cores just before: this counts as loaded.", file=sys.stderr)
    if str(path) != "-":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"wrote {path}", file=sys.stderr)
