"""Several batches in the network at once: order, errors and threads, with functions in place of the network."""

import threading

import numpy as np
import pytest
import torch

from pose import PoseEstimator, StanceError
from pose.pool import EstimatorPool


@pytest.fixture(autouse=True)
def _four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def batches(count, error=None):
    left = list(range(count))

    def take():
        if left:
            return [left.pop(0)]
        if error is not None:
            raise error
        return []

    return take


def test_results_come_in_the_order_of_the_batches_however_long_each_takes():
    turn = {n: threading.Event() for n in range(8)}

    def find(batch):
        (n,) = batch
        if n % 2 == 0:  # every even batch waits for the odd one after it
            assert turn[n + 1].wait(10)
        turn[n].set()
        return n * n

    with EstimatorPool(4) as pool:
        found = list(pool.in_order(batches(8), find))
    assert found == [([n], n * n) for n in range(8)]


def test_an_error_of_the_source_comes_after_what_it_gave():
    with EstimatorPool(4) as pool:
        results = pool.in_order(batches(3, StanceError("cut short")), len)
        assert [next(results) for _ in range(3)] == [([n], 1) for n in range(3)]
        with pytest.raises(StanceError, match="cut short"):
            next(results)


def test_an_error_of_the_network_comes_in_its_batch_s_place():
    def find(batch):
        if batch == [2]:
            raise RuntimeError("batch 2")
        return batch

    with EstimatorPool(4) as pool:
        results = pool.in_order(batches(9), find)
        assert [next(results)[0] for _ in range(2)] == [[0], [1]]
        with pytest.raises(RuntimeError, match="batch 2"):
            next(results)


def test_nothing_to_do_is_no_result():
    with EstimatorPool(4) as pool:
        assert list(pool.in_order(batches(0), len)) == []


def test_workers_share_the_threads_and_give_them_back():
    seen = []
    with EstimatorPool(4) as pool:
        list(pool.in_order(batches(6), lambda _: seen.append(torch.get_num_threads())))
    assert set(seen) == {1}
    assert torch.get_num_threads() == 4
    fresh = []
    thread = threading.Thread(target=lambda: fresh.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert fresh == [4]


def test_leaving_early_ends_the_workers():
    with EstimatorPool(4) as pool:
        next(pool.in_order(batches(100), len))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("network")]


def test_calls_from_several_threads_find_the_same_people():
    """The real network: what a picture shows does not depend on what runs beside it."""
    estimator = PoseEstimator(device="cpu", precision="fp32", image_size=128, person_threshold=0.001)
    rng = np.random.default_rng(3)
    pictures = [rng.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(12)]
    torch.set_num_threads(1)  # the same arithmetic in the same order
    alone = [estimator([picture])[0] for picture in pictures]
    torch.set_num_threads(4)
    left = [[picture] for picture in pictures]
    with EstimatorPool(estimator.concurrency) as pool:
        together = [people[0] for _, people in pool.in_order(lambda: left.pop(0) if left else [], estimator)]
    assert sum(map(len, alone)) > 0
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.keypoints, other.keypoints)


class Frames:
    """Batches that come when they are let go, as a camera gives them."""

    def __init__(self):
        self.changed = threading.Condition()
        self.ready, self.ended, self.taken = [], False, []

    def give(self, *numbers, ended=False):
        with self.changed:
            self.ready += [[number] for number in numbers]
            self.ended |= ended
            self.changed.notify_all()

    def wake(self):
        self.give()

    def take(self, unless):
        with self.changed:
            self.changed.wait_for(lambda: self.ready or self.ended or unless(), 10)
            batch = self.ready.pop(0) if self.ready else []
            self.taken += batch
            return batch


def test_a_live_batch_is_taken_only_when_a_worker_is_free_for_it():
    frames = Frames()
    begun, hold = ({n: threading.Event() for n in range(4)} for _ in range(2))

    def find(batch):
        begun[batch[0]].set()
        assert begun[1].wait(10)  # both workers are busy
        assert hold[batch[0]].wait(10)
        return batch[0]

    with EstimatorPool(2) as pool:
        results = pool.freshest(frames.take, find, frames.wake)
        frames.give(0, 1, 2, 3, ended=True)
        hold[0].set()
        assert next(results) == ([0], 0)
        assert frames.taken[:2] == [0, 1]
        assert 3 not in frames.taken  # two are in work, so the fourth becomes no older here than in the camera
        for event in hold.values():
            event.set()
        assert [result for _, result in results] == [1, 2, 3]


def test_a_live_result_does_not_wait_for_the_next_frame():
    frames = Frames()
    with EstimatorPool(2) as pool:
        results = pool.freshest(frames.take, lambda batch: batch[0] + 10, frames.wake)
        frames.give(1)
        assert next(results) == ([1], 11)  # though a worker is free and no frame comes
        frames.give(2, ended=True)
        assert list(results) == [([2], 12)]


def test_live_results_come_before_the_error_at_the_end():
    frames = Frames()

    def take(unless):
        if frames.taken == [1]:
            raise StanceError("all cameras are gone")
        return frames.take(unless)

    with EstimatorPool(2) as pool:
        results = pool.freshest(take, len, frames.wake)
        frames.give(1)
        assert next(results) == ([1], 1)
        with pytest.raises(StanceError, match="gone"):
            next(results)
