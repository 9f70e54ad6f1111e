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
