"""What is told of the frames of a clip: made frames, a few numbers long."""

from typing import Any

from bench.detection_interval import alike, delay_of, switches
from bench.marked_labels import NOBODY, judge
from bench.marked_people import MarkedPlace, Visit

WHOLE = (0.0, 0.0, 1.0, 1.0)
LEFT = (0.0, 0.0, 0.5, 1.0)


def frame(
    seconds: float, people: dict[int | None, tuple[float, float]], label: str | None = "standing"
) -> dict[str, Any]:
    """A frame of 100×100 with boxes of 20×20 around the middles of people."""
    return {
        "seconds": seconds,
        "size": (100, 100),
        "tracks": list(people),
        "boxes": [[x - 10, y - 10, x + 10, y + 10] for x, y in people.values()],
        "keypoints": [[[x - 5 + n % 10, y - 5 + n // 2, 1.0] for n in range(17)] for x, y in people.values()],
        "live": [label for _ in people],
    }


def test_a_visitor_is_found_at_the_first_box_near_the_door() -> None:
    frames = [frame(1.0, {}), frame(1.2, {7: (90, 90)}), frame(1.4, {7: (90, 90), 8: (28, 50)})]
    assert delay_of(Visit(1.0, None, 0.2, 0.5), frames) == 0.4
    assert delay_of(Visit(1.0, None, 0.5, 0.5), frames) is None


def test_who_was_there_before_is_no_late_visitor() -> None:
    assert delay_of(Visit(0.0, None, 0.2, 0.5), [frame(0.0, {1: (20, 50)})]) == 0.0


def test_another_number_in_the_same_place_is_a_switch() -> None:
    goes_on = [frame(0.0, {1: (20, 50)}), frame(0.1, {}), frame(0.2, {2: (22, 50)})]
    assert switches(goes_on) == 1
    elsewhere = [frame(0.0, {1: (20, 50)}), frame(0.1, {}), frame(0.2, {2: (80, 50)})]
    later = [frame(0.0, {1: (20, 50)}), frame(5.0, {2: (20, 50)})]
    beside = [frame(0.0, {1: (20, 50)}), frame(0.1, {1: (20, 50), 2: (22, 50)})]
    assert [switches(one) for one in (elsewhere, later, beside)] == [0, 0, 0]


def test_the_same_keypoints_are_alike_and_moved_ones_are_less() -> None:
    first = [frame(0.0, {1: (20, 50), 2: (80, 50)})]
    assert alike(first, first) == [1.0, 1.0]
    moved = alike([frame(0.0, {5: (24, 50)})], first)
    assert len(moved) == 1
    assert moved[0] < 0.5


def test_a_marked_place_without_anybody_counts_as_wrong() -> None:
    places = [MarkedPlace(0.0, 1.0, "sitting", LEFT), MarkedPlace(0.0, 9.0, "standing", WHOLE)]
    tally = judge(
        [frame(0.5, {1: (80, 50)}), frame(2.0, {1: (20, 50)}), frame(3.0, {1: (20, 50)}, None)], places, "live"
    )
    assert tally.record()["shown"] == {"standing": {"standing": 2, "unknown": 1}, "sitting": {NOBODY: 1}}
    assert tally.record()["right"] == 0.5
