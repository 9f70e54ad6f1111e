"""Many sources through one network: every source in its order, the freshest of every camera, every frame of every
recording, nobody waited for who is not there. Strategy: fake sources that give a frame per permit and a network that
answers when the test says so, so that every interleaving is forced."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from stream.errors import SourceError
from stream.reading.scheduler import Scheduler


@pytest.fixture
def camera(worlds):
    def make(name, **options):
        source = worlds.FakeSource(count=10**6, live=True, name=name, permits=threading.Semaphore(0), **options)
        make_frame = source.frame
        source.frame = lambda number: worlds.captured_now(make_frame(number))
        return source

    return make


def at_once(frame):
    """Done without asking anybody."""
    return (frame.source, frame.number)
    yield


class Network:
    """Answers when it is told to."""

    def __init__(self):
        self.asked = []

    def begin(self, frame):
        future = Future()
        self.asked.append((frame.source, frame.number, future))
        yield (future,)
        return (frame.source, frame.number, future.result())

    def under_way(self):
        return [(source, number) for source, number, future in self.asked if not future.done()]

    def answer(self, source, number):
        next(future for *who, future in self.asked if who == [source, number]).set_result("answered")


def following(scheduler, network, stop, **options):
    """Results as they come, collected on a thread."""
    results = []

    def collect():
        for several in scheduler.run(network.begin, idle=lambda: stop.is_set() and scheduler.close(), **options):
            results.extend(several)

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    return results, thread


def test_every_frame_of_every_recording_in_order(worlds):
    clips = [worlds.FakeSource(count=count, name=f"clip{count}") for count in (3, 10, 25)]
    with Scheduler(clips, read_ahead=2) as scheduler:
        frames = [one for several in scheduler.run(at_once) for one in several]
    for clip in clips:
        assert [number for name, number in frames if name == clip.name] == list(range(clip.count))


@pytest.mark.parametrize(("concurrency", "ahead"), [(1, 1), (2, 1), (3, 5)])
def test_answers_that_come_in_any_order_leave_the_order_of_a_source_alone(worlds, concurrency, ahead):
    clips = [worlds.FakeSource(count=30, name=name) for name in "ab"]
    delays = iter([0.004, 0.0, 0.002] * 40)
    with ThreadPoolExecutor(4) as pool, Scheduler(clips) as scheduler:

        def begin(frame):
            first = pool.submit(time.sleep, next(delays))
            yield (first,)
            second = pool.submit(lambda: frame.number)
            yield (second, first)
            return (frame.source, second.result())

        results = scheduler.run(begin, concurrency=concurrency, ahead=lambda _: ahead)
        frames = [one for several in results for one in several]
    for name in "ab":
        assert [number for source, number in frames if source == name] == list(range(30))


def test_a_source_fills_the_gap_while_another_waits_and_never_runs_ahead_of_itself(worlds):
    clips = [worlds.FakeSource(count=3, name=name) for name in "ab"]
    network, stop = Network(), threading.Event()
    with Scheduler(clips) as scheduler:
        results, thread = following(scheduler, network, stop, concurrency=2)
        assert worlds.wait_until(lambda: len(network.asked) == 2)
        time.sleep(0.05)
        assert sorted(network.under_way()) == [("a", 0), ("b", 0)]  # and not a second of either
        network.answer("b", 0)
        assert worlds.wait_until(lambda: ("b", 1) in network.under_way())
        assert results == [("b", 0, "answered")]
        for name, number in [("a", 0), ("b", 1), ("a", 1), ("b", 2), ("a", 2)]:
            assert worlds.wait_until(lambda one=(name, number): one in network.under_way())
            network.answer(name, number)
        thread.join(10)
    assert len(results) == 6


def test_no_frame_begins_while_the_network_has_no_room(camera, worlds):
    a, b = camera("a"), camera("b")
    network, stop = Network(), threading.Event()
    with Scheduler([a, b]) as scheduler:
        results, thread = following(scheduler, network, stop, concurrency=1)
        a.permits.release()
        assert worlds.wait_until(lambda: network.under_way() == [("a", 0)])
        a.permits.release(3)
        b.permits.release(2)
        assert worlds.wait_until(lambda: a.given == 4 and b.given == 2)
        time.sleep(0.05)
        assert network.under_way() == [("a", 0)]
        network.answer("a", 0)
        assert worlds.wait_until(lambda: network.under_way() == [("b", 1)])  # served longest ago, and its freshest
        network.answer("b", 1)
        assert worlds.wait_until(lambda: network.under_way() == [("a", 3)])
        assert scheduler.drops("a") == {"replaced": 2, "stale": 0, "capped": 0}
        assert scheduler.drops("b")["replaced"] == 1
        network.answer("a", 3)
        assert worlds.wait_until(lambda: len(results) == 3)
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_network_and_python_work_at_the_same_time(worlds):
    """Twenty frames of 20 ms network and 20 ms of the consumer's own, on one worker: not 0.8 s."""
    clip = worlds.FakeSource(count=20, name="clip")
    with ThreadPoolExecutor(1) as pool, Scheduler([clip]) as scheduler:

        def begin(frame):
            future = pool.submit(time.sleep, 0.02)
            yield (future,)
            return frame.number

        begun, seen = time.monotonic(), []
        for several in scheduler.run(begin):
            seen += several
            time.sleep(0.02)
    assert seen == list(range(20))
    assert time.monotonic() - begun < 0.65


def test_a_frame_that_waited_too_long_is_left_out(camera, worlds):
    old = camera("old")
    network, stop = Network(), threading.Event()
    with Scheduler([old], stale_seconds=0.2) as scheduler:
        _, thread = following(scheduler, network, stop, concurrency=1)
        old.permits.release()
        assert worlds.wait_until(lambda: network.under_way() == [("old", 0)])
        old.permits.release()
        assert worlds.wait_until(lambda: old.given == 2)
        time.sleep(0.3)
        network.answer("old", 0)
        assert worlds.wait_until(lambda: scheduler.drops("old")["stale"] == 1)
        old.permits.release()
        assert worlds.wait_until(lambda: network.under_way() == [("old", 2)])
        network.answer("old", 2)
        stop.set()
        thread.join(10)


def test_one_that_fails_does_not_stop_the_others_and_is_told_at_the_end(worlds, caplog):
    good = worlds.FakeSource(count=10, name="good")
    bad = worlds.FakeSource(count=3, name="bad", error=SourceError("bad: cut off."))
    frames = []
    with caplog.at_level(logging.WARNING), Scheduler([good, bad]) as scheduler:
        results = scheduler.run(at_once)
        with pytest.raises(SourceError, match=r"^bad: cut off\.$"):
            frames.extend(one for several in results for one in several)
    assert [number for name, number in frames if name == "good"] == list(range(10))
    assert [number for name, number in frames if name == "bad"] == list(range(3))
    assert "bad: cut off." in caplog.text  # said when it happens, too


def test_all_faults_are_told(worlds):
    faulty = [worlds.FakeSource(count=1, name=name, error=SourceError(f"{name} broke.")) for name in "ab"]
    with Scheduler(faulty) as scheduler, pytest.raises(SourceError) as caught:
        list(scheduler.run(at_once))
    assert sorted(str(caught.value).splitlines()) == ["a broke.", "b broke."]


def test_an_error_in_the_work_rises_at_once(worlds):
    clip = worlds.FakeSource(count=5, name="clip")

    def begin(frame):
        future = Future()
        future.set_exception(ZeroDivisionError())
        yield (future,)
        return future.result()

    with Scheduler([clip]) as scheduler, pytest.raises(ZeroDivisionError):
        list(scheduler.run(begin))


def test_leaving_early_ends_the_work_that_is_under_way(worlds):
    clip = worlds.FakeSource(count=50, name="clip")
    ended = []

    def begin(frame):
        try:
            if frame.number:
                yield (Future(),)  # never answered
            return frame.number
        finally:
            ended.append(frame.number)

    with Scheduler([clip]) as scheduler:
        assert worlds.wait_until(lambda: clip.given > 1)  # the second frame is there
        results = scheduler.run(begin)
        assert next(results) == [0]
        results.close()
    assert ended == [0, 1]


def test_idle_is_called_while_nothing_comes(camera):
    called = threading.Event()
    with Scheduler([camera("quiet")]) as scheduler:

        def idle():
            called.set()
            scheduler.close()

        assert list(scheduler.run(at_once, idle=idle)) == []
    assert called.is_set()


def test_two_of_one_name_are_refused(worlds):
    with pytest.raises(ValueError, match="two sources have one name"):
        Scheduler([worlds.FakeSource(count=1, name="a"), worlds.FakeSource(count=1, name="a")])
