"""Where the time goes. Strategy: a clock that the test turns, a sink that draws and then works."""

import threading

import numpy as np

from stream.run.profile import Profile, TimedSink
from stream.sinks.base import Drawing


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds

    def passes(self, seconds):
        self.seconds += seconds


class Shown:
    """Takes one second to begin, shows the picture if `draws`, takes two seconds to write it."""

    def __init__(self, clock, draws):
        self.clock, self.draws = clock, draws

    def write(self, scene, drawing):
        self.clock.passes(1)
        if self.draws:
            assert drawing.bgr.shape == (4, 4, 3)
        self.clock.passes(2)


def test_drawing_in_a_write_is_told_apart_and_not_asked_for():
    clock = Clock()
    profile = Profile(clock)

    def draw(scene):
        with profile.stage("draw"):
            clock.passes(10)
            return np.zeros((4, 4, 3), np.uint8)

    for draws in (True, False, True):
        drawing = Drawing(None, draw)
        for _ in range(2):  # the second sink finds the picture drawn
            TimedSink(Shown(clock, draws), profile.stage).write(None, drawing)
    assert profile.milliseconds_per_frame(1) == {"draw": 20_000, "write": 18_000}


def test_stages_in_a_row_and_in_each_other_add_up_to_the_time_that_passed():
    clock = Clock()
    profile = Profile(clock)
    with profile.stage("outer"):
        clock.passes(1)
        for _ in range(3):
            with profile.stage("middle"):
                clock.passes(10)
                with profile.stage("inner"):
                    clock.passes(100)
    with profile.stage("outer"):
        clock.passes(1)
    assert profile.milliseconds_per_frame(1) == {"outer": 2_000, "middle": 30_000, "inner": 300_000}


def test_a_stage_of_another_thread_is_not_taken_out():
    clock = Clock()
    profile = Profile(clock)

    def beside():
        with profile.stage("read"):
            clock.passes(5)

    with profile.stage("write"):
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()
    assert profile.milliseconds_per_frame(1) == {"read": 5_000, "write": 5_000}


def test_the_slowest_call_stands_beside_the_mean():
    clock = Clock()
    profile = Profile(clock)
    for seconds in (1, 5, 3):
        with profile.stage("network"):
            clock.passes(seconds)
    assert profile.table(3).splitlines()[1].split() == ["network", "3000.00", "5000.0"]
    profile.clear()
    assert profile.milliseconds_per_frame(1) == {}
