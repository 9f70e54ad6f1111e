"""What a checkout shows for the main person of clips, frame by frame, as JSON on standard output.

Runs on its own, with the `stream` package of whichever checkout PYTHONPATH names, so that older code can be measured:

    PYTHONPATH=CHECKOUT python bench/side_labels.py CLIP ...

Used by `bench.video_labels`. Of every frame: the time, and of everybody with a number the number, the box, the score, the
steady posture and this frame's own label.
"""

from __future__ import annotations

import json
import sys

from stream.assembly import make_estimator, open_index
from stream.pipeline import scenes
from stream.settings import Settings


def main() -> int:
    settings = Settings()
    estimator, index = make_estimator(settings), open_index(settings)
    clips = {}
    for clip in sys.argv[1:]:
        clips[clip] = [
            {
                "seconds": scene.frame.media_seconds,
                "people": [
                    {
                        "track": person.track,
                        "box": scene.poses.boxes[person.row].tolist(),
                        "score": float(scene.poses.scores[person.row]),
                        "posture": person.posture,
                        "label": person.verdict.label,
                    }
                    for person in scene.people
                ],
            }
            for scene in scenes(clip, estimator, index, settings)
        ]
    json.dump(clips, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
