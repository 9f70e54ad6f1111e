"""The hand-off loses nothing of a recording, keeps the newest of a camera, and always lets go. Strategy: a fake source
that gives a frame per permit, so that every interleaving is forced, never hoped for."""

import contextlib
import threading
import time

import pytest

from stream.errors import SourceError
from stream.reading.reader import BackgroundReader


def thread_of(reader):
    return next((t for t in threading.enumerate() if t.name == f"read {reader.source.name}"), None)


def test_every_frame_of_a_recording_in_order(worlds):
    with BackgroundReader(worlds.FakeSource(count=50), capacity=3) as frames:
        assert [frame.number for frame in frames] == list(range(50))
        assert frames.ended
        assert frames.take() == []
    assert frames.dropped == 0


def test_a_recording_waits_for_the_reader(worlds):
    source = worlds.FakeSource(count=50)
    with BackgroundReader(source, capacity=3) as frames:
        assert worlds.wait_until(lambda: source.given == 4)  # three wait, the fourth is in the reader's hand
        assert [frame.number for frame in frames.take(3)] == [0, 1, 2]
        assert worlds.wait_until(lambda: source.given == 7)


def test_a_camera_keeps_the_newest(worlds):
    permits = threading.Semaphore(0)
    source = worlds.FakeSource(count=100, live=True, permits=permits)
    with BackgroundReader(source) as frames:
        permits.release(5)
        assert worlds.wait_until(lambda: frames.dropped == 4)
        assert [frame.number for frame in frames.take(8)] == [4]
        permits.release()
        assert [frame.number for frame in frames.take(8)] == [5]
        assert frames.dropped == 4
        assert not frames.ended


def test_batches(worlds):
    with BackgroundReader(worlds.FakeSource(count=10), capacity=8) as frames:
        sizes = []
        while batch := frames.take(4):
            sizes.append([frame.number for frame in batch])
    assert sizes == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_batch_larger_than_the_queue_does_not_hang(worlds):
    with BackgroundReader(worlds.FakeSource(count=5), capacity=2) as frames:
        assert len(frames.take(100)) == 2


def test_take_gives_up_in_time(worlds):
    with BackgroundReader(worlds.FakeSource(permits=threading.Semaphore(0), live=True)) as frames:
        assert frames.take(timeout_seconds=0.01) == []
        assert not frames.ended


@pytest.mark.parametrize("live", [False, True])
def test_an_error_rises_after_the_frames_before_it(worlds, live):
    source = worlds.FakeSource(count=3, error=SourceError("gone."), live=live)
    with BackgroundReader(source) as frames:
        seen = []
        with pytest.raises(SourceError, match="gone"):
            seen.extend(frame.number for frame in frames)
        assert seen[-1] == 2
        if not live:
            assert seen == [0, 1, 2]
        assert frames.ended


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("taken", [0, 1])
def test_leaving_early_joins_the_thread(worlds, live, taken):
    source = worlds.FakeSource(count=10**6, live=live)
    started = time.monotonic()
    with BackgroundReader(source, capacity=2) as frames:
        for _ in range(taken):
            frames.take()
    assert time.monotonic() - started < 2
    assert thread_of(frames) is None
    assert source.closed.is_set()
    frames.close()
    assert frames.take() == []
    assert frames.ended


def test_leaving_wakes_a_source_that_waits(worlds):
    source = worlds.FakeSource(permits=threading.Semaphore(0), live=True)
    with BackgroundReader(source) as frames:
        assert worlds.wait_until(lambda: thread_of(frames))
    assert thread_of(frames) is None


def test_an_error_of_the_consumer_joins_too(worlds):
    frames = BackgroundReader(worlds.FakeSource(count=10**6))

    def consume():
        with frames:
            return next(iter(frames)).number / 0

    with pytest.raises(ZeroDivisionError):
        consume()
    assert thread_of(frames) is None


def test_a_reader_frozen_in_its_library_holds_nobody(worlds, caplog):
    frozen = threading.Event()

    class Frozen(worlds.FakeSource):
        def __iter__(self):
            frozen.wait(20)
            yield from ()

    started = time.monotonic()
    with BackgroundReader(Frozen(name="frozen"), join_timeout_seconds=0.05) as frames:
        pass
    assert time.monotonic() - started < 2
    assert "frozen does not stop" in caplog.text
    assert thread_of(frames).daemon
    frozen.set()


def test_reading_can_be_timed(worlds):
    stages = []

    def stage(name):
        stages.append(name)
        return contextlib.nullcontext()

    with BackgroundReader(worlds.FakeSource(count=3), stage=stage) as frames:
        assert len(list(frames)) == 3
    assert stages == ["read"] * 4  # the last one finds the end


def test_capacity_is_checked(worlds):
    with pytest.raises(ValueError, match="capacity"):
        BackgroundReader(worlds.FakeSource(), capacity=0)
