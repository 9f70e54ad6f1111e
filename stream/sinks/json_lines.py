"""`JsonLinesSink`: one JSON object per frame, for other programs."""

from __future__ import annotations

import io
import json
import logging
import math
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pose.closing import Closing
from stream.errors import ReaderGone, SinkError
from stream.frame import Frame
from stream.scene import Person, Scene
from stream.sinks.base import Drawing
from stream.sinks.mark import mark_of
from stream.sinks.paths import check_output, write_fault
from stream.sinks.retry import Retry, pausing
from stream.sinks.text_file import TextFile
from stream.sources.base import Source

__all__ = ["STDOUT", "JsonLinesSink", "scene_record"]

log = logging.getLogger(__name__)

STDOUT: Final = "-"


class JsonLinesSink(Closing):
    """Writes every scene as one line of JSON, complete as soon as it is written. Not thread-safe; use one per thread.

    The fields are those of `scene_record`. The first line of a file also has `written_by`, by which the next run knows
    it again. The file is opened with the first scene; without a single one an older file is left as it is.

    A fault of the disk is an error where all sources are recordings, which can be run again. With a live source the
    lines pause: the log says so, scenes are left out and counted, and every 10 to 60 s it is tried again.

    Args:
        path: the file, replaced if it exists; `-` is standard output.
        sources: whose scenes these are.
        drops: tells how many frames of a live source were left out so far, by cause, by the source's name.

    Attributes:
        files: what has been written.
        missed: how many lines could not be written.

    Raises:
        SinkError: the path cannot be used; from `write` and `close`, see above.
        ReaderGone: from `write`, the reader of the pipe left.
    """

    def __init__(
        self, path: str | Path, *sources: Source, drops: Callable[[str], Mapping[str, int]] | None = None
    ) -> None:
        self._live = {source.name for source in sources if source.live}
        self._drops = drops
        self._closed = False
        self._mark = mark_of(*sources)
        self._retry = Retry()
        self.missed = 0
        self._file: TextFile | None = None
        if str(path) == STDOUT:
            self._name = "standard output"
            if sys.stdout is None:
                raise SinkError("Standard output is closed. Name a file for the JSON lines.")
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(encoding="utf-8")  # as JSON is, whatever the terminal's encoding
            return
        checked = check_output(path, inputs=[source.path for source in sources])
        self._name = str(checked)
        self._file = TextFile(checked)

    @property
    def files(self) -> list[Path]:
        return [self._file.path] if self._file is not None and self._file.opened else []

    def write(self, scene: Scene, drawing: Drawing) -> None:
        """Append one line. The picture is not drawn for it.

        Raises:
            SinkError: it cannot be written, and can be had again.
        """
        if self._closed:
            raise SinkError(f"{self._name} is closed.")
        seconds = scene.frame.captured_seconds
        if not self._retry.due(seconds):
            self.missed += 1
            return
        record = scene_record(scene)
        if scene.frame.source in self._live:
            record |= self._of_live(scene.frame)
        if self._file is not None and self._file.empty:
            record["written_by"] = self._mark
        line = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        try:
            self._put(line + "\n")
        except SinkError as error:
            if not self._live or self._file is None or isinstance(error, ReaderGone):
                self._closed = True
                raise
            self._pause(error, self._file.path.parent, seconds)
        else:
            if self._retry.failing:
                self._retry.worked(seconds)
                log.info("%s is written again; %d frames are missing in it", self._name, self.missed)

    def _put(self, text: str) -> None:
        if self._file is not None:
            self._file.append(text)
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            raise write_fault(self._name, error) from error

    def _pause(self, error: SinkError, folder: Path, seconds: float) -> None:
        """Let the lines rest after a fault."""
        self.missed += 1
        if not self._retry.failing:
            log.warning("%s", pausing(error, folder))
        self._retry.failed(seconds)

    def _of_live(self, frame: Frame) -> dict[str, Any]:
        now = time.monotonic()
        captured = datetime.fromtimestamp(time.time() - now + frame.captured_seconds, UTC)
        return {
            "captured_at": captured.isoformat(timespec="milliseconds"),
            "age_seconds": round(now - frame.captured_seconds, 4),
            "drops": None if self._drops is None else dict(self._drops(frame.source)),
        }

    def close(self) -> None:
        """Close the file. Twice does no harm; standard output stays open.

        Raises:
            SinkError: the end cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        if self.missed:
            log.warning("%s: %d frames are missing, because they could not be written", self._name, self.missed)
        if self._file is not None:
            if not self._file.path.exists():
                self._file.append("")  # not one scene came, and the file is there all the same
            self._file.close()


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
