"""What it costs to look for people only now and then: entrances, labels, numbers and keypoints of marked clips.

    python -m bench.detection_interval [FOLDER] [--only CLIP ...] [--calm 0.3] [--settled 0.3]
        [--weights-folder DIR]

The same clips with the detector in every frame (`pose.detect_every_seconds` 0), as often as by default, with keypoints
of calm people only now and then (`pose.calm_every_seconds`), and of everybody whose label is settled
(`pose.settled_every_seconds`). For each:

- `entrances`: the share of the visits in `tests/intervals/marks/entrances.csv` whose person is found within 0.5 s;
- `labels`: the share of right labels, live, by the marks of all clips (see `bench.marked_labels`);
- `switches`: how often somebody goes on in the same place under another number, within a second;
- `oks`: the mean similarity of the keypoints, of people who are found by both: of the default to those with the
  detector in every frame; of the others to those of the default, that is with keypoints in every frame;
- frames per second, crops, whole pictures and people per frame.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.machine import load, machine, spread, write
from bench.marked_labels import VIDEOS, judge, marked_until, watch
from bench.marked_people import PEOPLE, MarkedPlace, Visit, read_marked_places, read_visits
from bench.network import Calls, about, estimator_of, index_of, script_parser, settings_with
from pose.boxes import iou
from pose.datasets.labelled import AREA_PER_BOX
from pose.evaluation.oks import oks
from stream.people.pose_finder import VISIBLE
from stream.reports.true_postures import read_true_postures

RESULT: Final = Path(__file__).parent / "results" / "detection_interval.json"
FOUND_WITHIN: Final = 0.5  # seconds
LONGEST: Final = 5.0  # seconds after an entrance that are looked at
SAME_PLACE: Final = 0.3  # IoU of somebody who goes on under another number
OUT_OF_SIGHT: Final = 1.0  # seconds


def main() -> int:
    parser = script_parser(__doc__, RESULT)
    parser.add_argument("folder", type=Path, nargs="?", default=VIDEOS, help="holds the clips (../shared/videos)")
    parser.add_argument("--only", nargs="+", metavar="CLIP", help="only these, by their names without suffix")
    parser.add_argument("--seconds", type=float, help="of every clip, for a trial")
    parser.add_argument("--calm", type=float, default=0.3, metavar="SECONDS", help="pose.calm_every_seconds (0.3)")
    parser.add_argument(
        "--settled", type=float, default=0.3, metavar="SECONDS", help="pose.settled_every_seconds (0.3)"
    )
    args = parser.parse_args()
    before = load()
    estimator, index = estimator_of(args), index_of(args)
    calls = Calls(estimator)
    variants = {
        "every frame": settings_with(pose={"detect_every_seconds": 0.0}),
        "default": settings_with(),
        f"calm {args.calm:g} s": settings_with(pose={"calm_every_seconds": args.calm}),
        f"settled {args.settled:g} s": settings_with(pose={"settled_every_seconds": args.settled}),
    }
    marks = _marks(index.classes)
    names = [name for name in sorted(marks) if not args.only or name in args.only]
    figures: dict[str, Any] = {variant: {} for variant in variants}
    watch(args.folder / f"{names[0]}.mp4", estimator, index, settings_with(), 0.5)  # warm-up
    calls.take(1)
    for name in names:
        ends = [one for one in (args.seconds, marked_until(name)) if one is not None]
        reference: list[dict[str, Any]] | None = None
        for variant, settings in variants.items():
            start = time.perf_counter()
            frames = watch(args.folder / f"{name}.mp4", estimator, index, settings, min(ends, default=None))
            seconds = time.perf_counter() - start
            earlier = reference or frames
            reference = frames if reference is None or variant == "default" else reference
            visits = [visit for visit in read_visits(name) if visit.at_seconds < frames[-1]["seconds"]]
            row = figures[variant][name] = {
                "frames": len(frames),
                "delays": [delay_of(visit, frames) for visit in visits],
                "labels": judge(frames, marks[name], "live").record(),
                "switches": switches(frames),
                "numbers": len({track for frame in frames for track in frame["tracks"] if track is not None}),
                "oks": [round(one, 4) for one in alike(frames, earlier if variant == "default" else reference)],
                "people_per_frame": round(sum(len(frame["boxes"]) for frame in frames) / len(frames), 2),
                "frames_per_second": round(len(frames) / seconds, 2),
                **calls.take(len(frames)),
            }
            shown = {key: row[key] for key in row if key not in ("labels", "oks")}
            shown |= {"right": row["labels"]["right"], "oks": round(float(np.mean(row["oks"] or [np.nan])), 4)}
            print(name, variant, shown, flush=True)
    summaries = {variant: _summary(list(rows.values())) for variant, rows in figures.items()}
    first = list(figures["every frame"].values())
    for variant, summary in summaries.items():
        pairs = zip(figures[variant].values(), first, strict=True)
        summary["speed_over_every_frame"] = spread([a["frames_per_second"] / b["frames_per_second"] for a, b in pairs])
        print(f"{variant:<12}", {key: value for key, value in summary.items() if key != "speed_over_every_frame"})
        print(f"{'':<12} speed over every frame, median of clips: {summary['speed_over_every_frame']['median']}")
    for rows in figures.values():
        for row in rows.values():
            row["oks"] = round(float(np.mean(row["oks"])), 4) if row["oks"] else None
    result = {**about(estimator), "found_within_seconds": FOUND_WITHIN, "all": summaries, "clips": figures}
    write(args.out, result, before, machine())
    return 0


def _marks(classes: Sequence[str]) -> dict[str, list[MarkedPlace]]:
    """The marks of all clips: those of several people, and the true postures of the others."""
    marks = {path.stem: read_marked_places(path) for path in PEOPLE.glob("*.csv")}
    for path in PEOPLE.parent.glob("*.csv"):
        whole = (0.0, 0.0, 1.0, 1.0)
        truth = read_true_postures(path, classes)
        marks[path.stem] = [MarkedPlace(one.from_seconds, one.to_seconds, one.posture, whole) for one in truth]
    return marks


def delay_of(visit: Visit, frames: Sequence[dict[str, Any]]) -> float | None:
    """Seconds until somebody is found where a visitor comes in, by the frames of the clip; None: not in time to tell.

    The person may move while nobody is found, so the box need only come near the place: by a sixth of its own size.
    """
    for frame in frames:
        if not visit.at_seconds - 0.05 <= frame["seconds"] <= visit.at_seconds + LONGEST:
            continue
        width, height = frame["size"]
        x, y = visit.x * width, visit.y * height
        for x1, y1, x2, y2 in frame["boxes"]:
            slack_x, slack_y = (x2 - x1) / 6, (y2 - y1) / 6
            if x1 - slack_x <= x <= x2 + slack_x and y1 - slack_y <= y <= y2 + slack_y:
                return max(0.0, round(float(frame["seconds"]) - visit.at_seconds, 3))
    return None


def switches(frames: Sequence[dict[str, Any]]) -> int:
    """How often a number that is new goes on where another one, not in the picture now, was a moment ago."""
    latest: dict[int, tuple[float, list[float]]] = {}  # by number: when and where last seen
    count = 0
    for frame in frames:
        here = {track: box for track, box in zip(frame["tracks"], frame["boxes"], strict=True) if track is not None}
        for track, box in here.items():
            if track in latest:
                continue
            count += any(
                other not in here
                and frame["seconds"] - seconds <= OUT_OF_SIGHT
                and iou(np.array([box]), np.array([place]))[0, 0] >= SAME_PLACE
                for other, (seconds, place) in latest.items()
            )
        latest |= {track: (frame["seconds"], box) for track, box in here.items()}
    return count


def alike(frames: Sequence[dict[str, Any]], reference: Sequence[dict[str, Any]]) -> list[float]:
    """OKS of everybody who is found in both runs of one clip, sight by sight; only visible keypoints count."""
    similarities: list[float] = []
    for ours, theirs in zip(frames, reference, strict=True):
        if not ours["boxes"] or not theirs["boxes"]:
            continue
        labelled = np.array(theirs["keypoints"], np.float32)
        labelled[..., 2] = labelled[..., 2] > VISIBLE
        boxes = np.array(theirs["boxes"])
        areas = AREA_PER_BOX * (boxes[:, 2:] - boxes[:, :2]).clip(1).prod(axis=1)
        values = oks(np.array(ours["keypoints"], np.float32), labelled, areas)
        overlap = iou(np.reshape(ours["boxes"], (-1, 4)), np.reshape(theirs["boxes"], (-1, 4)))
        for person, other in enumerate(overlap.argmax(axis=1).tolist()):
            if overlap[person, other] >= SAME_PLACE and np.isfinite(values[person, other]):
                similarities.append(float(values[person, other]))
    return similarities


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    delays = [delay for row in rows for delay in row["delays"]]
    right = sum(shown.get(truth, 0) for row in rows for truth, shown in row["labels"]["shown"].items())
    sights = sum(row["labels"]["sights"] for row in rows)
    frames = sum(row["frames"] for row in rows)
    similarities = [one for row in rows for one in row["oks"]]
    in_time = [delay for delay in delays if delay is not None and delay <= FOUND_WITHIN]
    return {
        "entrances": round(len(in_time) / len(delays), 4) if delays else None,
        "visits": len(delays),
        "labels": round(right / sights, 4) if sights else None,
        "switches": sum(row["switches"] for row in rows),
        "numbers": sum(row["numbers"] for row in rows),
        "oks": round(float(np.mean(similarities)), 4) if similarities else None,
        "crops_per_frame": round(sum(row["crops_per_frame"] * row["frames"] for row in rows) / frames, 2),
        "detections_per_frame": round(sum(row["detections_per_frame"] * row["frames"] for row in rows) / frames, 2),
        "people_per_frame": round(sum(row["people_per_frame"] * row["frames"] for row in rows) / frames, 2),
    }


if __name__ == "__main__":
    sys.exit(main())
