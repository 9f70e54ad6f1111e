"""How right, how steady and how quick the labels of a clip are, held against its true postures."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from stream.people.continuity import Continuity
from stream.reports.true_postures import TruePosture
from stream.scene import Scene

__all__ = ["Change", "PostureCount", "Shown", "VideoEvaluation", "evaluate_video", "shown_of_main_person"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown for the main person in one frame.

    Attributes:
        seconds: the frame's time.
        present: whether anybody was found.
        posture: the steady label; None when unknown, or when nobody was found.
    """

    seconds: float
    present: bool
    posture: str | None


@dataclass(frozen=True, slots=True)
class PostureCount:
    """Frames in which one posture was true.

    Attributes:
        right: it was shown.
        unknown: a person was found, but no posture shown.
        nobody: nobody was found.
        wrong: another posture was shown; which, and how often.
    """

    right: int
    unknown: int
    nobody: int
    wrong: dict[str, int]

    @property
    def frames(self) -> int:
        """All of them."""
        return self.right + self.unknown + self.nobody + sum(self.wrong.values())


@dataclass(frozen=True, slots=True)
class Change:
    """A true change from one posture to another.

    Attributes:
        seconds: when the new one began.
        before: the old posture.
        after: the new one.
        delay_seconds: until the new one was shown, 0 if it was already; None if that came only when it was over.
    """

    seconds: float
    before: str
    after: str
    delay_seconds: float | None


@dataclass(frozen=True, slots=True)
class VideoEvaluation:
    """The figures of one clip. NaN where there is nothing to divide by.

    Attributes:
        minutes: from the first frame to the last.
        postures: frames by true posture.
        shown_changes: how often what was shown changed after the first posture was shown, unknown being a label too.
            Frames without the person change nothing.
        changes: the true changes.
    """

    minutes: float
    postures: dict[str, PostureCount]
    shown_changes: int
    changes: tuple[Change, ...]

    @property
    def frames(self) -> int:
        """Frames that were judged."""
        return sum(count.frames for count in self.postures.values())

    @property
    def accuracy(self) -> float:
        """Frames with the true posture, of all judged, 0–1. Unknown and nobody are not right."""
        return _part(sum(count.right for count in self.postures.values()), self.frames)

    @property
    def unknown(self) -> float:
        """Frames in which the person's posture was unknown, of all judged, 0–1."""
        return _part(sum(count.unknown for count in self.postures.values()), self.frames)

    @property
    def nobody(self) -> float:
        """Frames in which nobody was found, of all judged, 0–1."""
        return _part(sum(count.nobody for count in self.postures.values()), self.frames)

    @property
    def accuracy_of_named(self) -> float:
        """Frames with the true posture, of those in which one was shown, 0–1."""
        right = sum(count.right for count in self.postures.values())
        return _part(right, right + sum(sum(count.wrong.values()) for count in self.postures.values()))

    @property
    def extra_changes_per_minute(self) -> float:
        """Changes that were shown beyond one for every true change, per minute; negative if some were never shown."""
        return _part(self.shown_changes - len(self.changes), self.minutes)

    @property
    def delays(self) -> list[float]:
        """Seconds from every true change to its being shown, for those that were."""
        return [change.delay_seconds for change in self.changes if change.delay_seconds is not None]

    @property
    def median_delay_seconds(self) -> float:
        """Of `delays`."""
        return statistics.median(self.delays) if self.delays else math.nan

    @property
    def max_delay_seconds(self) -> float:
        """Of `delays`."""
        return max(self.delays, default=math.nan)

    @property
    def missed_changes(self) -> int:
        """True changes that were not shown while they lasted."""
        return len(self.changes) - len(self.delays)


def _part(count: float, whole: float) -> float:
    return count / whole if whole else math.nan


def evaluate_video(shown: Sequence[Shown], truth: Sequence[TruePosture]) -> VideoEvaluation:
    """Hold what was shown against what was true.

    Args:
        shown: every frame of the clip, in order of time.
        truth: intervals in order of time. Frames in none of them, or in one without posture, are not judged.
    """
    right: dict[str, int] = defaultdict(int)
    unknown: dict[str, int] = defaultdict(int)
    nobody: dict[str, int] = defaultdict(int)
    wrong: dict[str, dict[str, int]] = {}
    for interval in truth:
        if interval.posture is None:
            continue
        others = wrong.setdefault(interval.posture, {})
        for frame in _within(shown, interval.from_seconds, interval.to_seconds):
            if not frame.present:
                nobody[interval.posture] += 1
            elif frame.posture is None:
                unknown[interval.posture] += 1
            elif frame.posture == interval.posture:
                right[interval.posture] += 1
            else:
                others[frame.posture] = others.get(frame.posture, 0) + 1
    labels = [frame.posture for frame in shown if frame.present]
    while labels and labels[0] is None:  # until the first posture is known, nothing can change
        del labels[0]
    return VideoEvaluation(
        minutes=(shown[-1].seconds - shown[0].seconds) / 60 if shown else 0.0,
        postures={
            name: PostureCount(right[name], unknown[name], nobody[name], others) for name, others in wrong.items()
        },
        shown_changes=sum(a != b for a, b in pairwise(labels)),
        changes=tuple(_changes(shown, truth)),
    )


def _within(shown: Sequence[Shown], start: float, end: float) -> list[Shown]:
    return [frame for frame in shown if start <= frame.seconds < end]


def _changes(shown: Sequence[Shown], truth: Sequence[TruePosture]) -> Iterable[Change]:
    named = [interval for interval in truth if interval.posture is not None]
    lasting: list[list[TruePosture]] = []  # intervals of one posture in a row, with or without a pause between them
    for interval in named:
        if lasting and lasting[-1][0].posture == interval.posture:
            lasting[-1].append(interval)
        else:
            lasting.append([interval])
    for (before, *_), (after, *rest) in pairwise(lasting):
        end = rest[-1].to_seconds if rest else after.to_seconds
        first = next(
            (frame.seconds for frame in _within(shown, after.from_seconds, end) if frame.posture == after.posture), None
        )
        delay = None if first is None else first - after.from_seconds
        assert before.posture is not None
        assert after.posture is not None
        yield Change(after.from_seconds, before.posture, after.posture, delay)


def shown_of_main_person(scenes: Iterable[Scene]) -> list[Shown]:
    """What was shown for the main person of a clip, in every frame.

    That is, of the people in the frame, the one who is the most prominent in the whole clip: area of the box times
    score, added up over the frames, also under another number at the same place. Others who pass by, or a chair taken
    for somebody in a few frames, are left out as long as the main person is found. Somebody who has no number yet is
    there, in an unknown posture.
    """
    continuity = Continuity()
    prominence: dict[int, float] = defaultdict(float)
    frames: list[tuple[float, bool, dict[int, str | None]]] = []
    for scene in scenes:
        numbered = [person for person in scene.people if person.track is not None]
        boxes = scene.poses.boxes[[person.row for person in numbered]]
        seconds = max(scene.frame.seconds, frames[-1][0] if frames else -math.inf)
        persons = continuity.update([person.track for person in numbered if person.track is not None], boxes, seconds)
        sizes = (boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(axis=1)
        for person, number, size in zip(numbered, persons, sizes.tolist(), strict=True):
            prominence[number] += size * float(scene.poses.scores[person.row])
        postures = {number: one.posture for number, one in zip(persons, numbered, strict=True)}
        frames.append((seconds, bool(scene.people), postures))
    shown = []
    for seconds, present, postures in frames:
        main = max(postures, key=prominence.__getitem__, default=None)
        shown.append(Shown(seconds, present, None if main is None else postures[main]))
    return shown
