"""Gait: made people of known cadence and speed, at several frame rates, sizes, views and with trembling keypoints.

They walk on pendulum legs: ankles swing against each other by a step's length once in two steps, and feet are lifted.
"""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from index.classification import Classification, DecisionRule
from pose.keypoints import Keypoint as K
from pose.reason import Reason
from stream.people.gait import GAITS, Gait, Motion, gait_likelihoods
from stream.people.gait_vote import knows_gaits, with_gait
from tests.stream.people.classifications import certain, too_far, votes

RATES = (5.0, 8.0, 15.0, 25.0, 60.0)
LABELS = frozenset((*GAITS, "squatting"))
STROLL, WALK, RUN = (0.5, 1.5), (0.8, 1.9), (1.8, 2.8)  # speed in heights per second, steps per second
LIFTS = {STROLL: 0.06, WALK: 0.08, RUN: 0.3}


def body(
    seconds: float, gait: tuple[float, float] | None, angle: float = 90.0, height: float = 200.0, lowered: float = 0.0
) -> NDArray[np.float32]:
    """Somebody who comes from the left at 0 s.

    Args:
        gait: speed and cadence; None stands.
        angle: between way and line of sight, degrees.
        lowered: how far the hips are down, in heights, as in a squat.
    """
    speed, cadence = gait or (0.0, 1.0)
    step, phase = speed / cadence, math.pi * cadence * seconds
    lift = LIFTS[gait] if gait else 0.0
    across, along = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    x, grown = speed * across * seconds, 1.0 + 0.08 * speed * along * seconds
    keypoints = np.full((17, 3), 0.9)

    def put(left: K, right: K, y: float, spread: float, swing: float = 0.0, lift: float = 0.0) -> None:
        for keypoint, side in ((left, 1), (right, -1)):
            moved = side * math.sin(phase)
            raised = max(0.0, side * math.cos(phase)) * lift
            keypoints[keypoint, :2] = x + side * spread * along + moved * swing * across, y - raised

    for face in range(5):
        keypoints[face, :2] = x, 0.07 + lowered
    put(K.LEFT_SHOULDER, K.RIGHT_SHOULDER, 0.18 + lowered, 0.11)
    put(K.LEFT_ELBOW, K.RIGHT_ELBOW, 0.35 + lowered, 0.13)
    put(K.LEFT_WRIST, K.RIGHT_WRIST, 0.48 + lowered, 0.13)
    put(K.LEFT_HIP, K.RIGHT_HIP, 0.47 + lowered, 0.07)
    put(K.LEFT_KNEE, K.RIGHT_KNEE, 0.71 + lowered / 2, 0.06, step / 4)
    put(K.LEFT_ANKLE, K.RIGHT_ANKLE, 0.96, 0.06, step / 2, lift)
    keypoints[:, :2] *= height * grown
    keypoints[:, :2] += 400.0, 100.0
    return keypoints.astype(np.float32)


def watched(make, rate: float, seconds: float = 2.0, begin: float = 0.0) -> Motion | None:
    gait, motion = Gait(), None
    for number in range(round(seconds * rate) + 1):
        time = begin + number / rate
        (motion,) = gait.update([1], make(time)[None], time)
    return motion


def likeliest(motion: Motion | None) -> str:
    assert motion is not None
    return GAITS[int(np.argmax(gait_likelihoods(motion)))]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("angle", [90.0, -60.0, 45.0])
@pytest.mark.parametrize(
    ("gait", "name"), [(None, "standing"), (STROLL, "walking"), (WALK, "walking"), (RUN, "running")]
)
def test_gait_is_told_at_any_frame_rate_and_from_either_side(gait, name, angle, rate):
    for begin in (0.0, 0.13, 0.37):  # in any phase of a step
        assert likeliest(watched(lambda time: body(time, gait, angle), rate, begin=begin)) == name


@pytest.mark.parametrize("rate", RATES)
def test_who_comes_towards_the_camera_is_told_by_the_feet(rate):
    walk, run = (watched(lambda time, gait=gait: body(time, gait, 0.0), rate) for gait in (WALK, RUN))
    assert walk is not None
    assert run is not None
    assert max(walk.travel, run.travel) < 0.1
    standing, walking, running = gait_likelihoods(walk)
    assert walking > 5 * running
    assert walking > 0.3 * standing  # little is seen of it: the examples decide
    standing, walking, running = gait_likelihoods(run)
    assert running > 3 * walking  # the shins fold up
    assert standing < 0.1


def test_speeds_are_in_body_heights_per_second():
    motion = watched(lambda time: body(time, WALK), 25.0)
    assert motion is not None
    assert motion.travel == pytest.approx(0.8, rel=0.05)
    larger = watched(lambda time: body(time, WALK, height=600.0), 25.0)
    assert larger is not None
    assert (larger.travel, larger.swing) == pytest.approx((motion.travel, motion.swing), rel=1e-3)


def test_ankles_that_the_network_mixes_up_change_nothing():
    def mixed(time: float) -> NDArray[np.float32]:
        keypoints = body(time, WALK)
        if int(time * 25) % 3 == 0:
            keypoints[[K.LEFT_ANKLE, K.RIGHT_ANKLE]] = keypoints[[K.RIGHT_ANKLE, K.LEFT_ANKLE]]
        return keypoints

    motion, right = watched(mixed, 25.0), watched(lambda time: body(time, WALK), 25.0)
    assert motion is not None
    assert right is not None
    assert motion.swing == pytest.approx(right.swing, rel=1e-4)


def test_who_stands_with_trembling_keypoints_stands():
    rng = np.random.default_rng(0)
    for rate in RATES:
        motion = watched(
            lambda time: body(time, None) + np.pad(rng.normal(0, 2.0, (17, 2)), ((0, 0), (0, 1))).astype(np.float32),
            rate,
        )
        assert likeliest(motion) == "standing"


def test_squats_swing_no_legs():
    motion = watched(lambda time: body(time, None, lowered=0.12 * (1 - math.cos(2 * math.pi * time / 2))), 25.0)
    assert motion is not None
    assert motion.swing < 0.02


def test_a_camera_that_pans_makes_nobody_run():
    def panned(time: float) -> NDArray[np.float32]:
        return body(time, None) + np.array([300.0 * time, 0, 0], np.float32)  # 1.5 heights per second

    assert likeliest(watched(panned, 25.0)) == "standing"


@pytest.mark.parametrize("angle", [90.0, 45.0, 0.0])
def test_shins_fold_up_in_a_run_and_less_in_a_walk(angle):
    stood, walked, ran = (watched(lambda time, gait=gait: body(time, gait, angle), 25.0) for gait in (None, WALK, RUN))
    assert stood is not None
    assert walked is not None
    assert ran is not None
    assert stood.shank == pytest.approx(1.0)
    assert 0.65 < walked.shank < 0.95
    assert ran.shank < 0.5


def test_a_camera_from_above_and_the_size_do_not_change_how_shins_fold():
    motion = watched(lambda time: body(time, RUN), 25.0)
    above = watched(lambda time: body(time, RUN, height=90.0) * np.array([1, 0.7, 1], np.float32), 25.0)
    assert motion is not None
    assert above is not None
    assert above.shank == pytest.approx(motion.shank, rel=1e-3)


def test_without_shins_nothing_is_said_of_them():
    def hidden(time: float) -> NDArray[np.float32]:
        keypoints = body(time, WALK)
        keypoints[K.LEFT_KNEE, 2] = 0.1
        return keypoints

    motion = watched(hidden, 25.0)
    assert motion is not None
    assert math.isnan(motion.shank)
    assert motion.swing > 0


def test_folded_shins_tell_a_run_from_a_walk_of_the_same_swing_and_travel():
    assert likeliest(Motion(0.7, 0.1, 0.75)) == "walking"
    assert likeliest(Motion(0.7, 0.1, 0.4)) == "running"


def test_who_stops_is_seen_to_stand_within_a_step():
    gait = Gait()
    for number in range(76):
        seconds = number / 25
        (motion,) = gait.update([1], body(min(seconds, 2.4), WALK)[None], seconds)
    assert likeliest(motion) == "standing"  # 0.6 s later


@pytest.mark.parametrize(("gait", "name", "travel"), [(None, "standing", 0.0), (WALK, "walking", 0.8)])
def test_what_the_camera_does_is_no_travel(gait, name, travel):
    pan = 160.0  # px per second; it follows the walker exactly
    watcher, motion, last = Gait(), None, 0.0
    for number in range(51):
        seconds = number / 25
        if due := watcher.due(seconds):
            camera = np.array([[1.0, 0.0, -pan * (seconds - last)], [0.0, 1.0, 0.0]])
            last = seconds
        seen = body(seconds, gait) - np.array([pan * seconds, 0, 0], np.float32)
        (motion,) = watcher.update([1], seen[None], seconds, camera if due else None)
    assert motion is not None
    assert motion.travel == pytest.approx(travel, abs=0.03)
    assert likeliest(motion) == name


def test_frames_that_come_too_fast_change_nothing():
    gait = Gait()
    for number in range(20):
        gait.update([1], body(number / 10, WALK)[None], number / 10)
    (before,) = gait.update([1], body(2.0, WALK)[None], 2.0)
    assert not gait.due(2.03)
    assert gait.update([2, 1], np.stack((body(2.03, None), body(2.03, WALK))), 2.03) == [None, before]


def test_before_a_step_is_over_and_without_a_torso_nothing_is_said():
    assert watched(lambda time: body(time, WALK), 25.0, seconds=0.35) is None

    def headless(time: float) -> NDArray[np.float32]:
        keypoints = body(time, WALK)
        keypoints[K.LEFT_HIP, 2] = 0.1
        return keypoints

    assert watched(headless, 25.0) is None


def test_without_ankles_travel_counts():
    def at_a_counter(time: float) -> NDArray[np.float32]:
        keypoints = body(time, WALK)
        keypoints[[K.LEFT_ANKLE, K.RIGHT_ANKLE], 2] = 0.1
        return keypoints

    motion = watched(at_a_counter, 25.0)
    assert motion is not None
    assert math.isnan(motion.swing)
    assert likeliest(motion) == "walking"


def test_three_frames_a_second_are_enough():
    assert likeliest(watched(lambda time: body(time, WALK), 3.0, seconds=3.0)) == "walking"
    assert likeliest(watched(lambda time: body(time, None), 3.0, seconds=3.0)) == "standing"


def test_a_gap_or_a_cut_begins_anew():
    gait = Gait()
    for number in range(50):
        gait.update([1], body(number / 25, WALK)[None], number / 25)
    assert gait.update([1], body(2.1, WALK)[None], 2.1) != [None]
    assert gait.update([1], body(2.6, WALK)[None], 2.6) == [None]  # half a second is missing
    for number in range(66, 120):
        gait.update([1], body(number / 25, WALK)[None], number / 25)
    elsewhere = body(4.88, WALK) + np.array([600.0, 0, 0], np.float32)
    assert gait.update([1], elsewhere[None], 4.88) == [None]  # a cut: nobody is so fast


def test_a_moment_out_of_sight_is_no_gap_and_people_are_kept_apart():
    gait = Gait()
    for number in range(50):
        gait.update([1, 2], np.stack((body(number / 25, WALK), body(number / 25, None))), number / 25)
    gait.update([2], body(2.04, None)[None], 2.04)
    motions = gait.update([2, 1], np.stack((body(2.1, None), body(2.1, WALK))), 2.1)
    assert [likeliest(motion) for motion in motions] == ["standing", "walking"]
    assert gait.update([], np.zeros((0, 17, 3), np.float32), 2.2) == []


def named(classification: Classification, motion: Motion | None) -> Classification:
    return with_gait(classification, motion, LABELS, DecisionRule(min_probability=0.4, min_margin=0.1))


def test_a_walk_that_looks_like_a_run_is_a_walk():
    walked = named(votes(running=0.5, walking=0.4, standing=0.1), Motion(0.5, 0.5))
    assert (walked.label, walked.best, walked.reason) == ("walking", "walking", None)
    assert walked.probability == dict(walked.probabilities)["walking"]
    assert sum(dict(walked.probabilities).values()) == pytest.approx(1.0)
    assert dict(walked.gait)["walking"] > 0.5
    assert walked.entries == votes(running=1.0).entries  # the neighbours stay who they were


def test_a_label_without_votes_can_win_and_what_the_others_have_stays():
    stood = named(votes(running=0.7, squatting=0.3), Motion(0.02, 0.01))
    assert stood.label == "standing"
    assert dict(stood.probabilities)["squatting"] == 0.3
    assert named(votes(squatting=0.8, walking=0.2), Motion(0.02, 0.01)).label == "squatting"


def test_what_is_refused_stays_refused_and_what_is_unknown_may_be_known():
    for refused in (certain(None), too_far(running=0.9, walking=0.1)):
        assert named(refused, Motion(0.7, 0.6)) is refused
    torn = votes(running=0.36, walking=0.34, standing=0.3)
    assert torn.reason is Reason.NO_MAJORITY
    assert named(torn, Motion(0.7, 0.6)).label == "walking"
    assert named(votes(running=0.1, walking=0.43, squatting=0.47), Motion(0.5, 0.5)).reason is Reason.TOO_CLOSE


def test_without_motion_or_without_these_labels_nothing_changes():
    some = votes(running=0.6, walking=0.4)
    assert named(some, None) is some
    lying = votes(squatting=1.0)
    assert named(lying, Motion(0.7, 0.6)) is lying


@pytest.mark.parametrize(
    ("labels", "known"),
    [
        (["standing", "walking"], True),
        (["walking", "running", "sitting"], True),
        (["standing", "running", "sitting"], False),
        (["walking", "sitting"], False),
    ],
)
def test_gait_keeps_out_of_databases_without_walkers(labels, known):
    assert knows_gaits(labels) is known
