"""Marks of clips with several people: the first row that fits counts, and our files keep their own rules."""

from itertools import pairwise
from pathlib import Path

import pytest

from bench.marked_people import (
    ENTRANCES,
    PEOPLE,
    MarkedPlace,
    Visit,
    marked_posture,
    read_marked_places,
    read_upper_bodies,
    read_visits,
)
from index import PostureIndex, starter_prefix
from stream.reports.true_postures import read_true_postures

FILES = sorted(PEOPLE.glob("*.csv"))
ONE_REGION = ("one_person_comes_and_goes", "pushups", "squats", "two_people_1080p")
EVERYWHERE = (0.0, 0.0, 1.0, 1.0)


def classes() -> set[str]:
    return {*PostureIndex.load(starter_prefix()).classes, "walking"}


def test_the_first_row_that_holds_the_middle_of_the_box_counts() -> None:
    places = [
        MarkedPlace(1, 2, "standing", (0.0, 0.0, 0.5, 1.0)),
        MarkedPlace(1.5, 2, None, (0.5, 0.0, 1.0, 1.0)),
        MarkedPlace(0, 3, "walking", EVERYWHERE),
    ]
    left, right = (10, 0, 30, 50), (70, 0, 90, 50)

    def at(seconds: float, box: tuple[int, int, int, int]) -> str | None:
        return marked_posture(places, seconds, box, (100, 50))

    assert [at(seconds, left) for seconds in (0.9, 1.0, 1.9, 2.0, 3.0)] == [
        "walking", "standing", "standing", "walking", None,
    ]  # fmt: skip
    assert [at(seconds, right) for seconds in (1.4, 1.5, 2.0)] == ["walking", None, "walking"]


def test_visits_of_one_clip_and_those_that_do_not_end(tmp_path: Path) -> None:
    path = tmp_path / "entrances.csv"
    path.write_text("clip,at_seconds,leaves_seconds,x,y\na,1,2.5,0.1,0.2\nb,0,,0.5,0.5\na,3,,0.9,0.4\n")
    assert read_visits("a", path) == [Visit(1.0, 2.5, 0.1, 0.2), Visit(3.0, None, 0.9, 0.4)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_our_rows_are_stretches_of_known_postures_inside_the_picture(path: Path) -> None:
    places = read_marked_places(path)
    assert {place.posture for place in places} <= {None, *classes()}
    for place in places:
        left, top, right, bottom = place.region
        assert 0 <= place.from_seconds < place.to_seconds
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1


@pytest.mark.parametrize("name", ONE_REGION)
def test_clips_with_one_posture_for_everybody_are_true_postures_too(name: str) -> None:
    places = read_marked_places(PEOPLE / f"{name}.csv")
    assert {place.region for place in places} == {EVERYWHERE}
    truths = read_true_postures(PEOPLE / f"{name}.csv", classes())
    assert [(one.from_seconds, one.to_seconds, one.posture) for one in truths] == [
        (place.from_seconds, place.to_seconds, place.posture) for place in places
    ]


def test_our_visits_are_in_order_and_end_after_they_begin() -> None:
    clips = {line.partition(",")[0] for line in ENTRANCES.read_text(encoding="utf-8").splitlines()[1:]}
    assert clips == {"gym_two_people", "one_person_comes_and_goes", "running", "street_pedestrians"}
    for clip in clips:
        visits = read_visits(clip)
        assert all(a.at_seconds <= b.at_seconds for a, b in pairwise(visits))
        assert all(one.leaves_seconds is None or one.leaves_seconds - one.at_seconds >= 1 for one in visits)
        assert all(0 <= one.x <= 1 and 0 <= one.y <= 1 for one in visits)


def test_our_upper_bodies_leave_the_bottom_of_the_picture_out() -> None:
    bodies = {one.clip: one for one in read_upper_bodies()}
    assert {clip: one.posture for clip, one in bodies.items()} == {"sitting": "sitting", "standing": "standing"}
    assert bodies["sitting"].region[3] == 0.68
    assert bodies["standing"].region == (0.1, 0.0, 1.0, 0.48)
