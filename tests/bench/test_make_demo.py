"""Keypoints at other times than those at which they were seen."""

import numpy as np
import pytest

from bench.make_demo import STRETCHES, resample
from stream.sources.demo.recordings import load_recordings


def seen(seconds: np.ndarray) -> np.ndarray:
    """Somebody who goes to the right at 100 px a second, all keypoints alike."""
    keypoints = np.ones((len(seconds), 17, 3))
    keypoints[..., 0] = 100 * seconds[:, None]
    keypoints[..., 2] = 0.8
    return keypoints


def test_who_moves_evenly_goes_on_evenly() -> None:
    seconds = np.arange(0, 4, 0.1)
    times = np.arange(1, 3, 0.04)
    person = resample(seconds, seen(seconds), times)
    assert np.abs(person[:, 0, 0] - 100 * times).max() < 1
    assert person[..., 2] == pytest.approx(0.8)


def test_who_is_lost_for_long_is_not_there() -> None:
    seconds = np.concatenate([np.arange(0, 1, 0.1), np.arange(1.5, 2, 0.1), np.arange(4, 5, 0.1)])
    times = np.arange(-0.5, 5.5, 0.04)
    there = resample(seconds, seen(seconds), times)[:, 0, 2] >= 0
    expected = ((times >= 0) & (times <= 1.9)) | ((times >= 4) & (times <= 4.9))
    assert (there == expected).mean() > 0.98
    assert not there[(times > 2) & (times < 3.9)].any()


def test_what_ships_is_what_it_makes() -> None:
    recordings = load_recordings()
    assert set(recordings) == set(STRETCHES)
    for name, stretch in STRETCHES.items():
        assert recordings[name].frames == pytest.approx(25 * (stretch.end_seconds - stretch.begin_seconds), abs=1)
        assert 1 <= len(recordings[name].people) <= stretch.people
