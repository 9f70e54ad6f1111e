"""What a person sees: a line per source, in a terminal and in a log, with the reason when a camera is away."""

import math
import re
import time

import numpy as np
import pytest

from index.classification import Classification
from pose.poses import Poses
from pose.reason import Reason
from stream.run.status import Status, summary
from stream.run.tally import UNSETTLED, SourceTally, Tally
from stream.scene import Person, Scene
from stream.sources.status import SourceState, SourceStatus


@pytest.fixture
def camera(worlds):
    def make(name, state=SourceState.LIVE, reason="", next_try=None):
        source = worlds.FakeSource(name=name, live=True)
        now = time.monotonic()
        source.status = SourceStatus(state, reason, now - 12, None if next_try is None else now + next_try)
        return source

    return make


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr("stream.run.status.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("stream.run.status.LOG_SECONDS", 0.0)


def test_cameras_in_a_log(camera, worlds, at_once, capsys):
    here, away = camera("here"), camera("away", SourceState.WAITING, "refuses the connection", 3.4)
    clip = worlds.FakeSource(name="clip.mp4", count=10)
    tally = Tally()
    with Status([here, away, clip], tally) as status:
        scene = worlds.empty_scene(worlds.captured_now(here.frame(0)))
        tally.of("here").drops = {"replaced": 2, "stale": 0}
        tally.of("here").count(scene, live=True)
        status.update(scene)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("here: live, 0.0 fps, 0 people, capture to label ")
    assert lines[0].endswith("dropped: 2 replaced")
    assert lines[1] == "away: waiting for 12 s (refuses the connection), next try in 3 s"
    assert lines[2].startswith("clip.mp4: 0 of 10 frames")
    assert "nan" not in "".join(lines)
    assert "\x1b" not in "".join(lines)  # no terminal, no moving cursors


def test_whoever_is_silent_still_looks_so_that_stalls_are_found(worlds, at_once, capsys):
    class Watched(worlds.FakeSource):
        looks = 0

        @property
        def status(self):
            self.looks += 1
            return SourceStatus(SourceState.STALLED, "no picture for 2 s", 0.0)

        @status.setter
        def status(self, _):
            pass

    camera = Watched(name="cam", live=True)
    with Status([camera], Tally(), quiet=True) as status:
        status.refresh()
        status.refresh()
    assert camera.looks == 2
    assert capsys.readouterr().err == ""


def test_lines_come_now_and_then(camera, capsys):
    with Status([camera("a"), camera("b")], Tally()) as status:
        for _ in range(1000):
            status.refresh()
    assert capsys.readouterr().err == ""  # the first ones after ten seconds


def test_the_end_of_a_camera(camera):
    tally = SourceTally()
    source = camera("door", SourceState.WAITING, "no picture for 5.0 s")
    assert summary(source, tally) == "door: 0 frames, 0 people found in all; waiting: no picture for 5.0 s"
    tally.frames, tally.epoch, tally.drops = 7, 2, {"replaced": 3, "stale": 0, "capped": 1}
    tally.ages.extend([0.010, 0.020, 0.030])
    told = summary(source, tally)
    assert "capture to label 20 ms (p95 29 ms), dropped: 3 replaced, 1 capped, reconnected 2 times" in told
    assert math.isnan(SourceTally().age_seconds(0.5))


class Clock:
    seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("stream.run.tally.time.monotonic", clock)
    return clock


def test_the_rate_is_that_of_now(worlds, clock):
    """25 a second for a minute, away for an hour, 25 a second again."""
    scene, tally = worlds.empty_scene(worlds.FakeSource().frame(0)), SourceTally()
    for _ in range(25 * 60):
        tally.count(scene, live=False)
        assert tally.recent.frames_per_second(clock.seconds) == pytest.approx(25, abs=0.2) or tally.frames < 2
        clock.seconds += 0.04
    clock.seconds += 3600
    assert tally.recent.frames_per_second(clock.seconds) == 0
    for _ in range(25 * 6):
        tally.count(scene, live=False)
        clock.seconds += 0.04
    assert tally.recent.frames_per_second(clock.seconds) == pytest.approx(25, abs=0.2)


def test_bar_and_summary_tell_the_same_rate(worlds, clock, capsys):
    source, tally = worlds.FakeSource(count=40, name="clip"), Tally()
    with Status([source], tally) as status:
        for number in range(40):
            scene = worlds.empty_scene(source.frame(number))
            tally.of("clip").count(scene, live=False)
            status.update(scene)
            clock.seconds += 0.1
    clock.seconds += 30  # closing the files
    bar = capsys.readouterr().err
    assert re.findall(r"[\d.]+ frames/s", bar)[-1] == "10.0 frames/s"
    assert "10.0 frames/s" in summary(source, tally.of("clip"))


def people(*postures_and_reasons):
    return [
        Person(row, 1, Classification(None if reason else "x", 0.5, 0.1, "x", reason, (), (), ()), posture, 0.5, None)
        for row, (posture, reason) in enumerate(postures_and_reasons)
    ]


def test_what_is_unknown_is_explained_by_parts_that_add_up(worlds):
    """A third is unknown: one in eight for the frame's own reason, the rest because it is not settled."""
    tally = SourceTally()
    several = [("standing", None)] * 400 + [("standing", Reason.TOO_FAR)] * 200 + [("sitting", None)] * 66
    several += [(None, Reason.TOO_FEW_KEYPOINTS)] * 120 + [(None, None)] * 210 + [("lying", None)] * 4
    frame = worlds.FakeSource().frame(0)
    poses = Poses(np.zeros((1, 17, 3)), np.zeros((1, 4)), np.zeros(1))
    for posture, reason in several:
        tally.count(Scene(frame, poses, tuple(people((posture, reason)))), live=False)
    told = summary(worlds.FakeSource(name="clip"), tally).splitlines()
    assert told[1:] == [
        "postures: standing 60%, unknown 33%, sitting 7%, lying <1%",
        f"unknown because: {UNSETTLED} 21%, too few keypoints 12%",
    ]
    assert sum(tally.reasons.values()) == tally.postures[None]
