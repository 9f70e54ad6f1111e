"""`nose25` against a plain scalar reading of DESIGN, in small worlds with known answers; what must not change it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pose.embeddings.quality_gate import reject_reasons
from pose.embeddings.registry import EMBEDDINGS, get_embedding, nose25
from pose.keypoints import FLIP, KEYPOINT_COUNT, LIMBS, SIGMAS
from pose.keypoints import Keypoint as K
from pose.poses import Poses
from tests.worlds import UPRIGHT, person, poses

DISTANCES = slice(0, 16)
NAMES = (
    "nose", "left elbow", "right elbow", "left shoulder", "right shoulder", "left hip", "right hip", "left knee",
    "right knee",
)  # fmt: skip
ANGLE = {name: 16 + position for position, name in enumerate(NAMES)}
# Left and right of the 25 numbers exchanged: distances to keypoints 1…16 in pairs, the nose angle, angles in pairs.
MIRRORED = [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14, 16, 18, 17, 20, 19, 22, 21, 24, 23]


def scalar(person: np.ndarray) -> list[float]:
    """The paragraph of DESIGN, word for word, one number at a time."""
    points = [(float(x), float(y)) for x, y in person[:, :2]]

    def distance(a: int, b: int) -> float:
        return math.sqrt((points[a][0] - points[b][0]) ** 2 + (points[a][1] - points[b][1]) ** 2)

    def angle(first: int, vertex: int, last: int) -> float:
        ux, uy = points[first][0] - points[vertex][0], points[first][1] - points[vertex][1]
        vx, vy = points[last][0] - points[vertex][0], points[last][1] - points[vertex][1]
        cosine = (ux * vx + uy * vy) / (math.sqrt(ux**2 + uy**2) * math.sqrt(vx**2 + vy**2) + 1e-6)
        return math.acos(max(-1.0, min(1.0, cosine))) / math.pi

    from_nose = [distance(0, k) for k in range(1, 17)]
    largest = max(from_nose)
    return [d / (largest + 1e-6) for d in from_nose] + [
        angle(5, 0, 6),
        angle(5, 7, 9),
        angle(6, 8, 10),
        angle(11, 5, 7),
        angle(12, 6, 8),
        angle(5, 11, 13),
        angle(6, 12, 14),
        angle(11, 13, 15),
        angle(12, 14, 16),
    ]


def world(kind: str) -> np.ndarray:
    random = np.random.default_rng(0)
    people = random.uniform(0, 1000, (200, 17, 3))
    if kind == "coincident":
        people[:, ::2] = people[:, :1]  # every other keypoint on the nose
    elif kind == "on a line":
        people[..., 1] = people[..., 0]
    elif kind == "zeros":
        people[:] = 0
    elif kind == "tiny":
        people *= 1e-6
    elif kind == "far away":
        people[..., :2] += 1e5
    elif kind == "whole pixels":
        people = people.round()
    return people.astype(np.float32)


@pytest.mark.parametrize("kind", ["any", "coincident", "on a line", "zeros", "tiny", "far away", "whole pixels"])
def test_a_plain_scalar_reading_agrees(kind: str) -> None:
    people = world(kind)
    actual = nose25(people)
    assert actual.dtype == np.float32
    assert actual.shape == (200, 25)
    np.testing.assert_allclose(actual, [scalar(each) for each in people], rtol=0, atol=1e-6)


def test_nobody() -> None:
    assert nose25(np.zeros((0, 17, 3), np.float32)).shape == (0, 25)
    assert nose25(np.zeros((0, 17, 2))).dtype == np.float32


def test_scores_take_no_part() -> None:
    people = world("any")
    np.testing.assert_array_equal(nose25(people), nose25(people[..., :2]))


def turned(people: np.ndarray, degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return people[..., :2] @ np.array([[c, s], [-s, c]])


@pytest.mark.parametrize(
    "change",
    [
        lambda people: people + np.array([300, -200]),
        lambda people: people * 4,
        lambda people: people * 0.25,
        lambda people: turned(people, 30),
        lambda people: turned(people, 90),
        lambda people: turned(people, 180) * 2 + np.array([10, 20]),
    ],
    ids=["moved", "larger", "smaller", "turned by 30°", "lying", "upside down, larger and moved"],
)
def test_moving_scaling_and_turning_change_nothing(change) -> None:
    """A person lying and the same person standing are one point: the known blindness of `nose25`."""
    people = world("any")[..., :2].astype(np.float64)
    # 1e-6 in the denominators is not scaled with the person; on people of some hundred pixels it is far below this.
    # Where a limb is nearly straight arccos is steep: 1e-12 in the cosine is 1e-6 in the angle.
    np.testing.assert_allclose(nose25(change(people)), nose25(people), rtol=0, atol=5e-6)


def test_a_mirror_exchanges_left_and_right() -> None:
    people = world("any")
    mirrored = (people * [-1, 1, 1])[:, list(FLIP)]
    np.testing.assert_allclose(nose25(mirrored), nose25(people)[:, MIRRORED], rtol=0, atol=1e-6)


def test_an_upright_person_has_straight_limbs() -> None:
    row = nose25(person(500, 100)[None])[0]
    for name in ("left knee", "right knee", "left hip", "right hip"):
        assert row[ANGLE[name]] == pytest.approx(1, abs=0.05)
    assert row[:16].argmax() in (K.LEFT_ANKLE - 1, K.RIGHT_ANKLE - 1)
    assert row[:16].max() == pytest.approx(1, abs=1e-6)
    assert row[K.LEFT_EYE - 1] == pytest.approx(np.hypot(0.02, 0.02) / np.hypot(0.07, 0.86), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "moved", "first", "vertex"),
    [
        ("left elbow", K.LEFT_WRIST, K.LEFT_SHOULDER, K.LEFT_ELBOW),
        ("right elbow", K.RIGHT_WRIST, K.RIGHT_SHOULDER, K.RIGHT_ELBOW),
        ("left shoulder", K.LEFT_ELBOW, K.LEFT_HIP, K.LEFT_SHOULDER),
        ("right shoulder", K.RIGHT_ELBOW, K.RIGHT_HIP, K.RIGHT_SHOULDER),
        ("left hip", K.LEFT_KNEE, K.LEFT_SHOULDER, K.LEFT_HIP),
        ("right hip", K.RIGHT_KNEE, K.RIGHT_SHOULDER, K.RIGHT_HIP),
        ("left knee", K.LEFT_ANKLE, K.LEFT_HIP, K.LEFT_KNEE),
        ("right knee", K.RIGHT_ANKLE, K.RIGHT_HIP, K.RIGHT_KNEE),
        ("nose", K.RIGHT_SHOULDER, K.LEFT_SHOULDER, K.NOSE),
    ],
)
@pytest.mark.parametrize("degrees", [0, 45, 90, 120, 180])
def test_a_joint_bent_by_so_many_degrees(name: str, moved: K, first: K, vertex: K, degrees: float) -> None:
    """Each angle has its place among the 25, and is told in shares of a half turn."""
    body = UPRIGHT.astype(np.float64) * 200
    body[moved] = body[vertex] + turned(body[first] - body[vertex], degrees)
    # The denominator's 1e-6 keeps an arccos at its steep ends from being exactly 0 or 1.
    assert nose25(body[None])[0, ANGLE[name]] == pytest.approx(degrees / 180, abs=1e-4)


def test_too_few_confident_keypoints_is_a_row_of_nan() -> None:
    few, enough = person(100, 100), person(300, 100)
    few[4:, 2], enough[5:, 2] = 0.49, 0.0
    enough[4, 2] = 0.5  # exactly the threshold counts
    rows = get_embedding("nose25")(poses(few, enough))
    assert rows.dtype == np.float32
    assert np.isnan(rows[0]).all()
    np.testing.assert_array_equal(rows[1], nose25(enough[None])[0])  # hidden ankles are guesses, not holes
    assert not np.isnan(get_embedding("nose25")(poses(few), min_keypoints=4)).any()
    assert np.isnan(get_embedding("nose25")(poses(enough), keypoint_threshold=0.6)).all()
    assert get_embedding("nose25")(poses()).shape == (0, 25)


def test_a_missing_coordinate_is_missing_where_it_takes_part() -> None:
    body = person(100, 100)
    body[K.LEFT_WRIST, 0] = np.nan
    row = nose25(body[None])[0]
    assert np.isnan(row[DISTANCES]).all()  # the largest distance is not known
    assert np.isnan(row[ANGLE["left elbow"]])
    assert not np.isnan(np.delete(row[16:], ANGLE["left elbow"] - 16)).any()


def test_the_registry() -> None:
    embedding = get_embedding("nose25")
    assert (embedding.name, embedding.dimension, embedding.version) == ("nose25", 25, 1)
    assert sorted(EMBEDDINGS) == ["gravity59", "nose25"]
    with pytest.raises(ValueError, match="no embedding 'nose52'; known are gravity59, nose25"):
        get_embedding("nose52")


def test_keypoints_have_mirror_partners() -> None:
    assert len(K) == KEYPOINT_COUNT == len(FLIP) == len(SIGMAS)
    for keypoint in K:
        partner = K(FLIP[keypoint])
        assert FLIP[partner] == keypoint
        swapped = keypoint.name.replace("LEFT", "*").replace("RIGHT", "LEFT").replace("*", "RIGHT")
        assert partner.name == swapped
        assert SIGMAS[keypoint] == SIGMAS[partner]
    # COCO's 19 limbs, 1-based as everybody prints them.
    printed = "16-14 14-12 17-15 15-13 12-13 6-12 7-13 6-7 6-8 7-9 8-10 9-11 2-3 1-2 1-3 2-4 3-5 4-6 5-7"
    assert {tuple(sorted((a + 1, b + 1))) for a, b in LIMBS} == {
        tuple(sorted(map(int, pair.split("-")))) for pair in printed.split()
    }


@pytest.mark.parametrize("name", sorted(EMBEDDINGS))
def test_several_pictures_at_once_are_what_each_is_alone(name: str) -> None:
    hidden = person(0, 0)
    hidden[:, 2] = 0.1
    pictures = [poses(person(300, 100), hidden), poses(), poses(person(50, 60, 90.0))]
    embed, together = get_embedding(name), Poses.concatenate(pictures)
    rows = embed.of_accepted(together, reject_reasons(together))
    np.testing.assert_array_equal(rows, np.concatenate([embed(people) for people in pictures]))
    assert np.isnan(rows).all(axis=1).tolist() == [False, True, False]
