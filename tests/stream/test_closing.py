"""Whatever raises, and wherever: nothing hangs, and every source, thread and sink is closed. Strategy: sources, sinks
and scenes that fail on purpose at each place."""

import threading

import numpy as np
import pytest

from stream.assembly import make_estimator
from stream.errors import SinkError
from stream.pipeline import scenes, write
from stream.reading.scheduler import Scheduler
from stream.settings.model import Settings
from stream.sinks.fan_out import FanOut


class Odd(Exception):
    """No error of Stance."""


class Kept:
    def __init__(self, fault=None, close_fault=None):
        self.fault, self.close_fault, self.closed = fault, close_fault, 0

    def write(self, scene, drawing):
        if self.fault is not None:
            raise self.fault

    def close(self):
        self.closed += 1
        if self.close_fault is not None:
            raise self.close_fault


@pytest.fixture(scope="module")
def estimator():
    return make_estimator(Settings.model_validate({"pose": {"image_size": 128, "threads": 1}}))


def picture(_):
    return np.zeros((4, 4, 3), np.uint8)


def readers():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("read ")]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("others", [0, 1])
def test_a_source_that_cannot_even_begin(worlds, estimator, others):
    class Unwilling(worlds.FakeSource):
        def __iter__(self):
            raise Odd("no pictures today")

    sources = [Unwilling(name="odd"), *(worlds.FakeSource(name=f"good {n}") for n in range(others))]
    with pytest.raises(Odd, match="no pictures today"):
        for _ in scenes(sources, estimator):
            pass
    assert all(source.closed.is_set() for source in sources)
    assert readers() == []


def test_one_that_cannot_be_closed_does_not_keep_the_others_open(worlds):
    class Stuck(worlds.FakeSource):
        def close(self):
            super().close()
            raise Odd("will not close")

    sources = [Stuck(name="stuck", permits=threading.Semaphore(1)), worlds.FakeSource(name="good")]
    with pytest.raises(Odd), Scheduler(sources):
        pass
    assert all(source.closed.is_set() for source in sources)


def test_writing_closes_what_it_reads_when_nobody_asks_for_more(worlds):
    closed = []

    def found():
        try:
            for frame in worlds.FakeSource():
                yield worlds.empty_scene(frame)
        finally:
            closed.append(sink.closed)  # before the sinks, which may be told what is left

    sink, scenes_found = Kept(), found()
    written = write(scenes_found, [sink], picture)
    next(written)
    written.close()
    assert closed == [0]
    assert sink.closed == 1


@pytest.mark.parametrize("where", ["write", "close"])
@pytest.mark.parametrize("place", range(4))
def test_an_error_that_is_none_of_ours_leaves_no_sink_open(worlds, where, place):
    faults = [Odd("a bug") if number == place else None for number in range(4)]
    sinks = [Kept(fault) if where == "write" else Kept(None, fault) for fault in faults]
    scene = worlds.empty_scene(worlds.FakeSource().frame(0))
    with pytest.raises(Odd):
        list(write(iter([scene]), sinks, picture))
    assert [sink.closed for sink in sinks] == [1] * 4


def test_after_a_bug_in_closing_the_faults_of_the_others_are_still_no_reason_to_stop():
    sinks = [Kept(None, SinkError("full")), Kept(None, Odd("a bug")), Kept(None, KeyboardInterrupt()), Kept()]
    with pytest.raises((Odd, KeyboardInterrupt)):
        FanOut(sinks).close()
    assert [sink.closed for sink in sinks] == [1] * 4
