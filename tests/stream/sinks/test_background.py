"""A slow sink runs beside the network. Strategy: a recording sink whose pace the test sets with permits."""

import threading
import time

import pytest

from stream.errors import SinkError
from stream.sinks.background import BackgroundSink
from stream.sinks.base import Drawing, Sink


class Recorder:
    def __init__(self, permits=None, error_at=None):
        self.permits = permits
        self.error_at = error_at
        self.numbers = []
        self.thread = None
        self.closed = 0

    def write(self, scene, drawing):
        if self.permits is not None:
            self.permits.acquire()
        if scene.frame.number == self.error_at:
            raise SinkError("the disk is full.")
        self.thread = threading.current_thread()
        self.numbers.append(scene.frame.number)

    def close(self):
        self.closed += 1


@pytest.fixture
def write(worlds):
    source = worlds.FakeSource()

    def write(sink, *numbers):
        for number in numbers:
            scene = worlds.empty_scene(source.frame(number))
            sink.write(scene, Drawing(scene, lambda scene: scene.frame.bgr.copy()))

    return write


def test_everything_arrives_in_order_on_another_thread(write):
    recorder = Recorder()
    sink = BackgroundSink(recorder, "out.mp4", capacity=2)
    assert isinstance(sink, Sink)
    write(sink, *range(30))
    sink.close()
    sink.close()
    assert recorder.numbers == list(range(30))
    assert recorder.thread is not threading.current_thread()
    assert recorder.closed >= 1
    with pytest.raises(SinkError, match=r"out\.mp4 is closed"):
        write(sink, 30)


def test_a_slow_sink_holds_the_writer_at_the_bound(write, worlds):
    permits = threading.Semaphore(0)
    recorder = Recorder(permits)
    sink = BackgroundSink(recorder, "out.mp4", capacity=2)
    done = []
    writer = threading.Thread(target=lambda: (write(sink, *range(5)), done.append(True)))
    writer.start()
    assert worlds.wait_until(lambda: len(sink._waiting) == 2)
    writer.join(0.05)
    assert not done  # 0 is being written, 1 and 2 wait, 3 is held
    permits.release(5)
    writer.join(10)
    sink.close()
    assert recorder.numbers == [0, 1, 2, 3, 4]
    assert sink.dropped == 0


def test_a_slow_sink_of_a_camera_leaves_out(write, worlds):
    permits = threading.Semaphore(0)
    recorder = Recorder(permits)
    sink = BackgroundSink(recorder, "out.mp4", capacity=2, when_full="drop")
    write(sink, 0)
    assert worlds.wait_until(lambda: not sink._waiting)
    write(sink, 1, 2, 3, 4)
    permits.release(5)
    sink.close()
    assert recorder.numbers == [0, 1, 2]
    assert sink.dropped == 2


def test_an_error_rises_at_the_next_write(write, worlds):
    sink = BackgroundSink(Recorder(error_at=0), "out.mp4", capacity=2)
    write(sink, 0)
    assert worlds.wait_until(lambda: sink._error)
    with pytest.raises(SinkError, match="disk is full"):
        write(sink, 1)
    sink.close()  # said once


def test_an_error_rises_at_close(write):
    recorder = Recorder(error_at=2)
    sink = BackgroundSink(recorder, "out.mp4", capacity=8)
    try:
        write(sink, 0, 1, 2)
    finally:
        with pytest.raises(SinkError, match="disk is full"):
            sink.close()
    assert recorder.numbers == [0, 1]
    assert recorder.closed == 1


def test_an_error_frees_a_waiting_writer(write):
    permits = threading.Semaphore(0)
    sink = BackgroundSink(Recorder(permits, error_at=0), "out.mp4", capacity=1)
    errors = []

    def fill():
        try:
            write(sink, *range(10))
        except SinkError as error:
            errors.append(error)

    writer = threading.Thread(target=fill)
    writer.start()
    time.sleep(0.02)
    permits.release()
    writer.join(10)
    assert not writer.is_alive()
    assert len(errors) == 1
    sink.close()


@pytest.mark.parametrize("stuck_in", ["write", "close"])
def test_a_disk_that_hangs_does_not_hold_a_camera(write, worlds, caplog, stuck_in):
    permits = threading.Semaphore(0)
    recorder = Recorder(permits if stuck_in == "write" else None)
    if stuck_in == "close":
        recorder.close = permits.acquire
    sink = BackgroundSink(recorder, "out.mp4", capacity=4, when_full="drop", close_timeout_seconds=0.2)
    write(sink, 0)
    assert worlds.wait_until(lambda: not sink._waiting)
    if stuck_in == "write":
        write(sink, 1, 2)
    sink.close()
    sink.close()
    assert sink.dropped == (2 if stuck_in == "write" else 0)
    assert [record.getMessage() for record in caplog.records] == [
        "out.mp4 was not finished within 0.2 s: the disk does not answer, or is too slow; its thread is left behind"
    ]
    permits.release()
    sink._thread.join(10)
    assert not sink._thread.is_alive()
    assert recorder.numbers == [0]


def test_the_end_of_a_recording_is_waited_for(write):
    permits = threading.Semaphore(0)
    recorder = Recorder(permits)
    sink = BackgroundSink(recorder, "out.mp4", close_timeout_seconds=0.01)
    write(sink, 0, 1)
    threading.Timer(0.2, lambda: permits.release(2)).start()
    sink.close()
    assert recorder.numbers == [0, 1]


def test_the_thread_that_writes_also_closes(write):
    recorder = Recorder()
    closed_on = []
    recorder.close = lambda: closed_on.append(threading.current_thread())
    sink = BackgroundSink(recorder, "out.mp4")
    write(sink, 0)
    sink.close()
    assert closed_on == [recorder.thread]
