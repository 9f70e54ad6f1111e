"""What is drawn: on a copy, inside the picture, at every size, in the colours of the sides."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from index.classification import Classification
from pose.keypoints import LIMBS
from pose.reason import Reason
from stream.drawing.overlay import LEFT, RIGHT, Overlay
from stream.drawing.readable import readable
from stream.frame import Frame
from stream.scene import Person, Scene
from stream.settings.model import OverlaySettings
from tests.worlds import person, poses

KNOWN = Classification("sitting", 0.8, 0.1, "sitting", None, (0,), ("sitting",), (0.1,))
UNKNOWN = Classification(None, 0.0, float("nan"), None, Reason.TOO_FAR, (), (), ())


def scene(height, width, *people, posture="sitting", track=3):
    picture = np.full((height, width, 3), 90, np.uint8)
    known = tuple(Person(row, track, KNOWN, posture, 0.83, 0.0) for row in range(len(people)))
    return Scene(Frame(picture, "clip", 0, 0, 0.0, 0.0), poses(*people), known)


def test_the_frame_itself_stays_as_it_is():
    world = scene(480, 640, person(300, 100))
    before = world.frame.bgr.copy()
    drawn = Overlay()(world)
    assert np.array_equal(world.frame.bgr, before)
    assert drawn.shape == before.shape
    assert not np.array_equal(drawn, before)


def test_the_left_side_is_blue_and_the_right_side_orange():
    world = scene(480, 640, person(300, 100))
    drawn = Overlay(OverlaySettings(boxes=False, labels=False))(world)
    left_knee, right_knee = world.poses.keypoints[0, [13, 14], :2].round().astype(int)
    assert tuple(drawn[left_knee[1], left_knee[0]]) == LEFT
    assert tuple(drawn[right_knee[1], right_knee[0]]) == RIGHT


def test_keypoints_that_are_not_seen_are_not_drawn():
    hidden = person(300, 100)
    hidden[:, 2] = 0.2
    world = scene(480, 640, hidden)
    drawn = Overlay(OverlaySettings(boxes=False, labels=False))(world)
    assert np.array_equal(drawn, world.frame.bgr)


@pytest.mark.parametrize(("height", "width"), [(480, 640), (1080, 1920), (2160, 3840)])
def test_the_label_has_the_same_share_of_the_picture_at_every_size(height, width):
    world = scene(height, width, person(width / 2, height / 3, height / 3))
    drawn = Overlay(OverlaySettings(boxes=False, skeletons=False))(world)
    changed = (drawn != world.frame.bgr).any(-1)
    rows = np.flatnonzero(changed.any(1))
    label_height = rows[-1] - rows[0] + 1
    assert 0.03 < label_height / height < 0.05
    assert label_height >= 16  # letters of some 10 px, which is what 480p leaves


@pytest.mark.parametrize("corner", [(-50, -50), (639, 0), (639, 479), (0, 479), (3000, 3000)])
def test_people_at_and_over_the_edge_are_drawn_inside(corner):
    world = scene(480, 640, person(*corner))
    drawn = Overlay(OverlaySettings(boxes=False, skeletons=False))(world)
    changed = (drawn != world.frame.bgr).any(-1)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert rows[-1] - rows[0] >= 15
    assert columns[-1] - columns[0] >= 80  # the whole text, not a sliver


def test_labels_of_neighbours_do_not_cover_each_other():
    one = scene(480, 640, person(300, 200))
    two = scene(480, 640, person(300, 200), person(310, 202))
    only_labels = Overlay(OverlaySettings(boxes=False, skeletons=False))
    area = [(only_labels(world) != world.frame.bgr).any(-1).sum() for world in (one, two)]
    assert area[1] == pytest.approx(2 * area[0], rel=0.1)


def test_a_picture_smaller_than_its_label_and_nobody_at_all():
    assert Overlay()(scene(12, 20, person(5, 5, 8))).shape == (12, 20, 3)
    empty = scene(48, 64)
    assert np.array_equal(Overlay()(empty), empty.frame.bgr)


def test_the_text_says_posture_probability_and_number():
    somebody = Person(0, 12, KNOWN, "sitting", 0.834, 0.0)
    assert Overlay().text(somebody) == "sitting 83% #12"
    assert Overlay().text(Person(0, 12, UNKNOWN, None, 0.0, None)) == "unknown #12"
    assert Overlay().text(Person(0, None, KNOWN, "sitting", 0.8, None)) == "sitting 80%"


def test_labels_may_be_in_any_script():
    """Four scripts give four different pictures, none of them question marks."""
    pictures = []
    for name in ("стоя", "坐着", "נעמד", "ééé", "????"):
        world = scene(200, 400, person(100, 90, 80), posture=name)
        drawn = Overlay(OverlaySettings(boxes=False, skeletons=False))(world)
        ink = cv2.inRange(drawn, (0, 0, 0), (60, 60, 60))
        pictures.append(ink.tobytes())
    assert len(set(pictures)) == 5


def test_a_number_is_never_below_the_limit_of_a_single_frame():
    overlay = Overlay(min_probability=0.4)
    assert overlay.text(Person(0, 3, KNOWN, "sitting", 0.36, None)) == "sitting? #3"
    assert overlay.text(Person(0, 3, KNOWN, "sitting", 0.4, None)) == "sitting 40% #3"


@pytest.mark.parametrize(
    ("label", "drawn"),
    [
        ("standing", "standing"),
        ("坐着", "坐着"),
        ("🧘", "person in lotus position"),
        ("yoga🧘🏽‍♀️ 1", "yoga person in lotus position \u200d♀ 1"),
        ("❤️ok", "heavy black heart ok"),
        ("𝐀b", "Ab"),
        ("🇩🇪", "DE"),
        ("a\nb\tc", "a b c"),
        ("ก", "kai"),
        ("\ue000", "?"),
        ("", "?"),
        ("50 % → up", "50 % → up"),
    ],
)
def test_a_label_is_drawn_as_something_readable(label, drawn):
    assert readable(label) == drawn


def test_two_emoji_are_not_drawn_alike():
    pictures = set()
    for label in ("🧘", "🏃", "🧍", "\u0378"):
        bgr = Overlay(OverlaySettings(boxes=False, skeletons=False))(
            scene(200, 600, person(100, 90, 80), posture=label)
        )
        pictures.add(bgr.tobytes())
    assert len(pictures) == 4


def lab(colours):
    return cv2.cvtColor(np.float32(colours).reshape(-1, 1, 3) / 255, cv2.COLOR_BGR2LAB).reshape(-1, 3)


@pytest.mark.parametrize(("count", "least"), [(12, 20), (24, 20), (60, 18), (120, 11)])
def test_no_two_postures_look_alike(count, least):
    """A difference of 2 in CIELAB is just seen side by side; 10 is plain at a glance."""
    overlay = Overlay(classes=[f"posture {n}" for n in range(count)])
    places = lab([overlay.colour_of(f"posture {n}") for n in range(count)] + [overlay.colour_of(None)])
    distances = np.linalg.norm(places[:, None] - places, axis=-1) + 1000 * np.eye(count + 1)
    assert distances.min() > least


def test_labels_that_come_up_later_have_colours_of_their_own():
    overlay = Overlay(classes=["a", "b"])
    names = ["a", "b", *(f"new {n}" for n in range(200)), "\udce4"]
    assert len({overlay.colour_of(name) for name in names}) == len(names)


@pytest.mark.parametrize("ground", [0, 48, 110, 255])
def test_limbs_are_seen_on_white_and_on_dark(ground):
    world = scene(480, 640, person(300, 60, 350))
    world.frame.bgr.flags.writeable = True
    world.frame.bgr[:] = ground
    drawn = Overlay(OverlaySettings(boxes=False, labels=False))(world)
    across = np.abs(lab(drawn) - lab(world.frame.bgr)).max(axis=1).reshape(480, 640)
    for a, b in LIMBS:
        middle = world.poses.keypoints[0, [a, b], :2].mean(axis=0).round().astype(int)
        around = across[middle[1] - 8 : middle[1] + 9, middle[0] - 8 : middle[0] + 9]
        assert around.max() > 40, (a, b)


def test_a_keypoint_without_a_place_is_left_out():
    world = scene(480, 640, person(300, 100))
    keypoints = world.poses.keypoints.copy()
    keypoints[0, 3, 0] = keypoints[0, 9] = np.nan
    with np.errstate(all="raise"):
        drawn = Overlay()(replace(world, poses=replace(world.poses, keypoints=keypoints)))
    assert not np.array_equal(drawn, Overlay()(world))


def test_every_posture_has_a_colour_of_its_own():
    names = [f"posture {n}" for n in range(12)]
    overlay = Overlay(classes=names)
    assert len({overlay.colour_of(name) for name in names} | {overlay.colour_of(None)}) == 13
    assert Overlay(classes=names[::-1]).colour_of("posture 7") == overlay.colour_of("posture 7")
    assert Overlay().colour_of("never heard of") == Overlay().colour_of("never heard of")


def test_without_the_picture_nothing_of_it_is_left():
    """Two different pictures with the same person give the same drawing."""
    settings = OverlaySettings(picture=False)
    drawings = []
    for grey in (0, 200):
        world = scene(480, 640, person(300, 100))
        picture = np.full((480, 640, 3), grey, np.uint8)
        drawings.append(Overlay(settings)(Scene(Frame(picture, "clip", 0, 0, 0.0, 0.0), world.poses, world.people)))
    assert np.array_equal(*drawings)
    assert len(np.unique(drawings[0])) > 3
