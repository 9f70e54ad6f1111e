"""Labels over time, in made tracks: nothing that lasts one frame is shown, everything that lasts is shown soon."""

import numpy as np
import pytest

from index.verdict import Unknown, Verdict
from stream.smoothing import LabelSmoother


def verdict(label, share=0.8):
    reason = Unknown.NO_MAJORITY if label is None else None
    return Verdict(label, share, 0.1, label, reason, (0,), (label or "?",), (0.1,))


def shown(labels, fps, **options):
    smoother = LabelSmoother(**options)
    return [smoother.update(7, verdict(label), n / fps).posture for n, label in enumerate(labels)]


@pytest.mark.parametrize("fps", [1, 5, 10, 25, 60])
def test_a_label_of_one_frame_is_never_shown(fps):
    labels = ["sitting"] * 3 * fps + ["standing"] + ["sitting"] * fps + [None] + ["sitting"] * fps
    result = shown(labels, fps)
    assert "standing" not in result
    settled = result.index("sitting")
    assert set(result[settled:]) == {"sitting"}


@pytest.mark.parametrize("fps", [5, 60])
def test_a_label_of_the_very_first_frame_alone_is_not_shown(fps):
    assert "running" not in shown(["running"] + ["sitting"] * fps, fps)


@pytest.mark.parametrize("fps", [5, 10, 25, 60])
@pytest.mark.parametrize(("before", "after"), [("sitting", "standing"), ("sitting", None), (None, "sitting")])
def test_a_lasting_change_is_shown_within_0_7_seconds(fps, before, after):
    seconds = 3
    result = shown([before] * seconds * fps + [after] * seconds * fps, fps)
    change = seconds * fps  # first frame of the new label
    assert result[change - 1] == before
    assert result[change + int(0.7 * fps)] == after
    assert after not in (result[change - 1], result[change])
    assert set(result[change + int(0.7 * fps) :]) == {after}


def test_the_story_is_the_same_at_5_and_at_60_frames_per_second():
    rng = np.random.default_rng(1)
    seconds_of = [("sitting", 4.0), ("standing", 5.0), ("lying", 3.0)]

    def story(fps):
        labels = []
        for label, length in seconds_of:
            # one label in eight is wrong
            labels += [label if rng.random() > 1 / 8 else "running" for _ in range(int(length * fps))]
        result = shown(labels, fps)
        return [b for a, b in zip([None, *result], result, strict=False) if a != b]

    assert story(5) == story(60) == ["sitting", "standing", "lying"]


def test_share_and_since():
    smoother = LabelSmoother()
    steady = [smoother.update(1, verdict("sitting", 0.8), n / 10) for n in range(30)][-1]
    assert steady.posture == "sitting"
    assert steady.share == pytest.approx(0.8)
    assert 0.1 <= steady.since_seconds <= 0.7


def test_people_do_not_mix_and_are_forgotten():
    smoother = LabelSmoother()
    for n in range(20):
        a = smoother.update(1, verdict("sitting"), n / 10)
        b = smoother.update(2, verdict("standing"), n / 10)
    assert (a.posture, b.posture) == ("sitting", "standing")
    smoother.keep({2})
    assert smoother.update(1, verdict("sitting"), 2.0).posture is None
    assert smoother.update(2, verdict("standing"), 2.0).posture == "standing"
