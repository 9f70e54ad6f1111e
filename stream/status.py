"""What a person sees while a run goes on: a progress bar for recordings, a status line for cameras."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Self

from tqdm import tqdm

from stream.pipeline import Tally
from stream.scene import Scene
from stream.sources import Source

__all__ = ["Status", "summary"]

REFRESH_SECONDS: Final = 0.5
LOG_REFRESH_SECONDS: Final = 10.0


class Status:
    """A line on standard error that follows a run; renewed only now and then where that is a file and not a terminal.

    Args:
        source: what is being read.
        tally: what has happened so far.
        quiet: show nothing.
    """

    def __init__(self, source: Source, tally: Tally, *, quiet: bool = False):
        self._source = source
        self._tally = tally
        self._shown_seconds = float("-inf")
        self._refresh_seconds = REFRESH_SECONDS if sys.stderr.isatty() else LOG_REFRESH_SECONDS
        if source.live:
            self._bar = tqdm(bar_format="{desc}", disable=quiet)
        else:
            self._bar = tqdm(
                total=source.info.frame_count,
                desc=source.name,
                unit=" pictures" if source.still else " frames",
                mininterval=self._refresh_seconds,
                disable=quiet,
            )

    def update(self, scene: Scene) -> None:
        """One more scene is done."""
        if not self._source.live:
            self._bar.update()
            return
        now = time.monotonic()
        if now - self._shown_seconds >= self._refresh_seconds:
            self._shown_seconds = now
            tally = self._tally
            self._bar.set_description_str(
                f"{self._source.name}: {tally.frames_per_second:.1f} fps, {len(scene.people)} people, "
                f"age {1e3 * tally.age_seconds(0.5):.0f} ms, {tally.dropped} dropped"
            )

    def close(self) -> None:
        """Leave the last state of the line standing."""
        self._bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def summary(source: Source, tally: Tally) -> str:
    """What a run did, in one to three lines."""
    things = ("picture" if source.still else "frame") + ("" if tally.frames == 1 else "s")
    text = f"{source.name}: {tally.frames} {things}, {tally.people} people found in all"
    if tally.frames > 1:
        text += f", {tally.frames_per_second:.1f} {things} per s"
    if source.live:
        p50, p95 = 1e3 * tally.age_seconds(0.5), 1e3 * tally.age_seconds(0.95)
        text += f", {tally.dropped} dropped, age from capture to label {p50:.0f} ms (p95 {p95:.0f} ms)"
    if tally.people:
        ranked = sorted(tally.postures.items(), key=lambda item: -item[1])
        shares = ", ".join(f"{posture or 'unknown'} {count / tally.people:.0%}" for posture, count in ranked)
        text += f"\npostures: {shares}"
    if tally.reasons:
        ranked_reasons = sorted(tally.reasons.items(), key=lambda item: -item[1])
        counted = ", ".join(f"{reason} {count / tally.people:.0%}" for reason, count in ranked_reasons)
        text += f"\nunknown in single frames: {counted}"
    return text
