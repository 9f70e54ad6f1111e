"""`TopDown` in a world with known answers, and with the weights that ship on real pictures.

In the world every pixel of a picture says where it is: its blue is x, its green is y. So whatever crop is cut, a
stand-in for the keypoint network can look up where in the crop its people's keypoints are, and draws heat maps there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

from pose.detector import PersonDetector
from pose.estimator import PoseEstimator
from pose.evaluation.oks import oks
from pose.inference.crops import CROP_SIZE, SMALL_CROP_SIZE
from pose.inference.runtimes import Arrays, Runtime
from pose.inference.steps import complete
from pose.keypoint_finder import KeypointFinder, confidence, torso_angles
from pose.keypoints import FLIP
from pose.keypoints import Keypoint as K
from pose.poses import Poses
from pose.top_down import TopDown
from tests.worlds import person

SIZE = 128  # of the detector's input
CELL = 4  # pixels of the crop for one cell of a heat map


class FakeRuntime:
    """Runs a function in the network's place, at once, and keeps what it was given."""

    concurrency, batch, precision = 2, 3, "fp32"

    def __init__(self, run: Callable[[np.ndarray], Arrays]) -> None:
        self.run = run
        self.given: list[np.ndarray] = []
        self.closed = 0

    def submit(self, pictures: np.ndarray) -> Future[Arrays]:
        self.given.append(pictures)
        future: Future[Arrays] = Future()
        future.set_result(self.run(pictures))
        return future

    def close(self) -> None:
        self.closed += 1


def map_of_places(height: int = 240, width: int = 250) -> np.ndarray:
    """A picture whose pixels say where they are: uint8 `[H, W, 3]`, blue x, green y, red 255."""
    bgr = np.full((height, width, 3), 255, np.uint8)
    bgr[..., 0], bgr[..., 1] = np.arange(width), np.arange(height)[:, None]
    return bgr


class Looks:
    """A keypoint network that knows where everybody is, and sees people best who are upright in their crop.

    Args:
        people: `[N, 17, 3]`, pixels of the picture and scores.
        upright, turned: what the scores are multiplied with.
        size: width and height of its crops, px.
    """

    def __init__(
        self,
        people: Sequence[np.ndarray],
        upright: float = 0.9,
        turned: float = 0.9,
        size: tuple[int, int] = CROP_SIZE,
    ) -> None:
        self.people = people
        self.width, self.height = size
        self.upright, self.turned = upright, turned

    def __call__(self, crops: np.ndarray) -> Arrays:
        return (np.stack([self.look(crop) for crop in crops]),)

    def look(self, crop: np.ndarray) -> np.ndarray:
        assert crop.shape == (self.height, self.width, 3)
        middle = crop[self.height // 2 - 1, self.width // 2 - 1, :2]
        somebody = min(self.people, key=lambda one: np.abs(one[:, :2].mean(axis=0) - middle).sum())
        if is_mirrored(crop):  # what looks like somebody's left hand is their right one
            somebody = somebody[list(FLIP)]
        places = np.stack([self.find(crop, point[:2]) for point in somebody])
        seen = self.upright if places[K.LEFT_SHOULDER, 1] < places[K.LEFT_HIP, 1] - 20 else self.turned
        rows, columns = np.mgrid[: self.height // 4, : self.width // 4]
        maps = np.zeros((17, *rows.shape), np.float32)
        for heat, (x, y), score in zip(maps, places / CELL, somebody[:, 2], strict=True):
            heat[:] = score * seen * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
        return maps

    @staticmethod
    def find(crop: np.ndarray, point: np.ndarray) -> np.ndarray:
        """Where in the crop a place of the picture is: the middle of the pixels that are nearest to it."""
        far = np.abs(crop[..., :2].astype(np.float32) - point).sum(axis=2)
        far[crop[..., 2] < 250] = np.inf  # outside of the picture
        y, x = np.nonzero(far <= far.min())
        return np.array([x.mean(), y.mean()])


def is_mirrored(crop: np.ndarray) -> bool:
    """Whether a crop of a map of places shows it in a mirror."""
    places, y, x = crop[..., :2].astype(int), len(crop) // 2, len(crop[0]) // 2
    across, down = places[y, x + 4] - places[y, x - 4], places[y + 4, x] - places[y - 4, x]
    return bool(across[0] * down[1] < across[1] * down[0])


def detecting(boxes: Any, scores: Any, height: int = 240, width: int = 250) -> Callable[[np.ndarray], Arrays]:
    """A detector that gives these boxes `[N, 4]`, in pixels of a picture of that size, as pixels of its input; nobody
    where the picture (a map of places) is turned."""
    given = np.array(boxes, np.float32).reshape(-1, 4) / [width, height, width, height]

    def run(pictures: np.ndarray) -> Arrays:
        assert pictures.shape == (1, SIZE, SIZE, 3)
        assert pictures.dtype == np.uint8
        if turn_of(pictures[0]):
            return (np.zeros((1, 0, 4), np.float32), np.zeros((1, 0), np.float32))
        return ((given * SIZE).astype(np.float32)[None], np.array(scores, np.float32)[None])

    return run


def turn_of(bgr: np.ndarray) -> int:
    """How often a map of places was turned by 90° clockwise, 0–3; 0 for other pictures."""
    x = bgr[..., 0].astype(int)
    right, down = x[0, -1] - x[0, 0], x[-1, 0] - x[0, 0]
    return (0 if right >= 0 else 2) if abs(right) >= abs(down) else (1 if down > 0 else 3)


def detector(run: Callable[[np.ndarray], Arrays], threshold: float = 0.2, max_people: int = 20) -> PersonDetector:
    runtime = cast(Runtime, FakeRuntime(run))
    return PersonDetector(runtime, SIZE, threshold=threshold, iou_threshold=0.6, max_people=max_people)


def around(people: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([[*one[:, :2].min(axis=0) - 5, *one[:, :2].max(axis=0) + 5] for one in people])


def network(looks: Looks, scores: Sequence[float]) -> TopDown:
    finder = KeypointFinder(cast(Runtime, FakeRuntime(looks)))
    return TopDown(detector(detecting(around(looks.people), scores)), finder)


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """A person turned clockwise in the picture about the own middle."""
    middle, angle = points[:, :2].mean(axis=0), np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.concatenate([(points[:, :2] - middle) @ turn + middle, points[:, 2:]], axis=1)


class TestDetector:
    def test_boxes_come_back_in_pixels_of_the_picture(self) -> None:
        boxes = [[10, 20, 110, 220], [300, 40, 360, 90]]
        found = detector(detecting(boxes, [0.9, 0.5], 360, 640)).ask(np.zeros((360, 640, 3), np.uint8)).result()
        np.testing.assert_allclose(found.boxes, boxes, atol=1e-3)
        np.testing.assert_allclose(found.scores, [0.9, 0.5])

    def test_the_picture_is_stretched_to_the_input_and_its_colours_stay(self) -> None:
        bgr = np.zeros((60, 200, 3), np.uint8)
        bgr[:, 100:] = (10, 120, 250)
        asked = detector(detecting([], []))
        asked.ask(bgr)
        (given,) = cast(FakeRuntime, asked.runtime).given
        assert (given[0, :, : SIZE // 2 - 4] == 0).all()
        assert (given[0, :, SIZE // 2 + 4 :] == (10, 120, 250)).all()

    def test_scores_at_the_threshold_are_left_out(self) -> None:
        boxes = [[0, 0, 20, 40], [50, 0, 70, 40], [100, 0, 120, 40]]
        scores = np.float32([0.2, 0.21, 0.19])
        found = detector(detecting(boxes, scores), threshold=float(scores[0])).ask(map_of_places()).result()
        np.testing.assert_allclose(found.boxes, [boxes[1]], atol=1e-3)

    def test_of_boxes_on_one_person_the_best_stays(self) -> None:
        boxes = [[10, 10, 60, 110], [12, 10, 62, 110], [40, 10, 90, 110]]
        found = detector(detecting(boxes, [0.5, 0.8, 0.6])).ask(map_of_places()).result()
        np.testing.assert_allclose(found.boxes, [boxes[1], boxes[2]], atol=1e-3)  # best first

    def test_of_a_crowd_the_largest_stay_the_best_of_them_first(self) -> None:
        boxes = [[20 * n, 0, 20 * n + 5 + n, 10 + n] for n in range(8)]
        scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.7, 0.8, 0.4]
        found = detector(detecting(boxes, scores), max_people=3).ask(map_of_places()).result()
        np.testing.assert_allclose(found.scores, [0.8, 0.7, 0.4])
        np.testing.assert_allclose(found.boxes, [boxes[n] for n in (6, 5, 7)], atol=1e-3)

    @pytest.mark.parametrize(("side", "angle"), [(1, -np.pi / 2), (3, np.pi / 2)])
    def test_who_lies_is_found_where_the_picture_is_turned(self, side: int, angle: float) -> None:
        box = np.array([30, 150, 200, 190]) / [250, 240, 250, 240] * SIZE
        x1, y1, x2, y2 = box
        seen = [SIZE - y2, x1, SIZE - y1, x2] if side == 1 else [y1, SIZE - x2, y2, SIZE - x1]

        def run(pictures: np.ndarray) -> Arrays:
            there = int(turn_of(pictures[0]) == side)
            return (np.float32([seen])[:, None][:, :there], np.float32([[0.9]])[:, :there])

        assert len(detector(run).ask(map_of_places()).result()) == 0  # who does not ask for it does not pay for it
        found = detector(run).ask(map_of_places(), turned=True).result()
        np.testing.assert_allclose(found.boxes, [[30, 150, 200, 190]], atol=1e-3)
        np.testing.assert_allclose(found.angles, [angle], atol=1e-6)  # the own up is there, in the picture

    def test_the_picture_is_looked_at_on_its_sides_only_when_asked(self) -> None:
        asked = detector(detecting([[10, 10, 60, 110]], [0.8]))
        found = asked.ask(map_of_places(), turned=True).result()
        assert [turn_of(view[0]) for view in cast(FakeRuntime, asked.runtime).given] == [0, 3, 1]
        np.testing.assert_allclose(found.scores, [0.8])
        np.testing.assert_allclose(found.angles, [0])

    def test_doubtful_people_of_a_turned_view_are_left_out(self) -> None:
        def run(pictures: np.ndarray) -> Arrays:  # one surely upright, and in a turned view one half as sure
            score = {0: 0.9, 1: 0.5}.get(turn_of(pictures[0]), 0.0)
            return (np.float32([[[10, 10, 30, 60]]]), np.float32([[score]]))

        found = detector(run).ask(map_of_places(), turned=True).result()
        np.testing.assert_allclose(found.scores, [0.9])

    def test_nobody(self) -> None:
        assert len(detector(detecting([], [])).ask(map_of_places()).result()) == 0
        assert len(detector(detecting([[0, 0, 9, 9]], [0.1])).ask(map_of_places()).result()) == 0


class TestKeypoints:
    def test_keypoints_come_back_to_their_places(self) -> None:
        people = [person(40 + 55 * n, 30 + 20 * n, 60 + 10 * n) for n in range(4)]
        people[1][:, 2] = np.linspace(0.3, 1, 17)
        finder = KeypointFinder(cast(Runtime, FakeRuntime(Looks(people, upright=1))))
        found = finder.ask(map_of_places(), around(people)).result()
        assert found.shape == (4, 17, 3)
        for one, other in zip(found, people, strict=True):
            np.testing.assert_allclose(one[:, :2], other[:, :2], atol=1.0)  # a pixel of the world is whole
            np.testing.assert_allclose(one[:, 2], other[:, 2], atol=0.07)  # a peak half a cell off
        assert [len(crops) for crops in cast(FakeRuntime, finder.runtime).given] == [3, 1]  # batches the runtime likes

    def test_in_a_mirror_everybody_is_where_they_are_and_left_is_left(self) -> None:
        people = [person(40, 30, 60), turned(person(140, 90, 90), 40)]
        people[1][K.LEFT_WRIST, 2] = 0.3
        finder = KeypointFinder(cast(Runtime, FakeRuntime(Looks(people, upright=1))))
        found = finder.ask(map_of_places(), around(people), thorough=True).result()
        for one, other in zip(found, people, strict=True):
            np.testing.assert_allclose(one[:, :2], other[:, :2], atol=1.0)
            np.testing.assert_allclose(one[:, 2], other[:, 2], atol=0.07)
        assert sum(len(crops) for crops in cast(FakeRuntime, finder.runtime).given) == 4

    def test_people_who_are_small_in_the_picture_have_small_crops(self) -> None:
        people = [person(20, 30, 60), person(100, 10, 110), turned(person(200, 60, 50), 90)]
        large, small = (FakeRuntime(Looks(people, upright=1, size=size)) for size in (CROP_SIZE, SMALL_CROP_SIZE))
        opened: list[FakeRuntime] = []

        def open_small() -> Runtime:
            opened.append(small)
            return cast(Runtime, small)

        finder = KeypointFinder(cast(Runtime, large), open_small)
        finder.ask(map_of_places(), around(people), thorough=True).result()
        assert (opened, len(finder.runtimes)) == ([], 1)  # pictures need no small crops
        large.given.clear()
        found = finder.ask(map_of_places(), around(people), np.radians([0, 0, 90]), np.stack(people)).result()
        for one, other in zip(found, people, strict=True):
            np.testing.assert_allclose(one[:, :2], other[:, :2], atol=1.0)
        assert [sum(map(len, runtime.given)) for runtime in (large, small)] == [1, 2]
        finder.ask(map_of_places(), around(people), thorough=True).result()
        assert [sum(map(len, runtime.given)) for runtime in (large, small)] == [7, 2]
        assert (opened, len(finder.runtimes)) == ([small], 2)

    @pytest.mark.parametrize("degrees", [30, 90, 180, -100])
    def test_turned_crops_show_turned_people_upright(self, degrees: float) -> None:
        somebody = turned(person(120, 80, 90), degrees)
        finder = KeypointFinder(cast(Runtime, FakeRuntime(Looks([somebody], upright=1, turned=0.1))))
        found = finder.ask(map_of_places(), around([somebody]), np.radians([degrees])).result()
        np.testing.assert_allclose(found[0, :, :2], somebody[:, :2], atol=1.0)
        assert confidence(found)[0] > 0.9
        off = torso_angles(found)[0] - np.radians(degrees)
        assert abs(np.angle(np.exp(1j * off))) < 0.05

    def test_nobody_asks_nothing(self) -> None:
        finder = KeypointFinder(cast(Runtime, FakeRuntime(Looks([]))))
        assert finder.ask(map_of_places(), np.zeros((0, 4))).result().shape == (0, 17, 3)
        assert cast(FakeRuntime, finder.runtime).given == []

    def test_confidence_is_of_what_is_visible(self) -> None:
        keypoints = np.zeros((3, 17, 3), np.float32)
        keypoints[0, :4, 2] = (0.4, 0.8, 0.2, 0.1)  # 0.2 is not above what counts
        keypoints[1, :, 2] = 0.1
        keypoints[2, :, 2] = 1
        np.testing.assert_allclose(confidence(keypoints), [0.6, 0, 1], atol=1e-6)

    def test_torsos_of_which_too_little_is_seen_have_no_angle(self) -> None:
        people = np.stack([person(0, 0), person(0, 0)])
        people[1, K.LEFT_HIP, 2] = 0.1
        np.testing.assert_allclose(torso_angles(people), [0, np.nan], atol=1e-6)


class TestTopDown:
    def test_people_are_scored_and_ordered(self) -> None:
        people = [person(40, 30, 60), person(110, 30, 80), person(190, 30, 100)]
        people[0][:, 2] = 0.4
        found = complete(network(Looks(people, upright=1), [0.9, 0.5, 0.8]).find(map_of_places()))
        np.testing.assert_allclose(found.scores, [0.8, 0.5, 0.36], rtol=0.06)  # the detector's times the keypoints'
        for row, number in enumerate((2, 1, 0)):
            np.testing.assert_allclose(found.keypoints[row, :, :2], people[number][:, :2], atol=1.0)
            np.testing.assert_allclose(found.boxes[row], around(people)[number], atol=1e-2)

    def test_nobody(self) -> None:
        nobody = TopDown(detector(detecting([], [])), KeypointFinder(cast(Runtime, FakeRuntime(Looks([])))))
        found = complete(nobody.find(map_of_places()))
        assert (found.keypoints.shape, found.boxes.shape) == ((0, 17, 3), (0, 4))

    def test_who_lies_is_looked_at_once_more_upright(self) -> None:
        people = [person(40, 30, 80), turned(person(130, 110, 80), 90), turned(person(150, 180, 80), -30)]
        both = network(Looks(people, upright=0.9, turned=0.4), [0.9, 0.9, 0.9])
        found = complete(both.find(map_of_places()))
        assert [len(crops) for crops in cast(FakeRuntime, both.keypoints.runtime).given] == [3, 3, 2, 3, 1]
        np.testing.assert_allclose(found.scores, 0.81, atol=0.05)
        (lying,) = (row for row in range(3) if abs(torso_angles(found.keypoints)[row]) > 1)
        np.testing.assert_allclose(found.keypoints[lying, :, :2], people[1][:, :2], atol=1.0)

    def test_a_second_look_that_sees_less_is_forgotten(self) -> None:
        lying = turned(person(130, 110, 80), 90)
        both = network(Looks([lying], upright=0.3, turned=0.8), [1.0])
        found = complete(both.find(map_of_places()))
        assert len(cast(FakeRuntime, both.keypoints.runtime).given) == 2
        np.testing.assert_allclose(found.scores, [0.8], atol=0.05)

    def test_what_it_says_of_itself_and_the_end(self) -> None:
        both = network(Looks([]), [])
        assert (both.image_sizes, both.precision, both.concurrency, both.where) == ((SIZE,), "fp32", 2, "cpu")
        both.close()
        assert [cast(FakeRuntime, half.runtime).closed for half in (both.detector, both.keypoints)] == [1, 1]


@pytest.fixture(scope="module")
def estimator(shipped_weights: Path) -> PoseEstimator:
    return PoseEstimator(network="picodet-tinypose", device="cpu")


def frames(shared: Path, clip: str, numbers: list[int]) -> list[np.ndarray]:
    capture, found = cv2.VideoCapture(str(shared / "videos" / f"{clip}.mp4")), []
    for number in range(max(numbers) + 1):
        ok, bgr = capture.read()
        assert ok
        if number in numbers:
            found.append(bgr)
    capture.release()
    return found


def test_people_in_real_clips(shared: Path, estimator: PoseEstimator) -> None:
    for people in estimator(frames(shared, "two_people_1080p", [0, 30])):
        assert len(people) >= 2
        sides = people.boxes[:2, 2:] - people.boxes[:2, :2]
        assert ((sides[:, 1] > 100) & (sides[:, 1] <= 1080)).all()
        assert (confidence(people.keypoints[:2]) > 0.5).all()
    for people in estimator(frames(shared, "street_pedestrians", [0, 100])):
        assert len(people) >= 3


@pytest.mark.parametrize("number", ["000000227491", "000000281759", "000000459437"])
def test_the_people_that_the_reference_found(shared: Path, estimator: PoseEstimator, number: str) -> None:
    """Other weights than the reference's: most of the people it was sure of are there, about where it saw them."""
    with np.load(shared / "parity" / "topdown" / f"{number}.npz") as arrays:
        count = len(arrays["keypoints"])  # the file has the best four only
        sure = arrays["scores"][:count] > 0.5
        boxes, keypoints = arrays["boxes"][:count][sure], arrays["keypoints"][sure]
    assert len(boxes)
    keypoints[..., 2] = keypoints[..., 2] > 0.3
    (path,) = (shared / "data" / "coco_val300").rglob(f"{number}.jpg")
    (people,) = estimator([cv2.imread(str(path))])
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) * 0.53
    best = oks(people.keypoints, keypoints, areas).max(axis=0) if len(people) else np.zeros(len(boxes))
    assert (best > 0.5).mean() >= 0.75


def test_one_picture_is_as_several(shared: Path, estimator: PoseEstimator) -> None:
    pictures = frames(shared, "two_people_1080p", [0, 10, 20])
    at_once: list[Poses] = estimator(pictures)
    for actual, bgr in zip(at_once, pictures, strict=True):
        (alone,) = estimator([bgr])
        np.testing.assert_allclose(actual.keypoints, alone.keypoints, atol=0.5)


def test_stages_are_told(only_made_weights: Path) -> None:
    told = []

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        told.append(name)
        yield

    options = {"device": "cpu", "precision": "fp32", "runtime": "torch", "threads": 1, "image_size": 64}
    with PoseEstimator(network="picodet-tinypose", person_threshold=0.4, max_people=1, stage=stage, **options) as made:
        made([np.zeros((60, 80, 3), np.uint8)])
    assert told[:6] == ["pre-process", *["detector"] * 3, "nms", "pre-process"]
    assert told[6:8] == ["keypoints", "decode"]
