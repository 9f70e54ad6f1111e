"""Many sources become batches: the freshest of every camera, every frame of every recording, nobody waited for who is
not there. Strategy: fake sources that give a frame per permit, so that every interleaving is forced; time only where a
window is the matter."""

import logging
import threading
import time

import pytest

from stream.errors import SourceError
from stream.reading.batcher import FrameBatcher
from stream.reading.reader import BackgroundReader


@pytest.fixture
def camera(worlds):
    def make(name, **options):
        source = worlds.FakeSource(count=10**6, live=True, name=name, permits=threading.Semaphore(0), **options)
        make_frame = source.frame
        source.frame = lambda number: worlds.captured_now(make_frame(number))
        return source

    return make


def told(batch):
    return [(frame.source, frame.number) for frame in batch]


def arrived(batcher, worlds, **numbers):
    """Wait until sources have given so many frames and the last is there to be taken."""
    for name, count in numbers.items():
        source = batcher.sources[name]
        assert worlds.wait_until(lambda source=source, count=count: source.given >= count)
    time.sleep(0.02)


def test_the_freshest_of_every_camera_in_one_batch(camera, worlds):
    a, b = camera("a"), camera("b")
    with FrameBatcher([a, b]) as batcher:
        a.permits.release(3)
        b.permits.release(1)
        arrived(batcher, worlds, a=3, b=1)
        assert sorted(told(batcher.take())) == [("a", 2), ("b", 0)]
        assert batcher.drops("a") == {"replaced": 2, "stale": 0, "capped": 0}
        assert batcher.drops("b")["replaced"] == 0


def test_a_camera_that_gives_nothing_is_not_waited_for(camera, worlds):
    here, away = camera("here"), camera("away")
    with FrameBatcher([here, away]) as batcher:
        for number in range(5):
            here.permits.release()
            assert told(batcher.take(timeout_seconds=5)) == [("here", number)]
        assert batcher.take(timeout_seconds=0.01) == []
        assert not batcher.ended


def test_a_fast_camera_does_not_push_a_slow_one_aside(camera, worlds):
    cameras = [camera(name) for name in "abcde"]
    with FrameBatcher(cameras, batch_size=2) as batcher:
        served = []
        for _ in range(10):
            for source in cameras:
                source.permits.release()
            arrived(batcher, worlds, **{source.name: source.given + 1 for source in cameras if source.given == 0})
            served += [name for name, _ in told(batcher.take())]
        assert {name: served.count(name) for name in "abcde"} == dict.fromkeys("abcde", 4)


def test_every_frame_of_every_recording(worlds):
    clips = [worlds.FakeSource(count=count, name=f"clip{count}") for count in (3, 10, 25)]
    with FrameBatcher(clips, batch_size=4) as batcher:
        batches = []
        while batch := batcher.take():
            batches.append(told(batch))
        assert batcher.ended
    frames = [one for batch in batches for one in batch]
    for clip in clips:
        assert [number for name, number in frames if name == clip.name] == list(range(clip.count))
    assert all(len({name for name, _ in batch}) == 1 for batch in batches)  # of one size, so they go together
    assert sum(len(batch) == 4 for batch in batches) >= 8  # full ones, but for the ends


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_recording_beside_cameras_loses_nothing_and_gets_its_turn(camera, worlds, batch_size):
    cameras = [camera(name) for name in "abcdef"]
    clip = worlds.FakeSource(count=20, name="clip")
    with FrameBatcher([*cameras, clip], batch_size=batch_size) as batcher:
        seen, batches = [], 0
        while len(seen) < 20 and batches < 200:
            for source in cameras:
                source.permits.release()
            time.sleep(0.002)
            batches += 1
            seen += [number for name, number in told(batcher.take()) if name == "clip"]
    assert seen == list(range(20))
    assert batches <= 20 * (7 if batch_size == 1 else 1)
    assert batcher.drops("clip") == {"replaced": 0, "stale": 0, "capped": 0}


def test_a_frame_that_waited_too_long_is_left_out(camera, worlds):
    old, new = camera("old"), camera("new")
    with FrameBatcher([old, new], batch_size=1, stale_seconds=0.3) as batcher:
        old.permits.release()
        arrived(batcher, worlds, old=1)
        time.sleep(0.4)
        new.permits.release()
        arrived(batcher, worlds, new=1)
        assert told(batcher.take()) == [("new", 0)]
        assert batcher.drops("old") == {"replaced": 0, "stale": 1, "capped": 0}


def test_the_window_waits_for_a_camera_that_is_due_and_only_then(camera, worlds, monkeypatch):
    here, other = camera("here"), camera("other")
    due = {}  # in how many seconds the other one's next frame is due
    monkeypatch.setattr(
        BackgroundReader,
        "expected_seconds",
        property(lambda one: time.monotonic() + due.get(one.source.name, float("inf"))),
    )
    with FrameBatcher([here, other], window_share=0.5, stale_seconds=100) as batcher:
        batcher._work_seconds = 40.0  # what a batch takes: the window is 20 s

        def take_and_note_work():
            batch = told(batcher.take())
            batcher._gave_seconds = None  # or the time between two takes would count as work
            return batch

        for number, seconds in enumerate((float("inf"), 30.0)):  # not known to come; later than the window
            due["other"] = seconds
            here.permits.release()
            arrived(batcher, worlds, here=number + 1)
            assert take_and_note_work() == [("here", number)]
        due["other"] = 10.0
        here.permits.release()
        arrived(batcher, worlds, here=3)
        batches = []
        waiting = threading.Thread(target=lambda: batches.append(take_and_note_work()))
        waiting.start()
        time.sleep(0.1)
        assert batches == []
        other.permits.release()
        waiting.join(10)
        assert [sorted(batch) for batch in batches] == [[("here", 2), ("other", 0)]]


def test_a_failed_recording_stops_nobody_and_is_told_at_the_end(worlds, caplog):
    sources = [
        worlds.FakeSource(count=2, name="bad", error=SourceError("bad is truncated.")),
        worlds.FakeSource(count=40, name="good"),
        worlds.FakeSource(count=1, name="worse", error=SourceError("worse is damaged.")),
    ]
    with FrameBatcher(sources) as batcher, caplog.at_level(logging.WARNING):
        frames = []

        def take_all():
            while batch := batcher.take():
                frames.extend(told(batch))

        with pytest.raises(SourceError) as error:
            take_all()
        assert sorted(str(error.value).splitlines()) == ["bad is truncated.", "worse is damaged."]
        assert batcher.ended
        assert batcher.take() == []
    assert [sum(name == source.name for name, _ in frames) for source in sources] == [2, 40, 1]
    assert sorted(caplog.messages) == ["bad is truncated.", "worse is damaged."]


def test_a_bug_in_a_source_is_not_hidden(worlds):
    with FrameBatcher([worlds.FakeSource(count=1, error=ZeroDivisionError())]) as batcher:
        batcher.take()
        with pytest.raises(ZeroDivisionError):
            batcher.take()


def test_leaving_joins_all_threads_at_once(worlds, caplog):
    frozen = threading.Event()

    class Frozen(worlds.FakeSource):
        def __iter__(self):
            frozen.wait(20)
            yield from ()

    before = threading.active_count()
    started = time.monotonic()
    sources = [Frozen(name=f"frozen {n}") for n in range(5)] + [worlds.FakeSource(count=10**6, name="fine")]
    with FrameBatcher(sources, join_timeout_seconds=0.3) as batcher:
        batcher.take()
    assert time.monotonic() - started < 1.5  # not five times 0.3 s and more
    assert sum("does not stop" in message for message in caplog.messages) == 5
    frozen.set()
    assert worlds.wait_until(lambda: threading.active_count() == before)
    assert batcher.take() == []


def test_names_are_different(worlds):
    with pytest.raises(ValueError, match="one name"):
        FrameBatcher([worlds.FakeSource(name="a"), worlds.FakeSource(name="a")])
