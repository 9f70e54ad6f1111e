"""The keypoint filter: people who rest and tremble, people who move, people who come and go."""

import numpy as np
import pytest

from pose.keypoints import Keypoint as K
from pose.poses import Poses
from stream.people.keypoint_filter import HOLD_SECONDS, KeypointFilter
from tests.worlds import person, poses


def run(people, fps, keypoint_filter=None):
    """Filtered keypoints `[T, 17, 3]` of one person."""
    keypoint_filter = keypoint_filter or KeypointFilter()
    box = poses(person(300, 100))  # of the right size, and finite whatever the keypoints are
    frames = (Poses(p[None], box.boxes, box.scores) for p in people)
    return np.stack([keypoint_filter.update([1], frame, n / fps).keypoints[0] for n, frame in enumerate(frames)])


def trembling(count, spread=3.0, seed=0):
    rng = np.random.default_rng(seed)
    noise = np.pad(rng.normal(0, spread, (count, 17, 2)), ((0, 0), (0, 0), (0, 1)))
    return [(person(300, 100) + shake).astype(np.float32) for shake in noise]


def test_trembling_at_rest_is_taken_out():
    found = trembling(90)
    steady = run(found, 30)[30:, :, :2]
    assert steady.std(0).mean() < np.stack(found)[30:, :, :2].std(0).mean() / 2.5
    assert np.abs(steady.mean(0) - person(300, 100)[:, :2]).max() < 2


@pytest.mark.parametrize("fps", [10, 30, 60])
def test_who_moves_fast_is_followed(fps):
    """Four torso lengths a second: behind by less than 50 ms."""
    speed = 4 * 60.0
    found = [person(100 + speed * n / fps, 100) for n in range(2 * fps)]
    behind = np.stack(found)[-1, :, 0] - run(found, fps)[-1, :, 0]
    assert np.all(behind >= 0)
    assert behind.max() / speed < 0.05


def test_near_and_far_people_are_treated_alike():
    rng = np.random.default_rng(2)
    near, far = KeypointFilter(), KeypointFilter()
    for n in range(30):
        body = person(0, 0, 400.0) + np.pad(rng.normal(0, 8, (17, 2)), ((0, 0), (0, 1)))
        told = near.update([1], poses(body), n / 30).keypoints[..., :2]
        small = far.update([1], poses(body * (0.25, 0.25, 1.0)), n / 30).keypoints[..., :2]
    assert np.allclose(told / 4, small, atol=1e-3)


def test_five_and_sixty_frames_a_second_tell_the_same_story():
    """A step aside, then rest: half a second later both have arrived alike."""
    at = {fps: run([person(300 + 30.0 * (n >= fps), 100) for n in range(3 * fps)], fps) for fps in (5, 60)}
    for seconds in (1.4, 2.0, 2.8):
        slow, fast = (at[fps][round(seconds * fps), :, 0] for fps in (5, 60))
        assert np.abs(slow - fast).max() < 30.0 * 0.1


def test_a_new_identity_starts_where_it_is_found_and_a_forgotten_one_starts_again():
    keypoint_filter = KeypointFilter()
    for n in range(10):
        keypoint_filter.update([1], poses(person(300, 100)), n / 10)
    both = poses(person(310, 100), person(310, 100))
    told = keypoint_filter.update([1, 2], both, 1.0).keypoints
    assert np.abs(told[0, :, 0] - both.keypoints[0, :, 0]).min() > 1
    assert np.array_equal(told[1], both.keypoints[1])
    keypoint_filter.keep([2])
    assert np.array_equal(keypoint_filter.update([1], poses(person(500, 100)), 1.1).keypoints[0], person(500, 100))


def test_people_do_not_mix_whatever_their_order():
    singly = [run(trembling(20, seed=seed), 30) for seed in (1, 2)]
    together = KeypointFilter()
    for n, (a, b) in enumerate(zip(trembling(20, seed=1), trembling(20, seed=2), strict=True)):
        turned = n % 2 == 1
        told = together.update([2, 1] if turned else [1, 2], poses(*((b, a) if turned else (a, b))), n / 30).keypoints
    assert np.allclose(told[::-1] if turned else told, [singly[0][-1], singly[1][-1]], atol=1e-4)


def test_a_keypoint_out_of_sight_is_carried_along_with_the_others():
    """The network throws a hidden wrist aside while the person walks: it walks too."""
    found = [person(100 + 5.0 * n, 100) for n in range(40)]
    for p in found[30:36]:
        p[K.LEFT_WRIST] = (0, 0, 0.1)
    told = run(found, 30)
    seen = run([person(100 + 5.0 * n, 100) for n in range(40)], 30)
    assert np.abs(told[30:36, K.LEFT_WRIST, :2] - seen[30:36, K.LEFT_WRIST, :2]).max() < 8
    assert np.allclose(told[30:36, K.LEFT_WRIST, 2], 0.1)
    others = np.arange(17) != K.LEFT_WRIST
    assert np.allclose(told[:, others], seen[:, others], atol=1e-3)


def test_a_keypoint_out_of_sight_for_long_is_not_frozen():
    hidden = [person(300, 100) for _ in range(40)]
    for p in hidden[10:]:
        p[K.LEFT_WRIST] = (200, 200, 0.1)
    told = run(hidden, 20)[:, K.LEFT_WRIST, :2]
    last_seen = 9 / 20
    for n in range(10, 40):
        if n / 20 - last_seen <= HOLD_SECONDS:
            assert np.abs(told[n] - person(300, 100)[K.LEFT_WRIST, :2]).max() < 1
        else:
            assert np.abs(told[n] - (200, 200)).max() < 1
    back = [*hidden, person(300, 100)]
    assert np.allclose(run(back, 20)[-1], person(300, 100), atol=1)


def test_a_keypoint_never_seen_is_where_the_network_guesses_it():
    found = [person(300, 100) for _ in range(10)]
    for p in found:
        p[K.LEFT_ANKLE] = (320, 250, 0.2)
    assert np.allclose(run(found, 30)[:, K.LEFT_ANKLE], (320, 250, 0.2))


def test_missing_coordinates_come_and_go():
    found = [person(300, 100) for _ in range(60)]
    for p in found[20:40]:
        p[K.NOSE] = (np.nan, np.nan, 0)
    told = run(found, 30)
    assert np.isfinite(told[20:28]).all()  # held for a moment
    assert np.isnan(told[39, K.NOSE, :2]).all()  # then missing is missing
    assert np.isfinite(np.delete(told, K.NOSE, axis=1)).all()
    assert np.allclose(told[40:], person(300, 100), atol=1)
    nowhere = poses(person(300, 100))
    nowhere = Poses(np.full_like(nowhere.keypoints, np.nan), nowhere.boxes, nowhere.scores)
    assert np.isnan(KeypointFilter().update([1], nowhere, 0.0).keypoints).all()


def test_time_that_stands_still_changes_nothing_and_nobody_is_no_trouble():
    keypoint_filter = KeypointFilter()
    first = keypoint_filter.update([1], poses(person(300, 100)), 1.0)
    again = keypoint_filter.update([1], poses(person(340, 100)), 1.0)
    assert np.array_equal(first.keypoints, again.keypoints)
    assert len(keypoint_filter.update([], Poses.empty(), 1.0)) == 0
    later = keypoint_filter.update([1], poses(person(340, 100)), 3.0)
    assert np.allclose(later.keypoints, poses(person(340, 100)).keypoints, atol=0.1)


def test_boxes_and_scores_stay_as_found():
    keypoint_filter = KeypointFilter()
    keypoint_filter.update([1], poses(person(300, 100)), 0.0)
    found = poses(person(320, 100), scores=(0.7,))
    told = keypoint_filter.update([1], found, 0.1)
    assert np.array_equal(told.boxes, found.boxes)
    assert np.array_equal(told.scores, found.scores)
