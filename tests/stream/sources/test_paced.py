"""A recording is not ahead of its time, nor does it hurry after a pause. Strategy: a real clock and short films."""

import threading
import time
from itertools import pairwise

import pytest

from stream.sources.paced import PacedSource


class Film:
    """Frames 0.1 s apart from a time that is not 0."""

    def __init__(self, worlds, frames):
        self.source = worlds.FakeSource(live=False)
        self.frames = frames

    def __iter__(self):
        return (self.source.frame(number, 5 + 0.1 * number) for number in range(self.frames))

    def close(self):
        self.source.close()


def test_every_frame_at_its_time(worlds):
    came = []
    for frame in PacedSource(Film(worlds, 6)):
        came.append((time.monotonic(), frame.number))
    assert [number for _, number in came] == list(range(6))
    assert all(after - before > 0.05 for (before, _), (after, _) in pairwise(came))
    assert came[-1][0] - came[0][0] == pytest.approx(0.5, abs=0.2)


def test_no_catching_up_after_a_pause(worlds):
    frames = iter(PacedSource(Film(worlds, 10)))
    next(frames)
    time.sleep(0.8)
    next(frames)
    began = time.monotonic()
    for _ in range(3):
        next(frames)
    assert time.monotonic() - began > 0.25


def test_closing_ends_the_wait(worlds):
    class Slow(Film):
        def __iter__(self):
            return (self.source.frame(number, 60.0 * number) for number in range(3))

    source = PacedSource(Slow(worlds, 3))
    frames = iter(source)
    next(frames)
    threading.Timer(0.1, source.close).start()
    began = time.monotonic()
    assert list(frames) == []
    assert time.monotonic() - began < 5
