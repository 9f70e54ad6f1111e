"""Intervals of made people, told and read back. Strategy: one short story with every kind of end, its intervals worked
out by hand; then the same story through each file format, parsed by other means than those that wrote it."""

import csv
import json
import math
import re
from datetime import datetime

import numpy as np
import pytest

from pose import Poses
from stream.errors import SinkError
from stream.frame import Frame
from stream.scene import Person, Scene
from stream.sinks.timeline.formats import SrtTimeline
from stream.sinks.timeline.sink import TimelineSink
from stream.sinks.timeline.timeline import Timeline
from tests.stream.people.classifications import certain

BLANK = np.zeros((4, 4, 3), np.uint8)

# Ten frames a second. Person 1 sits, is unknown for a moment, stands to the end. Person 2 lies, is out of sight for
# 0.5 s (no matter), and then for good. Person 3 is there in the last frame only.
STORY = [
    {1: ("sitting" if n < 20 else None if n < 23 else "standing"), **({2: "lying"} if n < 10 or 15 <= n < 25 else {}),
     **({3: "plank"} if n == 49 else {})}
    for n in range(50)
]  # fmt: skip
INTERVALS = {
    (1, "sitting", 0.0, 2.0, 20), (1, None, 2.0, 2.3, 3), (1, "standing", 2.3, 5.0, 27),
    (2, "lying", 0.0, 2.5, 20), (3, "plank", 4.9, 5.0, 1),
}  # fmt: skip


def people(postures, probability=0.75):
    return tuple(
        Person(row, track, certain(posture), posture, 0.0 if posture is None else probability, None)
        for row, (track, posture) in enumerate(postures.items())
    )


def scene(number, postures, *, live=False, start=0.0):
    seconds = start + number / 10
    crowd = Poses(np.zeros((len(postures), 17, 3)), np.zeros((len(postures), 4)), np.zeros(len(postures)))
    frame = Frame(BLANK, "c", number, 0, None if live else seconds, seconds if live else 0.0)
    return Scene(frame, crowd, people(postures))


def as_tuple(interval):
    times = round(interval.from_seconds, 6), round(interval.to_seconds, 6)
    return interval.track, interval.posture, *times, interval.frames


def write(path, source, story=STORY, **options):
    with TimelineSink(path, source) as sink:
        for number, postures in enumerate(story):
            sink.write(scene(number, postures, **options), None)  # never asks for the drawing
    return path


class TestTimeline:
    def test_the_story(self):
        timeline = Timeline(gap_seconds=1.0)
        ended = [(n, one) for n, postures in enumerate(STORY) for one in timeline.update(people(postures), n / 10)]
        assert [(n, one.track, one.posture) for n, one in ended] == [
            (20, 1, "sitting"), (23, 1, None), (35, 2, "lying"),
        ]  # fmt: skip
        assert {(one.track, one.to_seconds) for one in timeline.running()} == {(1, math.inf), (3, math.inf)}
        every = [one for _, one in ended] + timeline.finish()
        assert {as_tuple(one) for one in every} == INTERVALS
        assert {one.probability for one in every} == {0.0, 0.75}
        assert timeline.finish() == []

    def test_who_comes_back_otherwise_was_away(self):
        timeline = Timeline(gap_seconds=1.0)
        told = []
        for n, posture in enumerate(["sitting"] * 5 + [None] * 3 + ["lying"] * 5):
            told += timeline.update(people({} if posture is None else {1: posture}), n / 10)
        assert [as_tuple(one) for one in told] == [(1, "sitting", 0.0, 0.5, 5)]
        assert [as_tuple(one) for one in timeline.finish()] == [(1, "lying", 0.8, 1.3, 5)]

    def test_who_comes_back_after_the_gap_begins_anew(self):
        timeline = Timeline(gap_seconds=1.0)
        timeline.update(people({1: "sitting"}), 0.0)
        (told,) = timeline.update(people({1: "sitting"}), 5.0)  # nothing was seen in between at all
        assert as_tuple(told) == (1, "sitting", 0.0, 5.0, 1)

    def test_who_has_no_number_is_left_out(self):
        timeline = Timeline()
        timeline.update(people({None: "sitting"}), 0.0)
        assert timeline.running() == []

    def test_nothing_is_told_later_that_lies_before_what_is_settled(self):
        timeline = Timeline(gap_seconds=1.0)
        for n, postures in enumerate(STORY):
            settled = timeline.settled_seconds
            told = timeline.update(people(postures), n / 10)
            assert all(one.to_seconds >= settled for one in told)


class TestCsv:
    def test_every_interval_is_a_line(self, tmp_path, worlds):
        path = write(tmp_path / "t.csv", worlds.FakeSource())
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        told = {
            (int(line["person"]), line["posture"] or None, float(line["from_seconds"]), float(line["to_seconds"]),
             int(line["frames"])) for line in lines
        }  # fmt: skip
        assert told == INTERVALS
        assert {line["mean_probability"] for line in lines} == {"0.0", "0.75"}
        assert all(line["mean_share"] == line["mean_probability"] for line in lines)
        assert {line["from_time"] for line in lines} == {""}

    def test_a_live_source_counts_from_its_first_frame_and_tells_the_time_of_day(self, tmp_path, worlds):
        import time

        path = write(tmp_path / "t.csv", worlds.FakeSource(live=True), live=True, start=time.monotonic())
        lines = list(csv.DictReader(path.open(encoding="utf-8")))
        assert {(int(line["person"]), float(line["from_seconds"])) for line in lines} == {
            one[0:3:2] for one in INTERVALS
        }
        standing = next(line for line in lines if line["posture"] == "standing")
        begin, end = (datetime.fromisoformat(standing[name]) for name in ("from_time", "to_time"))
        assert (end - begin).total_seconds() == pytest.approx(2.7, abs=0.002)
        assert abs(begin.timestamp() - time.time() - 2.3) < 5

    def test_a_label_with_a_comma_and_quotes(self, tmp_path, worlds):
        label = 'hands "up", Füße 人'
        path = write(tmp_path / "t.csv", worlds.FakeSource(), [{1: label}] * 3)
        (line,) = csv.DictReader(path.open(encoding="utf-8", newline=""))
        assert line["posture"] == label


class TestJson:
    def test_every_interval_is_an_object(self, tmp_path, worlds):
        path = write(tmp_path / "t.json", worlds.FakeSource())
        told = json.loads(path.read_text(encoding="utf-8"))
        names = ("person", "posture", "from_seconds", "to_seconds", "frames")
        assert {tuple(one[name] for name in names) for one in told} == INTERVALS
        assert told[0]["from_time"] is None

    def test_it_is_valid_after_every_frame(self, tmp_path, worlds):
        path, counts = tmp_path / "t.json", []
        sink = TimelineSink(path, worlds.FakeSource())
        for number, postures in enumerate(STORY):
            sink.write(scene(number, postures), None)
            counts.append(len(json.loads(path.read_text())))
        assert (counts[0], counts[19], counts[20], counts[49]) == (0, 0, 1, 3)
        sink.close()
        sink.close()
        assert len(json.loads(path.read_text())) == 5
        with pytest.raises(SinkError, match="closed"):
            sink.write(scene(50, {}), None)


CUE = re.compile(r"(\d+)\n(\d\d):(\d\d):(\d\d),(\d\d\d) --> (\d\d):(\d\d):(\d\d),(\d\d\d)\n(.+)\n\n")


def cues(text):
    """Number, begin, end and words of every cue, by a grammar that takes nothing else."""
    assert CUE.sub("", text) == ""
    told = []
    for number, *times, words in CUE.findall(text):
        h1, m1, s1, ms1, h2, m2, s2, ms2 = map(int, times)
        told.append((int(number), 3600 * h1 + 60 * m1 + s1 + ms1 / 1000, 3600 * h2 + 60 * m2 + s2 + ms2 / 1000, words))
    return told


class TestSrt:
    def test_a_cue_for_as_long_as_nobody_changes(self, tmp_path, worlds):
        path = write(tmp_path / "t.srt", worlds.FakeSource())
        assert cues(path.read_text(encoding="utf-8")) == [
            (1, 0.0, 2.0, "1 sitting · 2 lying"),
            (2, 2.0, 2.3, "1 unknown · 2 lying"),
            (3, 2.3, 2.5, "1 standing · 2 lying"),
            (4, 2.5, 4.9, "1 standing"),
            (5, 4.9, 5.0, "1 standing · 3 plank"),
        ]

    def test_cues_are_written_as_they_are_settled(self, tmp_path, worlds):
        path = tmp_path / "t.srt"
        sink = TimelineSink(path, worlds.FakeSource())
        for number, postures in enumerate(STORY[:36]):
            sink.write(scene(number, postures), None)
        assert len(cues(path.read_text(encoding="utf-8"))) == 3
        sink.close()
        assert cues(path.read_text(encoding="utf-8"))[-1] == (4, 2.5, 3.6, "1 standing")

    def test_a_cue_waits_until_the_absent_can_no_longer_come_back(self, tmp_path, worlds):
        story = [
            {1: "sitting", **({2: "lying"} if n < 10 else {}), **({3: "plank"} if n >= 12 else {})} for n in range(30)
        ]
        path = write(tmp_path / "t.srt", worlds.FakeSource(), story)
        assert cues(path.read_text(encoding="utf-8")) == [
            (1, 0.0, 1.0, "1 sitting · 2 lying"), (2, 1.0, 1.2, "1 sitting"), (3, 1.2, 3.0, "1 sitting · 3 plank"),
        ]  # fmt: skip

    def test_an_empty_room_has_no_cue(self, tmp_path, worlds):
        story = [{}] * 10 + [{1: "sitting"}] * 10 + [{}] * 20 + [{2: "lying"}] * 10
        path = write(tmp_path / "t.srt", worlds.FakeSource(), story)
        assert cues(path.read_text(encoding="utf-8")) == [(1, 1.0, 2.0, "1 sitting"), (2, 4.0, 5.0, "2 lying")]

    def test_times_beyond_an_hour_and_a_label_that_would_break_a_cue(self):
        timeline, srt = Timeline(), SrtTimeline()
        timeline.update(people({1: "a\n\nb"}), 3725.5)
        timeline.update(people({1: "a\n\nb"}), 3726.0)
        text = srt.piece(timeline.finish(), [], math.inf)
        assert text == "1\n01:02:05,500 --> 01:02:06,500\n1 a b\n\n"


class TestFaults:
    def test_a_format_that_is_none(self, tmp_path, worlds):
        with pytest.raises(SinkError, match=r"\.csv, \.json or \.srt"):
            TimelineSink(tmp_path / "t.txt", worlds.FakeSource())
        assert list(tmp_path.iterdir()) == []

    def test_pictures_have_no_time(self, tmp_path, worlds):
        with pytest.raises(SinkError, match="no time"):
            TimelineSink(tmp_path / "t.csv", worlds.FakeSource(still=True))

    @pytest.mark.parametrize(("suffix", "content"), [("csv", 1), ("json", 0), ("srt", 0)])
    def test_no_frames_leave_a_timeline_of_nothing(self, tmp_path, worlds, suffix, content):
        path = tmp_path / f"t.{suffix}"
        TimelineSink(path, worlds.FakeSource()).close()
        text = path.read_text()
        assert json.loads(text) == [] if suffix == "json" else len(text.splitlines()) == content

    @pytest.mark.skipif("__import__('os').name != 'posix'", reason="/dev/full is a Linux device")
    def test_a_full_disk_is_a_sentence(self, worlds, tmp_path):
        (tmp_path / "t.csv").symlink_to("/dev/full")
        sink = TimelineSink(tmp_path / "t.csv", worlds.FakeSource())
        with pytest.raises(SinkError, match="disk full"):
            sink.write(scene(0, {1: "sitting"}), None)
        sink.close()
