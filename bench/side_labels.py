"""One side of `bench.video_labels`: what a checkout shows for everybody in clips, frame by frame.

Runs as a script with the `stream` package of whichever checkout PYTHONPATH names, so that older code can be measured:

    PYTHONPATH=CHECKOUT python bench/side_labels.py CLIP ...

Prints one JSON object, the frames of every clip; see `frames_of`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from stream.assembly import make_estimator, open_index
from stream.pipeline import scenes
from stream.scene import Person, Scene

try:
    from stream.people.viterbi import FixedLagViterbi
    from stream.settings.model import Settings
except ImportError:  # code of before November 2026
    from stream.look_ahead import LookAhead as FixedLagViterbi  # type: ignore[import-not-found, no-redef]

    from stream.settings import Settings  # type: ignore[attr-defined, no-redef]

SAID = "classification" if hasattr(Person, "classification") else "verdict"


def frames_of(found: Iterable[Scene]) -> list[dict[str, Any]]:
    """The frames of one clip, all ways of showing in one pass: the time, the size of the picture, everybody's number,
    box, score and keypoints, and the posture of each `frame` by frame, `live`, and `offline`."""
    frames: list[dict[str, Any]] = []

    def noted(scenes_found: Iterable[Scene]) -> Iterator[Scene]:
        for scene in scenes_found:
            rows = [person.row for person in scene.people]
            frames.append(
                {
                    "seconds": scene.frame.seconds,
                    "size": (scene.frame.bgr.shape[1], scene.frame.bgr.shape[0]),
                    "tracks": [person.track for person in scene.people],
                    "boxes": scene.poses.boxes[rows].tolist(),
                    "scores": scene.poses.scores[rows].tolist(),
                    "keypoints": scene.poses.keypoints[rows].tolist(),
                    "frame": [getattr(person, SAID).label for person in scene.people],
                    "live": [person.posture for person in scene.people],
                }
            )
            yield scene

    for number, scene in enumerate(FixedLagViterbi()(noted(found))):
        frames[number]["offline"] = [person.posture for person in scene.people]
    return frames


def main() -> int:
    settings = Settings()
    estimator, index = make_estimator(settings), open_index(settings)
    json.dump({clip: frames_of(scenes(clip, estimator, index, settings)) for clip in sys.argv[1:]}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
