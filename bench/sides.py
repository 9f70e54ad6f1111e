"""Sides of a comparison: each a process of its own that waits for its turn, so that a busy machine hits all alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.machine import REPOSITORY, spread

__all__ = ["Side", "SideError", "report", "stance_side", "take_turns"]


class SideError(RuntimeError):
    """A side could not start or broke off."""


class Side:
    """A process that is asked for a number of frames and tells how long they took.

    Args:
        command: speaks one JSON object a line: of itself at first, then one for every line that it is given.
        log: takes what it prints elsewhere.
        path: `PYTHONPATH` of the process; None leaves it away.
        folder: where it runs; None: here.

    Attributes:
        about: what it said of itself.
        passes: its answers since the warm-up.
    """

    def __init__(self, command: list[str], log: Path, path: Path | None = None, folder: Path | None = None) -> None:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        if path is not None:
            environment["PYTHONPATH"] = str(path)
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment,
                cwd=folder,
            )  # fmt: skip
        self.passes: list[dict[str, Any]] = []
        self.about = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            tail = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-15:]
            raise SideError("\n".join(tail) or f"ended with code {self._process.returncode}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, **wanted: Any) -> dict[str, Any]:
        """One request and its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


def stance_side(clip: Path, threads: int, log: Path, checkout: Path = REPOSITORY, *more: str) -> Side:
    """Stance as a side, with the code, the weights and the starter database of a checkout."""
    command = [sys.executable, str(REPOSITORY / "bench" / "side_stance.py"), str(clip.resolve())]
    return Side([*command, "--threads", str(threads), *more], log, checkout, checkout)


def take_turns(sides: Mapping[str, Side], frames: int, repeats: int, budget_seconds: float) -> None:
    """Every side once to warm up, then all in turn, `repeats` times or until the budget is spent."""
    deadline = time.monotonic() + budget_seconds
    for side in sides.values():
        side.ask(frames=frames)
    for repeat in range(repeats):
        if repeat >= 1 and time.monotonic() > deadline:
            break
        for side in sides.values():
            side.passes.append(side.ask(frames=frames))


def report(side: Side, reference: Side) -> dict[str, Any]:
    """The figures of one side over its passes, and how many times as fast it is as the reference in the same round."""
    speeds, of_reference = ([one["frames"] / one["seconds"] for one in each.passes] for each in (side, reference))
    latest = side.passes[-1]
    return {
        **side.about,
        "frames_per_second": spread(speeds),
        "over_reference": spread([a / b for a, b in zip(speeds, of_reference, strict=True)], 3),
        "cpu_ms_per_frame": spread([1e3 * one["cpu_seconds"] / one["frames"] for one in side.passes]),
        "people_per_frame": round(latest["people"] / latest["frames"], 2),
        **{name: latest[name] for name in ("crops_per_frame", "detections_per_frame") if name in latest},
    }
