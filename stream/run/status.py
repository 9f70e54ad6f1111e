"""What a person sees while a run goes on: a progress bar for every recording, a status line for every camera."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final, Never, TypeVar

from tqdm import tqdm

from pose.closing import Closing
from stream.run.standard_streams import StatusStream, say
from stream.run.tally import SourceTally, Tally
from stream.scene import Scene
from stream.sources.base import Source
from stream.sources.status import SourceState

__all__ = ["Status", "summary"]

Key = TypeVar("Key", bound="str | None")

LOOK_SECONDS: Final = 0.5
"""Between two looks at where cameras stand: a camera that has stalled is only found out by whoever asks."""

LOG_SECONDS: Final = 10.0  # between two lines about a source where standard error is a file and not a terminal
MANY: Final = 4  # sources; beyond, lines in a log come rarer


class Status(Closing):
    """Follows a run on standard error: in a terminal with a line per source that renews itself, else with lines now and
    then.

    Args:
        sources: what is being read.
        tally: what has happened so far.
        quiet: show nothing. Faults of cameras reach the log all the same.
    """

    def __init__(self, sources: Sequence[Source], tally: Tally, *, quiet: bool = False):
        self._sources = {source.name: source for source in sources}
        self._tally = tally
        self._quiet = quiet
        self._looked_seconds = float("-inf")
        self._logged_seconds = time.monotonic()
        self._log_seconds = LOG_SECONDS * max(1, len(sources) / MANY)
        # Bars below one another need a terminal that moves its cursor.
        self._draws = sys.stderr.isatty() or len(sources) == 1
        places = enumerate(sources if self._draws else ())
        self._bars = {source.name: self._bar(source, place) for place, source in places}

    def _bar(self, source: Source, place: int) -> tqdm[Never]:
        if source.live:
            return tqdm(file=StatusStream(), bar_format="{desc}", disable=self._quiet, position=place)
        return tqdm(
            file=StatusStream(),
            total=source.info.frame_count,
            desc=source.name,
            # tqdm's own rate is smoothed in another way than that of the summary, and would contradict it
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]",
            mininterval=LOOK_SECONDS if sys.stderr.isatty() else LOG_SECONDS,
            disable=self._quiet,
            position=place,
        )

    def update(self, scene: Scene) -> None:
        """One more scene is done."""
        source = self._sources[scene.frame.source]
        if self._draws and not source.live:
            self._bars[source.name].set_postfix_str(
                _rate(source, self._tally.of(source.name).recent.frames_per_second(time.monotonic())), refresh=False
            )
            self._bars[source.name].update()
        self.refresh()

    def refresh(self) -> None:
        """Look where the sources stand and renew their lines, if it is time. Called also while nothing comes."""
        now = time.monotonic()
        if now - self._looked_seconds < LOOK_SECONDS:
            return
        self._looked_seconds = now
        lines = {
            name: f"{name}: {_standing(source, self._tally.of(name), now)}" for name, source in self._sources.items()
        }
        in_log = not sys.stderr.isatty()
        if self._quiet or (in_log and now - self._logged_seconds < self._log_seconds):
            return
        self._logged_seconds = now
        for name, source in self._sources.items():
            if not self._draws:
                say(lines[name])
            elif source.live:
                self._bars[name].set_description_str(lines[name])

    def close(self) -> None:
        """Leave the last state of the lines standing, with the rate that the summary tells."""
        for name, bar in self._bars.items():
            source = self._sources[name]
            if not source.live:
                bar.set_postfix_str(_rate(source, self._tally.of(name).frames_per_second))
            bar.close()


def _standing(source: Source, tally: SourceTally, now: float) -> str:
    """Where a source stands, in one line."""
    status = source.status
    if status.state is SourceState.LIVE:
        speed = f"{tally.recent.frames_per_second(now):.1f} fps, {tally.shown} people"
        if source.live:
            return f"live, {speed}, {_freshness(tally)}" if tally.frames else "live"
        return f"{tally.frames} of {source.info.frame_count or '?'} frames, {speed}"
    text = f"{status.state} for {now - status.since_seconds:.0f} s"
    if status.reason:
        text += f" ({status.reason})"
    if status.next_try_seconds is not None:
        text += f", next try in {max(status.next_try_seconds - now, 0):.0f} s"
    return text


def _rate(source: Source, per_second: float) -> str:
    return f"{per_second:.1f} {'pictures' if source.still else 'frames'}/s"


def _freshness(tally: SourceTally) -> str:
    dropped = ", ".join(f"{count} {cause}" for cause, count in tally.drops.items() if count) or "none"
    p50, p95 = 1e3 * tally.age_seconds(0.5), 1e3 * tally.age_seconds(0.95)
    return f"capture to label {p50:.0f} ms (p95 {p95:.0f} ms), dropped: {dropped}"


def summary(source: Source, tally: SourceTally) -> str:
    """What a run did with one source, in one to three lines."""
    things = ("picture" if source.still else "frame") + ("" if tally.frames == 1 else "s")
    text = f"{source.name}: {tally.frames} {things}, {tally.people} people found in all"
    if tally.frames > 1:
        text += f", {_rate(source, tally.frames_per_second)}"
    if source.live:
        if tally.frames:
            text += f", {_freshness(tally)}"
        if tally.epoch:
            text += f", reconnected {tally.epoch} time{'s' if tally.epoch > 1 else ''}"
        status = source.status
        if status.state is not SourceState.LIVE and status.reason:
            text += f"; {status.state}: {status.reason}"
    if tally.people:
        postures = _percentages(tally.postures)
        text += f"\npostures: {_listed({posture or 'unknown': percent for posture, percent in postures.items()})}"
        if tally.reasons:
            text += f"\nunknown because: {_listed(_percentages(tally.reasons, postures[None]))}"
    return text


def _percentages(counts: Mapping[Key, int], whole: int = 100) -> dict[Key, int]:
    """The counts in whole percent, by the method of largest remainders: the largest first, together `whole`."""
    total = sum(counts.values())
    ranked = sorted(counts, key=lambda key: -counts[key])
    percent = {key: counts[key] * whole // total for key in ranked}
    by_remainder = sorted(ranked, key=lambda key: -(counts[key] * whole % total))
    for key in by_remainder[: whole - sum(percent.values())]:
        percent[key] += 1
    return percent


def _listed(percent: Mapping[str, int]) -> str:
    """What is there is never told as 0 %."""
    return ", ".join(f"{what} {f'{share}%' if share else '<1%'}" for what, share in percent.items())
