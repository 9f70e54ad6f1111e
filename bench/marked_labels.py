"""Labels of people in clips whose people were marked by eye, several at once; upper bodies; and who walks.

    python -m bench.marked_labels [FOLDER] [--only CLIP ...] [--seconds S] [--weights-folder DIR] [--index PREFIX]

FOLDER holds the clips of `tests/intervals/people` and `tests/intervals/marks` (see the README there). Of every person
whose box has its middle in a marked place: how often the true posture is shown, how often none, and what else. A marked
place in which nobody is found counts as wrong too. The upper bodies are cut out by `source.region`, as a user would do
it. `walkers_named_running`: of the sights of people who walk in `street_pedestrians`, the share that is shown as
running.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from bench.machine import REPOSITORY, load, machine, write
from bench.marked_people import PEOPLE, MarkedPlace, marked_posture, read_marked_places, read_upper_bodies
from bench.network import about, estimator_of, index_of, script_parser, settings_with
from bench.side_labels import frames_of
from index import PostureIndex
from pose.estimator import PoseEstimator
from stream.pipeline import scenes
from stream.settings.model import Settings

RESULT: Final = Path(__file__).parent / "results" / "marked_labels.json"
VIDEOS: Final = REPOSITORY.parent / "shared" / "videos"
WAYS: Final = ("frame", "live", "offline")
NOBODY: Final = "nobody"
UNKNOWN: Final = "unknown"
WHOLE: Final = (0.0, 0.0, 1.0, 1.0)


@dataclass
class Tally:
    """What was shown for people in one posture, sights of them by label."""

    shown: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, truth: str, label: str | None) -> None:
        """One sight of one person."""
        self.shown.setdefault(truth, Counter())[label or UNKNOWN] += 1

    @property
    def right(self) -> int:
        return sum(labels[truth] for truth, labels in self.shown.items())

    @property
    def sights(self) -> int:
        return sum(labels.total() for labels in self.shown.values())

    def record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "right": round(self.right / self.sights, 4) if self.sights else None,
            "sights": self.sights,
            "shown": {truth: dict(labels.most_common()) for truth, labels in self.shown.items()},
        }


def judge(frames: Sequence[dict[str, Any]], places: Sequence[MarkedPlace], way: str) -> Tally:
    """Hold what was shown in the frames of a clip (see `frames_of`) against its marks."""
    tally = Tally()
    for frame in frames:
        size = frame["size"]
        for box, label in zip(frame["boxes"], frame[way], strict=True):
            truth = marked_posture(places, frame["seconds"], box, size)
            if truth is not None:
                tally.add(truth, label)
        middles = [((x1 + x2) / 2 / size[0], (y1 + y2) / 2 / size[1]) for x1, y1, x2, y2 in frame["boxes"]]
        for place in places:
            if place.posture is None or not place.from_seconds <= frame["seconds"] < place.to_seconds:
                continue
            if not any(place.holds(frame["seconds"], x, y) for x, y in middles):
                tally.add(place.posture, NOBODY)
    return tally


def watch(
    clip: Path, estimator: PoseEstimator, index: PostureIndex, settings: Settings, seconds: float | None = None
) -> list[dict[str, Any]]:
    """The frames of a clip, up to a time; see `frames_of`."""
    found: Iterator[Any] = scenes(str(clip), estimator, index, settings)
    if seconds is not None:
        found = takewhile(lambda scene: scene.frame.seconds < seconds, found)
    return frames_of(found)


def marked_until(name: str) -> float | None:
    """Where a clip's marks end, if they end before it does."""
    return 60.0 if name == "one_person_comes_and_goes" else None


def main() -> int:
    parser = script_parser(__doc__, RESULT)
    parser.add_argument("folder", type=Path, nargs="?", default=VIDEOS, help="holds the clips (../shared/videos)")
    parser.add_argument("--only", nargs="+", metavar="CLIP", help="only these, by their names without suffix")
    parser.add_argument("--seconds", type=float, help="of every clip, for a trial")
    args = parser.parse_args()
    before = load()
    estimator, index = estimator_of(args), index_of(args)
    jobs = [
        (path.stem, path.stem, read_marked_places(path), Settings())
        for path in sorted(PEOPLE.glob("*.csv"))
        if not args.only or path.stem in args.only
    ]
    for one in read_upper_bodies():
        if not args.only or one.clip in args.only:
            places = [MarkedPlace(0.0, float("inf"), one.posture, WHOLE)]
            jobs.append((f"{one.clip}, upper body", one.clip, places, settings_with(source={"region": one.region})))
    figures: dict[str, Any] = {}
    print(f"{'':<28}" + "".join(f"{way:>9}" for way in WAYS) + "   sights  live")
    for name, clip, places, settings in jobs:
        ends = [one for one in (args.seconds, marked_until(clip)) if one is not None]
        frames = watch(args.folder / f"{clip}.mp4", estimator, index, settings, min(ends, default=None))
        tallies = {way: judge(frames, places, way) for way in WAYS}
        figures[name] = {way: tally.record() for way, tally in tallies.items()}
        shares = "".join(f"{figures[name][way]['right'] or 0:>9.3f}" for way in WAYS)
        live = figures[name]["live"]
        print(f"{name:<28}{shares}{live['sights']:>9}  {live['shown']}", flush=True)
    walkers: dict[str, float] = {}
    if "street_pedestrians" in figures:
        for way in WAYS:
            shown = figures["street_pedestrians"][way]["shown"].get("walking", {})
            walkers[way] = round(shown.get("running", 0) / max(sum(shown.values()), 1), 4)
        print(f"walkers of street_pedestrians named running: {walkers}")
    result = {**about(estimator), "index_rows": index.rows, "clips": figures, "walkers_named_running": walkers}
    write(args.out, result, before, machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
