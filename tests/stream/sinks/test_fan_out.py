"""A fault in one output stops only that one."""

import logging

import pytest

from stream.errors import SinkError
from stream.sinks.fan_out import FanOut


class Kept:
    def __init__(self, name, fails_at=None, fails_to_close=False):
        self.name, self.fails_at, self.fails_to_close = name, fails_at, fails_to_close
        self.numbers, self.closed = [], 0

    def write(self, scene, drawing):
        if scene.frame.number == self.fails_at:
            raise SinkError(f"{self.name} is full.")
        self.numbers.append(scene.frame.number)

    def close(self):
        self.closed += 1
        if self.fails_to_close:
            raise SinkError(f"{self.name} cannot be ended.")


@pytest.fixture
def scene(worlds):
    sources = {name: worlds.FakeSource(name=name) for name in "ab"}
    return lambda name, number: worlds.empty_scene(sources[name].frame(number))


def test_to_the_outputs_of_its_source(scene):
    a, b, both = Kept("a"), Kept("b"), Kept("both")
    out = FanOut({"a": [a, both], "b": [b, both]})
    for number, name in enumerate("abab"):
        out.write(scene(name, number), None)
    out.close()
    out.close()
    assert (a.numbers, b.numbers, both.numbers) == ([0, 2], [1, 3], [0, 1, 2, 3])
    assert (a.closed, b.closed, both.closed) == (1, 1, 1)


def test_the_others_go_on_and_the_fault_is_told_once_and_at_the_end(scene, caplog):
    bad, good = Kept("bad", fails_at=1), Kept("good")
    out = FanOut([bad, good])
    with caplog.at_level(logging.WARNING):
        for number in range(4):
            out.write(scene("a", number), None)
    assert (bad.numbers, good.numbers, bad.closed) == ([0], [0, 1, 2, 3], 1)
    assert caplog.messages == ["bad is full."]
    with pytest.raises(SinkError, match="bad is full"):
        out.close()
    assert good.closed == 1
    out.close()


def test_when_none_is_left_the_fault_rises_at_once(scene):
    out = FanOut([Kept("first", fails_at=0), Kept("second", fails_at=1)])
    out.write(scene("a", 0), None)
    with pytest.raises(SinkError, match="second is full"):
        out.write(scene("a", 1), None)


def test_all_are_closed_whatever_happens_to_the_others():
    sinks = [Kept("x", fails_to_close=True), Kept("y"), Kept("z", fails_to_close=True)]
    with pytest.raises(SinkError) as error:
        FanOut(sinks).close()
    assert sorted(str(error.value).splitlines()) == ["x cannot be ended.", "z cannot be ended."]
    assert [sink.closed for sink in sinks] == [1, 1, 1]
