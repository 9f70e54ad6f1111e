"""How often the right posture is named: embeddings and votes on held-out pictures, few pictures, half-seen people.

python -m bench.postures [--shared ../shared] [--cache FOLDER] [--quick] [--weights-folder DIR]

Keypoints come from the teacher's arrays and from the network, at its default threshold; the latter take minutes on two
cores, and are kept in --cache by the weights' digests. `of_all` is the share of pictures that are named rightly by the
best guess, where a picture in which nobody is found counts as wrong. Pictures to teach with that are near-copies of a
judging picture are left out. Nothing is tuned here. Hiding a keypoint sets its score to 0 and leaves its place, which
`nose25` goes on reading: its figures there are those of people seen in full.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.machine import load, machine, write
from bench.network import about, add_network_options, estimator_of
from index import Classification, PostureIndex
from pose.datasets.near_duplicates import near_duplicates
from pose.datasets.picture_file import read_picture
from pose.estimator import PoseEstimator
from pose.keypoints import Keypoint as K
from stream.settings.model import IndexSettings

RESULT: Final = Path(__file__).parent / "results" / "postures.json"
DATA: Final = ("postures", "yoga")
SYSTEMS: Final = ("nose25 majority", "nose25", "gravity59")
PER_CLASS: Final = (5, 10, 20)
DRAWS: Final = 5
MIN_TEST_PICTURES: Final = 15
"""Classes with fewer count in accuracy, not in macro F1."""
LEGS: Final = [K.LEFT_HIP, K.RIGHT_HIP, K.LEFT_KNEE, K.RIGHT_KNEE, K.LEFT_ANKLE, K.RIGHT_ANKLE]


@dataclass(frozen=True, slots=True)
class People:
    """N people: keypoints `[N, 17, 3]` and labels `[N]`; and how many pictures gave nobody."""

    keypoints: NDArray[np.float32]
    labels: NDArray[np.str_]
    missed: int = 0

    def select(self, rows: NDArray[Any]) -> People:
        return People(self.keypoints[rows], self.labels[rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--cache", type=Path, help="folder that keeps the network's keypoints between runs")
    parser.add_argument("--quick", action="store_true", help="only `of_all` of gravity59 with the network's keypoints")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth picture, for a trial")
    add_network_options(parser)
    parser.add_argument("--out", default=str(RESULT), metavar="FILE", help="the result as JSON; - writes none")
    args = parser.parse_args()
    before = load()
    estimator = estimator_of(args)
    copies = near_copies(args.shared / "data")
    print(f"{len(copies)} pictures to teach with are near-copies of judging pictures and left out")
    figures: dict[str, Any] = {}
    for source in ("network",) if args.quick else ("teacher", "network"):
        for name in DATA:
            folder = args.shared / "data" / name
            if source == "teacher":
                with np.load(args.shared / "data" / f"{name}_keypoints.npz") as arrays:
                    paths, keypoints = arrays["path"].astype(str), arrays["keypoint"].astype(np.float32)
            else:
                paths, keypoints = found_by_network(estimator, folder, args.cache, args.every)
            kept = np.array([folder / path not in copies for path in paths])
            train, test = (people_of(paths[kept], keypoints[kept], split) for split in ("train", "test"))
            title = f"{source}, {name}"
            if args.quick:
                of_all = share_of_all(guess("gravity59", train, test) == test.labels, test)
                figures[title] = {"gravity59": {"of_all": of_all}}
                print(f"{title}: gravity59 names {of_all} of {len(test.labels) + test.missed} pictures rightly")
                continue
            figures[title] = {system: judge(system, train, test) for system in SYSTEMS}
            show(title, train, test, figures[title])
    write(args.out, {**about(estimator), "near_copies": len(copies), "figures": figures}, before, machine())
    return 0


def near_copies(data: Path) -> set[Path]:
    """The pictures to teach with that show a picture to judge by."""
    judging = [path for name in DATA for path in _pictures(data / name / "test")]
    judging += _pictures(data / "coco_val300" / "images")
    return set(near_duplicates([path for name in DATA for path in _pictures(data / name / "train")], judging))


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def found_by_network(
    estimator: PoseEstimator, folder: Path, cache: Path | None, every: int
) -> tuple[NDArray[np.str_], NDArray[np.float32]]:
    """Path below `folder` and keypoints of the most prominent person of every picture; NaN where nobody is found."""
    digests = "-".join(digest[:8] for _, digest in estimator.parts)
    kept = None if cache is None else cache / f"{folder.name}_{digests}_{every}.npz"
    if kept is not None and kept.exists():
        with np.load(kept) as arrays:
            return arrays["path"].astype(str), arrays["keypoint"].astype(np.float32)
    files = _pictures(folder)[::every]
    keypoints = np.full((len(files), 17, 3), np.nan, np.float32)
    for start in range(0, len(files), estimator.batch_size):
        batch = files[start : start + estimator.batch_size]
        for number, poses in enumerate(estimator([read_picture(file) for file in batch]), start):
            if len(poses):
                keypoints[number] = poses.keypoints[poses.by_prominence()[0]]
    paths = np.array([file.relative_to(folder).as_posix() for file in files])
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(kept, path=paths, keypoint=keypoints)
    return paths, keypoints


def people_of(paths: NDArray[np.str_], keypoints: NDArray[np.float32], split: str) -> People:
    """The people of one split; a path ends in SPLIT/CLASS/PICTURE."""
    parts = [path.split("/") for path in paths]
    here = np.array([part[-3] == split for part in parts])
    found = here & np.isfinite(keypoints).all(axis=(1, 2))
    labels = np.array([part[-2] for part in parts])
    return People(keypoints[found], labels[found], int(here.sum() - found.sum()))


def judge(system: str, train: People, test: People) -> dict[str, Any]:
    """All figures of one system."""
    classifications = ask(system, train, test)
    best = np.array([classification.best or "" for classification in classifications])
    named = np.array([classification.label or "" for classification in classifications])
    both = np.isin(test.labels, ("standing", "lying"))
    crossed = both & np.isin(best, ("standing", "lying")) & (best != test.labels)
    hidden = test.keypoints.copy()
    hidden[:, LEGS, 2] = 0.0
    dropped = test.keypoints.copy()
    dropped[np.random.default_rng(0).random(dropped.shape[:2]) < 0.2, 2] = 0.0
    figures: dict[str, Any] = {
        "of_all": share_of_all(best == test.labels, test),
        "accuracy": share(best == test.labels),
        "macro_f1": macro_f1(test.labels, best),
        "with_unknown": {
            "named_rightly": share(named == test.labels),
            "named_wrongly": share((named != test.labels) & (named != "")),
            "unknown": share(named == ""),
        },
        "standing_for_lying_or_back": share(crossed[both]) if both.any() else None,
        "few_pictures": {str(count): few(system, train, test, count) for count in PER_CLASS},
        "a_fifth_of_the_keypoints_hidden": share(guess(system, train, People(dropped, test.labels)) == test.labels),
        "legs_hidden": share(guess(system, train, People(hidden, test.labels)) == test.labels),
    }
    if system != SYSTEMS[0]:
        figures["unknown_class_auroc"] = left_out(system, train, test)
        figures["calibration_gap"] = calibration_gap(classifications, test.labels)
    return figures


def ask(system: str, train: People, test: People) -> list[Classification]:
    """Classifications of an index that was taught `train`."""
    name, _, plain = system.partition(" ")
    index = PostureIndex(name, device="cpu")
    index.add(index.embedding.compute(train.keypoints), list(train.labels))
    rows = index.embedding.compute(test.keypoints)
    if plain:
        return [majority(entries, train.labels) for entries in index.search(rows, 5).entries]
    return index.classify(rows, IndexSettings().rule)


def majority(entries: NDArray[np.int64], labels: NDArray[np.str_]) -> Classification:
    """One vote for each of the nearest five, as earlier tools did; of equals the nearer one."""
    names, first, count = np.unique(labels[entries[entries >= 0]], return_index=True, return_counts=True)
    if len(names) == 0:
        return Classification(None, 0.0, float("nan"), None, None, (), (), ())
    best = str(names[np.lexsort((first, -count))[0]])
    return Classification(best, float(count.max() / count.sum()), 0.0, best, None, (), (), ())


def guess(system: str, train: People, test: People) -> NDArray[np.str_]:
    return np.array([classification.best or "" for classification in ask(system, train, test)])


def few(system: str, train: People, test: People, count: int) -> dict[str, float]:
    """Accuracy when taught with `count` pictures per class: mean, lowest and highest of five draws."""
    accuracies = []
    for draw in range(DRAWS):
        random = np.random.default_rng(draw)
        rows = np.concatenate(
            [random.permutation(np.flatnonzero(train.labels == label))[:count] for label in np.unique(train.labels)]
        )
        accuracies.append(share(guess(system, train.select(rows), test) == test.labels))
    return {"mean": round(float(np.mean(accuracies)), 4), "min": min(accuracies), "max": max(accuracies)}


def left_out(system: str, train: People, test: People) -> dict[str, float]:
    """How well `certainty` parts test pictures of a class that was not taught from those of all others: AUROC."""
    areas = {}
    for label in np.unique(train.labels):
        classifications = ask(system, train.select(train.labels != label), test)
        certainty = np.array([classification.certainty for classification in classifications])
        areas[str(label)] = round(auroc(certainty[test.labels != label], certainty[test.labels == label]), 4)
    return {"mean": round(float(np.mean(list(areas.values()))), 4), **areas}


def auroc(higher: NDArray[np.float64], lower: NDArray[np.float64]) -> float:
    """Probability that one of `higher` is above one of `lower`."""
    return float((np.sign(higher[:, None] - lower[None]) + 1).mean() / 2)


def calibration_gap(classifications: list[Classification], labels: NDArray[np.str_]) -> float:
    """Mean gap between a classification's probability and how often it is right, over ten equal bins."""
    probability = np.array([classification.probability for classification in classifications])
    right = np.array([classification.best for classification in classifications]) == labels
    step = np.minimum((probability * 10).astype(int), 9)
    gap = sum(
        (step == s).mean() * abs(probability[step == s].mean() - right[step == s].mean()) for s in np.unique(step)
    )
    return round(float(gap), 4)


def macro_f1(labels: NDArray[np.str_], given: NDArray[np.str_]) -> float:
    scores = []
    for label in np.unique(labels):
        if (labels == label).sum() >= MIN_TEST_PICTURES:
            right = ((labels == label) & (given == label)).sum()
            scores.append(2 * right / max(1, (labels == label).sum() + (given == label).sum()))
    return round(float(np.mean(scores)), 4)


def share_of_all(right: NDArray[np.bool_], test: People) -> float:
    """Share of all pictures, also of those in which nobody was found."""
    return round(float(right.sum()) / (len(test.labels) + test.missed), 4)


def share(right: NDArray[np.bool_]) -> float:
    return round(float(right.mean()), 4)


def show(title: str, train: People, test: People, figures: dict[str, Any]) -> None:
    print(f"{title}: taught {len(train.labels)} people, asked {len(test.labels)}, {test.missed} not found")
    line: Callable[..., None] = lambda *cells: print("  " + "".join(str(cell).ljust(17) for cell in cells))  # noqa: E731
    line("", *figures)
    for name in ("of_all", "accuracy", "macro_f1", "standing_for_lying_or_back", "legs_hidden", "calibration_gap"):
        line(name[:16], *(system.get(name, "") for system in figures.values()))
    for count in PER_CLASS:
        line(f"{count} per class", *(system["few_pictures"][str(count)]["mean"] for system in figures.values()))
    line("dropped fifth", *(system["a_fifth_of_the_keypoints_hidden"] for system in figures.values()))
    line("AUROC", *(system.get("unknown_class_auroc", {}).get("mean", "") for system in figures.values()))
    line("unknown", *(system["with_unknown"]["unknown"] for system in figures.values()))
    line("named wrongly", *(system["with_unknown"]["named_wrongly"] for system in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
