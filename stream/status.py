"""What a person sees while a run goes on: a progress bar for every recording, a status line for every camera."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Never, Self

from tqdm import tqdm

from stream.scene import Scene
from stream.source_state import SourceState
from stream.sources import Source
from stream.tally import SourceTally, Tally

__all__ = ["Status", "summary"]

REFRESH_SECONDS: Final = 0.5
LOG_REFRESH_SECONDS: Final = 10.0
LOG_REFRESH_MANY_SECONDS: Final = 60.0
MANY: Final = 4  # sources


class Status:
    """A line per source on standard error that follows a run; renewed only now and then where that is a file.

    Args:
        sources: what is being read.
        tally: what has happened so far.
        quiet: show nothing.
    """

    def __init__(self, sources: Iterable[Source], tally: Tally, *, quiet: bool = False):
        self._sources = {source.name: source for source in sources}
        self._tally = tally
        self._shown_seconds = float("-inf")
        in_log = LOG_REFRESH_SECONDS if len(self._sources) <= MANY else LOG_REFRESH_MANY_SECONDS
        self._refresh_seconds = REFRESH_SECONDS if sys.stderr.isatty() else in_log
        self._bars = {source.name: self._bar(source, place, quiet) for place, source in enumerate(sources)}

    def _bar(self, source: Source, place: int, quiet: bool) -> tqdm[Never]:
        if source.live:
            return tqdm(bar_format="{desc}", disable=quiet, position=place)
        return tqdm(
            total=source.info.frame_count,
            desc=source.name,
            unit=" pictures" if source.still else " frames",
            mininterval=self._refresh_seconds,
            disable=quiet,
            position=place,
        )

    def update(self, scene: Scene) -> None:
        """One more scene is done."""
        if not self._sources[scene.frame.source].live:
            self._bars[scene.frame.source].update()
        self.refresh()

    def refresh(self) -> None:
        """Renew the lines of cameras, if it is time; called also while nothing comes."""
        now = time.monotonic()
        if now - self._shown_seconds < self._refresh_seconds:
            return
        self._shown_seconds = now
        for name, source in self._sources.items():
            if source.live:
                self._bars[name].set_description_str(f"{name}: {_standing(source, self._tally.of(name), now)}")

    def close(self) -> None:
        """Leave the last state of the lines standing."""
        for bar in self._bars.values():
            bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _standing(source: Source, tally: SourceTally, now: float) -> str:
    """Where a live source stands, in one line."""
    status = source.status
    if status.state is SourceState.LIVE:
        return f"live, {tally.frames_per_second:.1f} fps, {tally.shown} people, {_freshness(tally)}"
    text = f"{status.state} for {now - status.since_seconds:.0f} s"
    if status.reason:
        text += f" ({status.reason})"
    if status.next_try_seconds is not None:
        text += f", next try in {max(status.next_try_seconds - now, 0):.0f} s"
    return text


def _freshness(tally: SourceTally) -> str:
    dropped = ", ".join(f"{count} {cause}" for cause, count in tally.drops.items() if count) or "none"
    p50, p95 = 1e3 * tally.age_seconds(0.5), 1e3 * tally.age_seconds(0.95)
    return f"capture to label {p50:.0f} ms (p95 {p95:.0f} ms), dropped: {dropped}"


def summary(source: Source, tally: SourceTally) -> str:
    """What a run did with one source, in one to three lines."""
    things = ("picture" if source.still else "frame") + ("" if tally.frames == 1 else "s")
    text = f"{source.name}: {tally.frames} {things}, {tally.people} people found in all"
    if tally.frames > 1:
        text += f", {tally.frames_per_second:.1f} {things} per s"
    if source.live:
        if tally.frames:
            text += f", {_freshness(tally)}"
        if tally.epoch:
            text += f", reconnected {tally.epoch} times"
        if not tally.frames and source.status.reason:
            text += f": {source.status.reason}"
    if tally.people:
        ranked = sorted(tally.postures.items(), key=lambda item: -item[1])
        shares = ", ".join(f"{posture or 'unknown'} {count / tally.people:.0%}" for posture, count in ranked)
        text += f"\npostures: {shares}"
    if tally.reasons:
        ranked_reasons = sorted(tally.reasons.items(), key=lambda item: -item[1])
        counted = ", ".join(f"{reason} {count / tally.people:.0%}" for reason, count in ranked_reasons)
        text += f"\nunknown in single frames: {counted}"
    return text
