"""Finding people with memory, in made worlds: who is there is found, cheaply; who is not is noticed at once."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from pose import crowded
from pose.inference.steps import complete
from stream.people.pose_finder import PoseFinder
from stream.people.tracker import Tracker
from tests.stream.people.worlds import PICTURE, World
from tests.worlds import person

FPS = 25.0


class Watch:
    """A finder with its tracker, frame by frame."""

    def __init__(self, world, **options):
        self.finder, self.tracker, self.world = PoseFinder(world, **options), Tracker(), world
        self.number = 0

    def frame(self, *people, fps=FPS):
        """The next frame: what is found, and who they are."""
        if people:
            self.world.people = list(people)
        seconds = self.number / fps
        self.number += 1
        found = complete(self.finder.find(PICTURE, seconds, self.tracker.shifts(seconds)))
        told = self.tracker.update(found, seconds)
        self.finder.remember([None if one is None else one.key for one in told])
        return found, told


def rotated(keypoints, degrees):
    """The person turned clockwise about the middle of the body."""
    radians = np.radians(degrees)
    turn = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    middle = keypoints[:, :2].mean(0)
    return np.concatenate(((keypoints[:, :2] - middle) @ turn + middle, keypoints[:, 2:]), 1).astype(np.float32)


def test_between_detections_people_are_followed_by_their_crops():
    world = World()
    watch = Watch(world)
    for number in range(50):
        walkers = person(100 + 4 * number, 150), person(500 - 3 * number, 120, 150)
        found, _ = watch.frame(*walkers)
        assert len(found) == 2
        order = np.argsort(found.keypoints[:, 0, 1])[::-1]
        np.testing.assert_allclose(found.keypoints[order], np.stack(walkers))
    assert world.detections == 7  # at 0, 0.32, 0.64 … s of two seconds
    assert world.looks == 2 * 50
    assert {one.number for one in watch.frame()[1]} == {1, 2}


@pytest.mark.parametrize("fps", [5.0, 10.0, 60.0])
def test_the_detector_looks_by_the_clock_whatever_the_frame_rate(fps):
    world = World(person(200, 150))
    watch = Watch(world)
    for _ in range(round(3 * fps)):
        watch.frame(fps=fps)
    assert world.detections == pytest.approx(3 / max(0.3, 1 / fps), abs=2 if fps > 5 else 8)


def test_zero_seconds_detects_in_every_frame():
    world = World(person(200, 150))
    watch = Watch(world, detect_every_seconds=0)
    for _ in range(10):
        watch.frame()
    assert world.detections == 10


def test_a_newcomer_is_found_within_the_interval():
    world = World(person(200, 150))
    watch = Watch(world)
    for _ in range(10):
        watch.frame()
    world.people.append(person(450, 150))
    when = next(number for number in range(20) if len(watch.frame()[0]) == 2)
    assert when <= 0.3 * FPS


def test_the_box_stays_the_detectors_while_the_crop_follows():
    world = World()
    watch = Watch(world)
    first = watch.frame(person(100, 150))[0].boxes[0]
    for number in range(1, 13):  # two detections, and frames without one after each
        moved = watch.frame(person(100 + 5 * number, 150))[0].boxes[0]
        np.testing.assert_allclose(moved - first, [5 * number, 0, 5 * number, 0], atol=0.1)


def test_who_leaves_is_gone_at_once_and_the_detector_is_sent_for():
    world = World(person(200, 150), person(450, 150))
    watch = Watch(world)
    for _ in range(12):
        watch.frame()
    before = world.detections
    found, _ = watch.frame(person(200, 150))
    assert len(found) == 1
    assert world.detections == before + 1
    for _ in range(4):  # and no crop looks for somebody who is gone
        looks = world.looks
        watch.frame()
        assert world.looks == looks + 1


def test_whoever_jumps_is_found_again_in_the_same_frame():
    """A cut, or a stall of the camera: the crop shows nobody, the detector finds the person elsewhere."""
    world = World(person(150, 150))
    watch = Watch(world)
    for _ in range(12):
        watch.frame()
    found, _ = watch.frame(person(480, 150))
    np.testing.assert_allclose(found.keypoints[0], person(480, 150))


def test_a_crop_that_slides_to_a_neighbour_is_caught():
    """One of two disappears behind the other: the crop sees the other one, who is there once."""
    world = World()
    watch = Watch(world)
    for number in range(14):
        watch.frame(person(200, 150), person(330 - 6 * number, 155))
    found, _ = watch.frame(person(200, 150))
    assert len(found) == 1
    np.testing.assert_allclose(found.keypoints[0], person(200, 150))
    assert all(len(watch.frame()[0]) == 1 for _ in range(10))


def test_a_crop_that_shows_somebody_else_is_no_sight_of_the_person():
    """Somebody steps to where another one was a moment ago: near enough for the crop, and another person."""
    world = World(person(200, 150))
    watch = Watch(world)
    for _ in range(12):
        watch.frame()
    before = world.detections
    found, _ = watch.frame(person(260, 190))
    assert world.detections == before + 1
    np.testing.assert_allclose(found.keypoints[0], person(260, 190))


def test_two_crops_of_one_person_are_one():
    """One of two who embrace steps out of sight: both crops show the other."""
    world = World()
    finder = PoseFinder(world)
    for number in range(12):
        world.people = [person(200, 150), person(212, 152)]
        found = complete(finder.find(PICTURE, number / FPS, {1: np.zeros(2), 2: np.zeros(2)}))
        finder.remember([1, 2][: len(found)])
    assert len(found) == 2
    world.people = [person(206, 151)]
    found = complete(finder.find(PICTURE, 12 / FPS, {1: np.zeros(2), 2: np.zeros(2)}))
    assert len(found) == 1


def test_crops_are_cut_where_people_are_expected():
    world = World(person(100, 150))
    finder = PoseFinder(world)
    complete(finder.find(PICTURE, 0.0, {}))
    finder.remember([7])
    world.people = [person(260, 150)]
    found = complete(finder.find(PICTURE, 0.2, {7: np.array([160.0, 0.0])}))
    np.testing.assert_allclose(found.keypoints[0], person(260, 150))
    assert world.detections == 1  # nobody was lost


def test_what_hardly_shows_is_nobody():
    faint = person(200, 150)
    faint[:, 2] = 0.25
    world = World(faint)
    watch = Watch(world)
    assert all(len(watch.frame()[0]) == 0 for _ in range(10))


def test_a_part_of_somebody_known_is_no_newcomer():
    """The detector takes a torso for a person of its own; its crop shows the person who is known."""
    world = World(person(200, 150))
    watch = Watch(world)
    for _ in range(10):
        watch.frame()
    world.ghosts = [[180, 200, 222, 252]]
    assert all(len(watch.frame()[0]) == 1 for _ in range(10))


def test_somebody_the_detector_misses_stays_while_the_keypoints_are_sure():
    world = World(person(200, 150))
    watch = Watch(world)
    for _ in range(10):
        watch.frame()
    world.unseen = {0}
    for _ in range(50):
        assert len(watch.frame()[0]) == 1


def test_a_ghost_that_no_detection_confirms_goes():
    faint = person(200, 150)
    faint[:, 2] = 0.4
    world = World(faint)
    watch = Watch(world)
    for _ in range(10):
        assert len(watch.frame()[0]) == 1
    world.unseen = {0}
    left = [len(watch.frame()[0]) for _ in range(40)]
    assert left[:15] == [1] * 15
    assert left[-10:] == [0] * 10


def test_a_place_in_which_nobody_is_found_is_not_looked_at_again_for_a_while():
    world = World()
    world.ghosts = [[400, 100, 460, 300]]
    watch = Watch(world)
    for _ in range(30):  # four detections in 1.2 s
        found, _ = watch.frame()
        assert len(found) == 0
    assert world.looks == 3  # upright and on both sides
    for _ in range(20):
        watch.frame()
    assert world.looks == 6


def test_a_doubtful_detection_is_looked_at_when_it_comes_twice():
    """Most of those that come once never come again. At the start of a video nothing came before."""
    world = World()
    watch = Watch(world)
    for number in range(40):
        world.ghosts = [[400 - 60 * (number // 8), 100, 440 - 60 * (number // 8), 200]]  # elsewhere each time
        world.ghost_score = 0.25
        watch.frame()
    assert world.detections == 5
    assert world.looks == 1
    for _ in range(16):  # the same one again
        watch.frame()
    assert world.looks == 2


def test_a_person_of_whom_the_detector_is_not_sure_is_found_at_the_next_detection():
    world = World()
    watch = Watch(world)
    for _ in range(5):
        watch.frame()
    world.people, world.score = [person(200, 150)], 0.3
    when = next(number for number in range(40) if len(watch.frame()[0]) == 1)
    assert when <= 2 * 0.32 * FPS


def test_a_second_box_of_somebody_who_walks_costs_a_look_now_and_then_only():
    world = World()
    watch = Watch(world)
    for number in range(50):
        x = 100 + 4 * number
        world.ghosts = [[x - 20, 120, x + 16, 245]]
        watch.frame(person(x, 150))
    extra = world.looks - 50
    assert world.detections == 7
    assert extra <= 3


def test_somebody_whose_label_is_settled_is_looked_at_less_often():
    world = World()
    finder = PoseFinder(world, settled_every_seconds=0.2)
    held = []
    for number in range(50):
        world.people = [person(100 + 4 * number, 150)]
        shifts = {7: np.array([4.0, 0.0])} if number else {}
        settled = {7} if number < 40 else set()
        found = complete(finder.find(PICTURE, number / FPS, shifts, settled))
        held.append(finder.held.tolist())
        finder.remember([7])
        np.testing.assert_allclose(found.keypoints[0, :, :2], person(100 + 4 * number, 150)[:, :2], atol=0.01)
    assert world.looks == 8 + 10  # every fifth frame, then every one
    assert held[:6] == [[False], [True], [True], [True], [True], [False]]


def test_somebody_lying_is_looked_at_upright():
    lying = rotated(person(300, 200), 90)
    world = World(lying)
    watch = Watch(world)
    watch.frame()
    for _ in range(5):
        watch.frame()
    assert world.angles[0] == 0  # the detector could not tell
    np.testing.assert_allclose(np.degrees(world.angles[1:]), 90, atol=1)
    standing = World(person(300, 200))
    watch = Watch(standing)
    watch.frame()
    watch.frame()
    assert list(standing.angles) == [0.0, 0.0]


def test_no_more_people_than_there_is_room_for(caplog):
    crowd = [person(60 + 70 * place, 150, 100) for place in range(8)]
    world = World(*crowd, max_people=5)
    watch = Watch(world)
    crowded._say.cache_clear()
    with caplog.at_level(logging.WARNING, "pose"):
        for _ in range(20):
            assert len(watch.frame()[0]) == 5
    assert [record.getMessage() for record in caplog.records] == [
        "There are more than 5 people in a picture, and the largest 5 are looked at. Raise pose.max_people for more."
    ]


def test_calm_people_are_looked_at_less_often_and_at_once_when_they_move_again():
    world = World(person(200, 150))
    watch = Watch(world, calm_every_seconds=0.4)
    for _ in range(50):
        found, _ = watch.frame()
        np.testing.assert_allclose(found.keypoints[0], person(200, 150))
    assert world.looks < 50 / 2
    looks = world.looks
    for number in range(1, 26):
        watch.frame(person(200 + 8 * number, 150))
    assert world.looks - looks >= 25 - 0.4 * FPS  # after the first look that sees the movement, every frame again


def test_people_on_the_move_are_never_calm():
    world = World()
    watch = Watch(world, calm_every_seconds=0.4)
    for number in range(50):
        watch.frame(person(100 + 4 * number, 150))
    assert world.looks == 50


def test_calm_people_are_watched_all_the_time_by_default():
    world = World(person(200, 150))
    watch = Watch(world)
    for _ in range(50):
        watch.frame()
    assert world.looks == 50


def test_nobody_is_found_nowhere():
    watch = Watch(World())
    for _ in range(10):
        found, told = watch.frame()
        assert len(found) == 0
        assert told == []
