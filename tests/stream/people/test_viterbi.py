"""Postures smoothed with a fixed lag, in made recordings: a change begins where it began, and not a frame is lost."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from pose import Poses
from stream.errors import SourceError
from stream.frame import Frame
from stream.people.label_smoother import LabelSmoother
from stream.people.viterbi import FixedLagViterbi
from stream.scene import Person, Scene
from tests.stream.people.classifications import certain, votes
from tests.worlds import person, poses

BLANK = np.zeros((4, 4, 3), np.uint8)


def scene(number, fps, classifications, tracks=None, seconds=None):
    """People side by side, one per classification, unknown so far."""
    crowd = poses(*(person(100 + 300 * n, 100) for n in range(len(classifications))))
    people = tuple(
        Person(row, track, classification, None, 0.0, None)
        for row, (track, classification) in enumerate(
            zip(tracks or range(1, len(classifications) + 1), classifications, strict=True)
        )
    )
    seconds = number / fps if seconds is None else seconds
    return Scene(Frame(BLANK, "clip", number, 0, seconds, 0.0), crowd, people)


def with_fixed_lag(classifications, fps, **options):
    """The postures of one person alone."""
    found = FixedLagViterbi(**options)(scene(n, fps, [one]) for n, one in enumerate(classifications))
    return [one.people[0].posture for one in found]


@pytest.mark.parametrize("fps", [5, 10, 25, 60])
@pytest.mark.parametrize(("before", "after"), [("sitting", "standing"), ("sitting", None), (None, "sitting")])
def test_a_change_begins_with_its_first_frame(fps, before, after):
    labels = [before] * 3 * fps + [after] * 3 * fps
    assert with_fixed_lag(map(certain, labels), fps) == labels


@pytest.mark.parametrize("fps", [1, 5, 25, 60])
def test_a_label_of_one_frame_is_never_shown(fps):
    labels = ["sitting"] * 3 * fps
    for place in (0, 1, fps, len(labels) - 1):
        said = [certain(label) for label in labels]
        said[place] = votes(lying=0.9, sitting=0.1)
        assert with_fixed_lag(said, fps) == labels, place


@pytest.mark.parametrize("fps", [5, 60])
def test_a_stay_is_shown_from_twice_the_switch_time_on(fps):
    """It must earn a change there and one back."""
    for length, is_shown in ((0.6, False), (0.8, True)):
        labels = ["sitting"] * 2 * fps + ["lying"] * round(length * fps) + ["sitting"] * 2 * fps
        result = with_fixed_lag(map(certain, labels), fps, switch_seconds=0.35)
        assert result == (labels if is_shown else ["sitting"] * len(labels))


def test_in_noise_it_is_steadier_and_righter_than_what_is_shown_live():
    rng = np.random.default_rng(4)
    truth = list(itertools.chain.from_iterable([label] * 100 for label in ("sitting", "standing", "lying")))
    said = []
    for label in truth:
        part = np.clip(rng.normal(0.5, 0.3), 0.02, 0.98)
        said.append(votes(**{label: part, str(rng.choice(["plank", "jumping", "bending"])): 1 - part}))
    smoothed = with_fixed_lag(said, 25)
    smoother = LabelSmoother()
    box = np.array([[0, 0, 100, 300]], np.float32)
    live = [smoother.update([1], box, [classification], n / 25)[0].posture for n, classification in enumerate(said)]
    assert [label for label, _ in itertools.groupby(smoothed)] == ["sitting", "standing", "lying"]
    right = [sum(a == b for a, b in zip(one, truth, strict=True)) for one in (live, smoothed)]
    assert right[0] < 0.95 * len(truth) < right[1]


def test_what_was_told_changes_only_for_what_a_change_costs():
    """Two postures of which now one, now the other is a little ahead, for longer than is looked ahead."""
    said = ([votes(sitting=0.55, lying=0.45)] * 60 + [votes(sitting=0.45, lying=0.55)] * 60) * 5
    result = with_fixed_lag(said, 25, lag_seconds=1.0)
    assert [label for label, _ in itertools.groupby(result)] == ["sitting"]
    # A small lead that lasts is worth a change in the end, and only one.
    result = with_fixed_lag(said[:60] + [votes(sitting=0.35, lying=0.65)] * 200, 25, lag_seconds=1.0)
    assert [label for label, _ in itertools.groupby(result)] == ["sitting", "lying"]


def test_the_scenes_are_the_same_but_for_posture_probability_and_since():
    given = [scene(n, 10, [votes(sitting=0.8, lying=0.2), certain("standing")]) for n in range(60)]
    taken = list(FixedLagViterbi()(given))
    assert [one.frame for one in taken] == [one.frame for one in given]
    assert all(a.poses is b.poses for a, b in zip(taken, given, strict=True))
    left, right = taken[30].people
    assert (left.row, left.track, left.posture, left.since_seconds) == (0, 1, "sitting", 0.0)
    assert left.probability == pytest.approx(0.8)
    assert (right.track, right.posture) == (2, "standing")
    assert left.classification is given[30].people[0].classification


def test_a_scene_waits_for_the_look_ahead_and_no_longer():
    given = iter([scene(n, 10, [certain("sitting")]) for n in range(60)])
    taken = FixedLagViterbi(lag_seconds=2.0)(given)
    assert next(taken).frame.number == 0
    assert next(given).frame.number == 21  # frame 20, at 2.0 s, was the last one needed
    assert [one.frame.number for one in taken] == [n for n in range(1, 60) if n != 21]


def test_pictures_that_wait_have_a_bound(monkeypatch):
    monkeypatch.setattr("stream.people.viterbi.MAX_BYTES", 5 * BLANK.nbytes)
    given = iter([scene(n, 10, [certain("sitting")]) for n in range(30)])
    taken = FixedLagViterbi()(given)
    next(taken)
    assert next(given).frame.number == 6
    assert len(list(taken)) == 28


def test_pictures_of_all_recordings_together_have_that_bound(monkeypatch):
    monkeypatch.setattr("stream.people.viterbi.MAX_BYTES", 6 * BLANK.nbytes)
    one = (scene(n, 10, [certain("sitting")]) for n in range(30))
    other = (
        replace(found, frame=replace(found.frame, source="other")) for found in (scene(n, 10, []) for n in range(30))
    )
    waiting = most = 0

    def counted():
        nonlocal waiting, most
        for pair in zip(one, other, strict=True):
            for found in pair:
                waiting += 1
                most = max(most, waiting)
                yield found

    numbers = {"other": []}
    for found in FixedLagViterbi()(counted()):
        waiting -= 1
        numbers.setdefault(found.frame.source, []).append(found.frame.number)
    assert most == 7  # the last of them comes in before another goes out
    assert list(numbers.values()) == [list(range(30))] * 2


def test_what_was_understood_before_a_fault_comes_out_before_it():
    def breaking():
        yield from (scene(n, 10, [certain("sitting")]) for n in range(7))
        raise SourceError("clip.mp4 is truncated.")

    taken = []
    with pytest.raises(SourceError, match="truncated"):
        taken.extend(FixedLagViterbi()(breaking()))
    # extend() had appended everything when the fault rose
    assert [one.frame.number for one in taken] == list(range(7))


def test_absence_and_a_new_number_at_the_same_place():
    def found():
        for n in range(20):
            yield scene(n, 10, [certain("sitting")], [1])
        for n in range(20, 25):
            yield Scene(Frame(BLANK, "clip", n, 0, n / 10, 0.0), Poses.empty())
        for n in range(25, 60):
            yield scene(n, 10, [certain("sitting")], [2])

    people = [one.people[0] for one in FixedLagViterbi()(found()) if one.people]
    assert {(one.posture, one.since_seconds) for one in people} == {("sitting", 0.0)}


def test_who_has_no_number_yet_is_left_as_is():
    given = [scene(n, 10, [certain("sitting"), certain("lying")], [None, 4]) for n in range(40)]
    first, second = list(FixedLagViterbi()(given))[20].people
    assert first is given[20].people[0]
    assert second.posture == "lying"


def test_two_recordings_do_not_mix():
    """Both have a person with number 1 at the same place, in another posture, and the second is a second ahead."""

    def of(source, number, label):
        one = scene(number, 10, [certain(label)], seconds=number / 10 + (source == "b"))
        return replace(one, frame=replace(one.frame, source=source))

    given = [of(*which) for n in range(60) for which in (("a", n, "sitting"), ("b", n, "lying"))]
    taken = list(FixedLagViterbi()(given))
    for source, label in (("a", "sitting"), ("b", "lying")):
        own = [one for one in taken if one.frame.source == source]
        assert [one.frame.number for one in own] == list(range(60))
        assert {one.people[0].posture for one in own} == {label}


def test_an_hour_holds_no_more_than_a_minute():
    look_ahead = FixedLagViterbi()
    labels = itertools.cycle(["sitting"] * 20 + ["standing"] * 20)
    for _ in look_ahead(scene(n, 10, [certain(next(labels))]) for n in range(2000)):
        pass
    (source,) = look_ahead._sources.values()
    (path,) = source._paths.values()
    for stretch in path.stretches.values():
        depth = 0
        while stretch is not None:
            stretch, depth = stretch.before, depth + 1
        assert depth <= 3
    assert not source._waiting


def test_time_never_turns_back():
    times = [n / 10 for n in range(30)]
    times[25:27] = [0.0, 0.1]
    said = votes(sitting=0.9, lying=0.1)
    taken = list(FixedLagViterbi()(scene(n, 10, [said], seconds=t) for n, t in enumerate(times)))
    assert [one.frame.number for one in taken] == list(range(30))
    assert {one.people[0].posture for one in taken} == {"sitting"}
