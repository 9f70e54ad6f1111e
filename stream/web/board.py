"""`Board`: what the page shows, kept up to date by the frame loop and read by the web server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from stream.run.recent import Recent
from stream.scene import Scene
from stream.sinks.base import Drawing
from stream.sources.base import Source

__all__ = ["Board", "Latest"]


@dataclass(frozen=True, slots=True, eq=False)
class Latest:
    """The newest scene of a camera.

    Attributes:
        scene: what was understood.
        serial: counts the scenes of this camera from 1.
        written_seconds: `time.monotonic()` when it was there.
        age_seconds: from capture to label; None of a recording.
    """

    scene: Scene
    serial: int
    written_seconds: float
    age_seconds: float | None


class Board:
    """A sink that keeps the newest scene of every camera. `write` never waits for a viewer.

    One thread writes; any thread may ask.

    Args:
        sources: what is watched.
        drops: tells how many frames of a live source were left out so far, by cause, by the source's name.
    """

    def __init__(self, sources: Sequence[Source], drops: Callable[[str], Mapping[str, int]]) -> None:
        self._sources = {source.name: source for source in sources}
        self._drops = drops
        self._lock = threading.Lock()
        self._latest: dict[str, Latest] = {}
        self._recent = {name: Recent() for name in self._sources}
        self._listeners: list[Callable[[str], None]] = []

    @property
    def cameras(self) -> tuple[str, ...]:
        """The names of the sources, in the order in which they were given."""
        return tuple(self._sources)

    def latest(self, camera: str) -> Latest | None:
        """The newest scene; None before the first, and for a name that no camera has."""
        return self._latest.get(camera)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call this with the camera's name after every scene, on the thread that writes. It must be quick."""
        self._listeners.append(listener)

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Keep one scene. Nothing is drawn or compressed for it here."""
        name, now = scene.frame.source, time.monotonic()
        age = now - scene.frame.captured_seconds if self._sources[name].live else None
        before = self._latest.get(name)
        with self._lock:
            self._recent[name].add(now, age)
            self._latest[name] = Latest(scene, 1 if before is None else before.serial + 1, now, age)
        for listener in self._listeners:
            listener(name)

    def close(self) -> None:
        """The page goes on showing what there was. Twice does no harm."""

    def states(self) -> list[dict[str, Any]]:
        """Where every camera stands, as plain values that JSON can hold.

        Of each: `camera` (its name), `live` (false: a recording), `state` and `reason` (see `SourceStatus`),
        `state_seconds` (for how long), `next_try_seconds` (until the next attempt to connect), `frames_per_second` and
        `age_seconds` (median) of the last 5 s, `picture_seconds` (since the newest scene), `people` in it, `drops` (by
        cause). What is not known is None.
        """
        now = time.monotonic()
        return [self._state(name, source, now) for name, source in self._sources.items()]

    def _state(self, name: str, source: Source, now: float) -> dict[str, Any]:
        status, latest = source.status, self._latest.get(name)
        with self._lock:
            rate, ages = self._recent[name].frames_per_second(now), self._recent[name].ages_seconds(now)
        return {
            "camera": name,
            "live": source.live,
            "state": str(status.state),
            "reason": status.reason,
            "state_seconds": round(max(now - status.since_seconds, 0.0), 1),
            "next_try_seconds": (
                None if status.next_try_seconds is None else round(max(status.next_try_seconds - now, 0.0), 1)
            ),
            "frames_per_second": round(rate, 1),
            "age_seconds": round(median(ages), 4) if ages else None,
            "picture_seconds": None if latest is None else round(now - latest.written_seconds, 1),
            "people": 0 if latest is None else len(latest.scene.people),
            "drops": dict(self._drops(name)) if source.live else {},
        }
