"""Make the starter database anew, with the weights that ship.

    python -m bench.make_starter ../shared/data STANFORD40.git --out index/starter/pose_index

Everyday postures come from the class folders of `postures/train`; people who walk, and more who stand, from pictures
that `index/starter/chosen.txt` names, read out of a git snapshot of the repository Mehranai/stanford40_pose, bare
or not. Near-copies of pictures that networks and databases are judged on are left out, so that figures of the starter
database are honest. Needs two to five minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Final

from index.building.build import build_index
from index.posture_index import PostureIndex
from pose.datasets.near_duplicates import near_duplicates
from pose.estimator import PoseEstimator

__all__ = ["CHOSEN", "JUDGED_ON", "chosen_pictures", "git_pictures", "lay_out"]

ROOT: Final = Path(__file__).resolve().parent.parent
CHOSEN: Final = ROOT / "index" / "starter" / "chosen.txt"
JUDGED_ON: Final = ("postures/test", "yoga/test", "coco_val300/images")
_IN_SNAPSHOT: Final = "JPEGImages"


def chosen_pictures(listing: Path) -> dict[str, list[str]]:
    """By label, the names of the pictures in a list: a label and a name a line; a line that begins with # is a
    comment."""
    chosen: dict[str, list[str]] = {}
    for line in listing.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            label, name = line.split(maxsplit=1)
            chosen.setdefault(label, []).append(name)
    return chosen


def git_pictures(snapshot: Path, folder: str, names: Sequence[str], into: Path) -> None:
    """Write pictures of the newest commit of a git repository as files.

    Args:
        snapshot: the repository, with or without a work tree.
        folder: where the pictures lie in it.
        names: theirs.
        into: a folder.

    Raises:
        FileNotFoundError: the commit does not have one of them.
        subprocess.CalledProcessError: it is no repository.
    """
    asked = "".join(f"HEAD:{folder}/{name}\n" for name in names).encode()
    command = ["git", "-C", str(snapshot), "cat-file", "--batch"]
    rest = subprocess.run(command, input=asked, stdout=subprocess.PIPE, check=True).stdout
    for name in names:
        head, _, rest = rest.partition(b"\n")  # "<object> blob <size>", or "<name> missing"
        kind, _, size = head.rpartition(b" ")
        if not kind.endswith(b" blob"):
            raise FileNotFoundError(f"{folder}/{name} is not in {snapshot}.")
        (into / name).write_bytes(rest[: int(size)])
        rest = rest[int(size) + 1 :]  # a line feed ends it


def lay_out(data: Path, snapshot: Path, into: Path) -> dict[str, tuple[int, int]]:
    """Put the starter's pictures into class folders, without near-copies of pictures that are judged on.

    Args:
        data: holds `postures/train` and the folders of `JUDGED_ON`.
        snapshot: the repository with the chosen pictures.
        into: an empty folder; those of `postures/train` become links.

    Returns:
        By label, how many pictures there are, and how many more were left out.
    """
    judged = [path for folder in JUDGED_ON for path in sorted((data / folder).rglob("*")) if path.is_file()]
    if not judged:
        raise FileNotFoundError(f"{data} holds none of {', '.join(JUDGED_ON)}.")
    for path in sorted((data / "postures" / "train").glob("*/*")):
        if path.is_file():
            (into / path.parent.name).mkdir(exist_ok=True)
            os.symlink(path.resolve(), into / path.parent.name / path.name)
    for label, names in chosen_pictures(CHOSEN).items():
        (into / label).mkdir(exist_ok=True)
        git_pictures(snapshot, _IN_SNAPSHOT, names, into / label)
    pictures = sorted(into.glob("*/*"))
    copies = near_duplicates(pictures, judged)
    for path in copies:
        path.unlink()
    return {
        folder.name: (
            sum(path.parent == folder and path not in copies for path in pictures),
            sum(path.parent == folder for path in copies),
        )
        for folder in sorted(into.iterdir())
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="holds postures/train and the pictures that are judged on")
    parser.add_argument("snapshot", type=Path, help="git repository with the chosen pictures")
    parser.add_argument("--out", type=Path, default=Path("pose_index"), metavar="PREFIX", help="where to save")
    args = parser.parse_args()
    out = args.out.resolve()
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "train"
        into.mkdir()
        counts = lay_out(args.data, args.snapshot, into)
        with chdir(folder):  # a database names its pictures as they were named to it: train/standing/…
            index, report = build_index("train", PoseEstimator(), prefix=out, replace=True)
    print(f"{'':<12}{'pictures':>9}{'left out':>9}{'people':>8}  skipped")
    for one in report.classes:
        skipped = ", ".join(f"{len(names)} {reason}" for reason, names in one.skipped.items())
        print(f"{one.label:<12}{counts[one.label][0]:>9}{counts[one.label][1]:>9}{one.people:>8}  {skipped}")
    print(f"{index.rows} people in {out.name}, {report.seconds:.0f} s; {_parts(index)}")
    return 0


def _parts(index: PostureIndex) -> str:
    return ", ".join(f"{name} {digest[:12]}" for name, digest in index.networks)


if __name__ == "__main__":
    sys.exit(main())
