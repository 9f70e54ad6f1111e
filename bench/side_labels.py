"""One side of `bench.video_labels`: what a checkout shows for everybody in clips, frame by frame.

Runs as a script with the `stream` package of whichever checkout PYTHONPATH names, so that older code can be measured:

    PYTHONPATH=CHECKOUT python bench/side_labels.py CLIP ...

Prints one JSON object, the frames of every clip. Of a frame: the time, the people (number, box, score), and for every
way of showing them the posture of each: `frame` (this frame's own label), `live`, and `offline` where there is one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from stream.assembly import make_estimator, open_index
from stream.pipeline import scenes
from stream.scene import Scene
from stream.settings.model import Settings

try:
    from stream.people.viterbi import FixedLagViterbi
except ImportError:  # code from before it
    FixedLagViterbi = None  # type: ignore[assignment,misc]


def frames_of(found: Iterable[Scene]) -> list[dict[str, Any]]:
    """The frames of one clip, all ways of showing in one pass."""
    frames: list[dict[str, Any]] = []

    def noted(scenes_found: Iterable[Scene]) -> Iterator[Scene]:
        for scene in scenes_found:
            rows = [person.row for person in scene.people]
            frames.append(
                {
                    "seconds": scene.frame.seconds,
                    "tracks": [person.track for person in scene.people],
                    "boxes": scene.poses.boxes[rows].tolist(),
                    "scores": scene.poses.scores[rows].tolist(),
                    "frame": [person.classification.label for person in scene.people],
                    "live": [person.posture for person in scene.people],
                }
            )
            yield scene

    passed = noted(found) if FixedLagViterbi is None else FixedLagViterbi()(noted(found))
    for number, scene in enumerate(passed):
        if FixedLagViterbi is not None:
            frames[number]["offline"] = [person.posture for person in scene.people]
    return frames


def main() -> int:
    settings = Settings()
    estimator, index = make_estimator(settings), open_index(settings)
    json.dump({clip: frames_of(scenes(clip, estimator, index, settings)) for clip in sys.argv[1:]}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
