"""`JsonLinesSink`: one JSON object per frame, for other programs."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from pose.closing import Closing
from stream.errors import SinkError
from stream.frame import Frame
from stream.scene import Person, Scene
from stream.sinks.base import Drawing
from stream.sinks.paths import check_output, write_fault
from stream.sources.base import Source

__all__ = ["STDOUT", "JsonLinesSink", "scene_record"]

STDOUT: Final = "-"


class JsonLinesSink(Closing):
    """Writes every scene as one line of JSON, complete as soon as it is written. Not thread-safe; use one per thread.

    The fields are those of `scene_record`.

    Args:
        path: the file, replaced if it exists; `-` is standard output.
        sources: whose scenes these are.
        drops: tells how many frames of a live source were left out so far, by cause, by the source's name.

    Raises:
        SinkError: the path cannot be used; from `write` and `close`, the disk is full, or the reader of the pipe left.
    """

    def __init__(
        self, path: str | Path, *sources: Source, drops: Callable[[str], Mapping[str, int]] | None = None
    ) -> None:
        self._live = {source.name for source in sources if source.live}
        self._drops = drops
        self._closed = False
        if str(path) == STDOUT:
            self._name = "standard output"
            if sys.stdout is None:
                raise SinkError("Standard output is closed. Name a file for the JSON lines.")
            self._file: TextIO = sys.stdout
            return
        checked = check_output(path, inputs=[source.path for source in sources])
        self._name = str(checked)
        try:
            self._file = checked.open("w", encoding="utf-8", buffering=1, newline="\n")
        except OSError as error:
            raise SinkError(f"{checked} cannot be written ({error.strerror}). Choose another place.") from error

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Append one line. The picture is not drawn for it.

        Raises:
            SinkError: it cannot be written.
        """
        if self._closed:
            raise SinkError(f"{self._name} is closed.")
        record = scene_record(scene)
        if scene.frame.source in self._live:
            record |= self._of_live(scene.frame)
        line = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            self._abandon()
            raise write_fault(self._name, error) from error

    def _of_live(self, frame: Frame) -> dict[str, Any]:
        now = time.monotonic()
        captured = datetime.fromtimestamp(time.time() - now + frame.captured_seconds, UTC)
        return {
            "captured_at": captured.isoformat(timespec="milliseconds"),
            "age_seconds": round(now - frame.captured_seconds, 4),
            "drops": None if self._drops is None else dict(self._drops(frame.source)),
        }

    def _abandon(self) -> None:
        """Let go of the file after a failure, without saying it twice."""
        self._closed = True
        if self._file is not sys.stdout:
            with contextlib.suppress(OSError):
                self._file.close()

    def close(self) -> None:
        """Close the file. Twice does no harm; standard output stays open.

        Raises:
            SinkError: the end cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        if self._file is sys.stdout:
            return
        try:
            self._file.close()
        except OSError as error:
            raise write_fault(self._name, error) from error


def scene_record(scene: Scene) -> dict[str, Any]:
    """A scene as plain values that JSON can hold; what is missing or NaN is None.

    `source`, `file` (the picture's own, in a folder of pictures), `frame` (its number), `epoch`, `seconds` (the clock
    of `since_seconds`), `media_seconds`, `width`, `height`, and `people`, most prominent first. Of each person:
    `track`, `posture` and `since_seconds` (steady), `label`, `probability` (also as `share`, its old name), `distance`,
    `reason` (this frame's), `neighbours` (label and distance of the nearest entries), `box` (x1, y1, x2, y2 px),
    `score`, `keypoints` (17 times x px, y px, score). A person who is in no track yet has the nulls for it and is in
    the list all the same.

    A sink fills in what only live sources have: `captured_at` (ISO 8601, UTC), `age_seconds` (from capture to this
    line) and `drops` (frames left out so far, by cause).
    """
    frame = scene.frame
    height, width = frame.bgr.shape[:2]
    record: dict[str, Any] = {
        "source": frame.source,
        "file": frame.file,
        "frame": frame.number,
        "epoch": frame.epoch,
        "seconds": _rounded(frame.seconds, 6),
        "media_seconds": _rounded(frame.media_seconds, 6),
        "captured_at": None,
        "age_seconds": None,
        "drops": None,
        "width": width,
        "height": height,
        "people": [],
    }
    by_row = {person.row: person for person in scene.people}
    record["people"] = [_person(scene, row, by_row.get(row)) for row in scene.poses.by_prominence().tolist()]
    return record


def _person(scene: Scene, row: int, person: Person | None) -> dict[str, Any]:
    classification = person.classification if person is not None else None
    probability = _rounded(classification.probability, 4) if classification is not None else None
    return {
        "track": person.track if person is not None else None,
        "posture": person.posture if person is not None else None,
        "since_seconds": _rounded(person.since_seconds, 6) if person is not None else None,
        "label": classification.label if classification is not None else None,
        "probability": probability,
        "share": probability,  # the name of `probability` until version 0.2
        "distance": _rounded(classification.distance, 4) if classification is not None else None,
        "reason": str(classification.reason) if classification and classification.reason is not None else None,
        "neighbours": [
            [label, _rounded(distance, 4)]
            for label, distance in zip(classification.labels, classification.distances, strict=True)
        ]
        if classification is not None
        else [],
        "box": [_rounded(value, 1) for value in scene.poses.boxes[row].tolist()],
        "score": _rounded(float(scene.poses.scores[row]), 4),
        "keypoints": [
            [_rounded(x, 1), _rounded(y, 1), _rounded(score, 3)]
            for x, y, score in scene.poses.keypoints[row].tolist()
        ],
    }  # fmt: skip


def _rounded(value: float | None, digits: int) -> float | None:
    """Rounded; None if it is missing, NaN or infinite, none of which JSON knows."""
    return None if value is None or not math.isfinite(value) else round(value, digits)
