"""Figures of made clips, worked out by hand."""

import math

import numpy as np
import pytest

from pose import Poses
from stream.frame import Frame
from stream.reports.true_postures import TruePosture
from stream.reports.video_evaluation import Shown, evaluate_video, shown_of_main_person
from stream.scene import Person, Scene
from tests.stream.people.classifications import certain

BLANK = np.zeros((4, 4, 3), np.uint8)


def shown(text, fps=10):
    """A letter per frame: s, l, p are postures, ? is unknown, - is nobody."""
    names = {"s": "sitting", "l": "lying", "p": "plank"}
    return [Shown(n / fps, letter != "-", names.get(letter)) for n, letter in enumerate(text)]


def test_the_figures_of_a_short_clip():
    #              0123456789 0123456789 0123456789
    frames = shown("??ss-ssp?ssspp????llllsslll-ll")
    truth = [TruePosture(0, 1.2, "sitting"), TruePosture(1.2, 1.6, None), TruePosture(1.6, 3.0, "lying")]
    result = evaluate_video(frames, truth)
    sitting, lying = result.postures["sitting"], result.postures["lying"]
    assert (sitting.right, sitting.unknown, sitting.nobody, sitting.wrong) == (7, 3, 1, {"plank": 1})
    assert (lying.right, lying.unknown, lying.nobody, lying.wrong) == (9, 2, 1, {"sitting": 2})
    assert result.frames == 26
    assert result.accuracy == pytest.approx(16 / 26)
    assert result.accuracy_of_named == pytest.approx(16 / 19)
    assert result.unknown == pytest.approx(5 / 26)
    assert result.nobody == pytest.approx(2 / 26)
    # s>p p>? ?>s s>p p>? ?>l l>s s>l; the unknown at the beginning and frames without anybody are no change
    assert result.shown_changes == 8
    assert result.minutes == pytest.approx(2.9 / 60)
    assert result.extra_changes_per_minute == pytest.approx(7 / (2.9 / 60))
    (change,) = result.changes
    assert (change.seconds, change.before, change.after) == (1.6, "sitting", "lying")
    assert change.delay_seconds == pytest.approx(0.2)
    assert result.missed_changes == 0


def test_a_clip_that_is_shown_as_it_was():
    truth = [TruePosture(0, 1, "sitting"), TruePosture(1, 2, "lying")]
    result = evaluate_video(shown("s" * 10 + "l" * 10), truth)
    assert (result.accuracy, result.shown_changes, result.extra_changes_per_minute) == (1.0, 1, 0.0)
    assert (result.median_delay_seconds, result.max_delay_seconds, result.missed_changes) == (0.0, 0.0, 0)


def test_a_change_that_is_shown_only_when_it_is_over_is_missed():
    truth = [TruePosture(0, 1, "sitting"), TruePosture(1, 2, "lying"), TruePosture(2, 3, "sitting")]
    result = evaluate_video(shown("s" * 20 + "l" * 10), truth)
    assert [change.delay_seconds for change in result.changes] == [None, None]
    assert result.missed_changes == 2
    assert math.isnan(result.max_delay_seconds)


def test_the_same_posture_after_a_pause_is_no_change():
    truth = [TruePosture(0, 1, "sitting"), TruePosture(1, 2, None), TruePosture(2, 3, "sitting")]
    result = evaluate_video(shown("s" * 30), truth)
    assert (result.changes, result.frames) == ((), 20)
    # A change into a posture with a pause in it may be shown after the pause.
    late = [TruePosture(0, 1, "lying"), TruePosture(1, 1.5, "sitting"), *truth[1:]]
    (change,) = evaluate_video(shown("l" * 22 + "s" * 8), late).changes
    assert change.delay_seconds == pytest.approx(1.2)


def test_a_clip_of_nothing():
    result = evaluate_video([], [TruePosture(0, 1, "sitting")])
    assert (result.frames, result.shown_changes) == (0, 0)
    assert math.isnan(result.accuracy)
    assert math.isnan(result.extra_changes_per_minute)


def scene(number, *people):
    """People as (track, posture, box)."""
    boxes = np.array([box for *_, box in people], np.float32).reshape(-1, 4)
    poses = Poses(np.zeros((len(people), 17, 3)), boxes, np.full(len(people), 0.9))
    listed = [Person(row, t, certain(p), p, 0.0, None) for row, (t, p, _) in enumerate(people)]
    return Scene(Frame(BLANK, "c", number, 0, number / 10, 0.0), poses, tuple(listed))


def test_the_main_person_is_the_most_prominent_of_the_whole_clip():
    tall, passing = [0, 0, 100, 300], [300, 0, 600, 400]
    scenes = [scene(n, (1, "sitting", tall)) for n in range(20)]
    scenes += [scene(20, (1, "sitting", tall), (2, "jumping", passing))]  # larger, but only for a moment
    scenes += [scene(21), scene(22, (3, "lying", tall)), scene(23, (2, "jumping", passing), (3, "lying", tall))]
    scenes += [scene(24, (2, "jumping", passing)), scene(25, (None, None, tall))]
    told = shown_of_main_person(scenes)
    assert [one.posture for one in told[18:]] == [
        "sitting", "sitting", "sitting", None, "lying", "lying", "jumping", None,
    ]  # fmt: skip
    assert [one.present for one in told[20:]] == [True, False, True, True, True, True]
    assert told[22].seconds == 2.2
