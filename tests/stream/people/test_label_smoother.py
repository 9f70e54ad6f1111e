"""Labels over time, in made tracks: nothing that lasts one frame is shown, everything that lasts is shown soon, and the
frame rate does not matter."""

import numpy as np
import pytest

from stream.people.label_smoother import LabelSmoother
from tests.stream.people.classifications import certain, too_far, votes

BOX = np.array([[0, 0, 100, 300]], np.float32)


def steadied(classifications, fps, **options):
    smoother = LabelSmoother(**options)
    return [smoother.update([7], BOX, [classification], n / fps)[0] for n, classification in enumerate(classifications)]


def shown(labels, fps, **options):
    return [steady.posture for steady in steadied(map(certain, labels), fps, **options)]


def story(postures):
    return [b for a, b in zip([None, *postures], postures, strict=False) if a != b]


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


def test_doubt_grows_until_the_label_changes_and_is_none_while_frames_agree():
    fps = 20
    result = steadied([certain("sitting")] * 2 * fps + [certain("standing")] * fps, fps, switch_seconds=0.5)
    change = next(n for n, steady in enumerate(result) if steady.posture == "standing")
    assert [steady.doubt for steady in result[fps : 2 * fps]] == [0.0] * fps
    doubts = [steady.doubt for steady in result[2 * fps : change]]
    np.testing.assert_allclose(doubts, np.arange(1, len(doubts) + 1) / fps / 0.5)
    assert all(0 < doubt < 1 for doubt in doubts)
    assert result[change].doubt == 0.0


@pytest.mark.parametrize("fps", [20, 60])
def test_a_certain_change_takes_the_switch_time_and_a_doubtful_one_longer(fps):
    before, after = [certain("sitting")] * fps, votes(standing=0.6, sitting=0.4)
    for classification, seconds in ((certain("standing"), 0.35), (after, 0.35 / 0.1353)):  # ln(0.6 / 0.4) / ln(20)
        result = steadied(before + [classification] * 4 * fps, fps, switch_seconds=0.35)
        first = next(n for n, steady in enumerate(result) if steady.posture == "standing")
        # The first frame of the new label stands for the time since the last of the old one.
        assert (first - (fps - 1)) / fps == pytest.approx(seconds, abs=1.01 / fps)
        assert result[first].since_seconds == first / fps


def test_a_shift_of_a_few_votes_to_and_fro_changes_nothing():
    """Frame by frame, the majority changes eight times a second; over a switch time, nothing is ahead."""
    for_sitting, for_standing = votes(sitting=0.55, standing=0.45), votes(sitting=0.45, standing=0.55)
    flicker = ([for_sitting] * 3 + [for_standing] * 3) * 60
    result = [steady.posture for steady in steadied([certain("sitting")] * 24 + flicker, 24)]
    assert story(result) == ["sitting"]


def test_no_two_changes_lie_closer_together_than_the_switch_time():
    """When standing is shown, lying is as far ahead of sitting, but that says nothing against standing."""
    said = [certain("sitting")] * 50 + [votes(standing=0.51, lying=0.49)] * 25 + [certain("lying")] * 50
    result = steadied(said, 50, switch_seconds=0.35)
    begins = {steady.posture: steady.since_seconds for steady in result}
    assert story([steady.posture for steady in result]) == ["sitting", "standing", "lying"]
    assert begins["lying"] == pytest.approx(1.5 + 0.35, abs=0.03)


def test_the_story_is_the_same_at_5_and_at_60_frames_per_second():
    """Every fifth of a second has its own noise, which frames within it share: one in eight is wrong."""
    rng = np.random.default_rng(1)
    truth = ["sitting"] * 20 + ["standing"] * 25 + ["lying"] * 15
    said = [certain("running") if rng.random() < 1 / 8 else votes(**{label: 0.7, "plank": 0.3}) for label in truth]
    five, sixty = steadied(said, 5), steadied([said[n // 12] for n in range(60 * 12)], 60)
    assert story([s.posture for s in five]) == story([s.posture for s in sixty]) == ["sitting", "standing", "lying"]
    begins = [sorted({s.since_seconds for s in one if s.since_seconds is not None}) for one in (five, sixty)]
    np.testing.assert_allclose(*begins, atol=0.25)


def test_frames_at_the_same_instant_say_nothing_new():
    smoother = LabelSmoother()
    for n in range(10):
        smoother.update([7], BOX, [certain("sitting")], n / 10)
    repeated = [smoother.update([7], BOX, [certain("lying")], 0.9)[0] for _ in range(100)]
    assert {steady.posture for steady in repeated} == {"sitting"}


@pytest.mark.parametrize("refused", [certain(None), too_far(sitting=1.0)])
def test_who_cannot_be_judged_keeps_the_posture_for_a_moment_and_then_loses_it(refused):
    result = [s.posture for s in steadied([certain("sitting")] * 30 + [refused] * 30, 30)]
    assert set(result[29:45]) == {"sitting"}  # half a second
    assert set(result[51:]) == {None}  # 0.7 seconds


def test_a_posture_with_hardly_any_votes_gives_way_to_unknown():
    scattered = [votes(**dict.fromkeys("abcdefghij", 0.08), sitting=0.2)] * 180
    result = [s.posture for s in steadied([certain("sitting")] * 30 + scattered, 30, unknown_probability=0.3)]
    assert result[-1] is None
    result = [s.posture for s in steadied([certain("sitting")] * 30 + scattered, 30, unknown_probability=0.1)]
    assert result[-1] == "sitting"


def test_votes_that_are_scattered_at_random_name_nobody():
    rng = np.random.default_rng(3)
    said = [votes(**dict(zip("abcdef", rng.dirichlet(np.full(6, 4.0)), strict=True))) for _ in range(250)]
    result = [steady.posture for steady in steadied(said, 25)]
    assert result.count(None) > 0.9 * len(result)
    # One who is unknown so far is named as soon as it becomes clear.
    result = [steady.posture for steady in steadied([*said[:25], *[certain("sitting")] * 25], 25)]
    assert "sitting" in result[25 : 25 + round(0.6 * 25)]


def test_probability_and_since():
    result = steadied([votes(sitting=0.8, standing=0.2)] * 30 + [votes(sitting=0.6, standing=0.4)] * 60, 10)
    assert (result[2].posture, result[2].probability, result[2].since_seconds) == (None, 0.0, None)
    assert result[29].posture == "sitting"
    assert result[29].probability == pytest.approx(0.8)
    assert result[34].probability == pytest.approx(0.6 + 0.2 / np.e, abs=1e-6)  # one time constant later
    assert result[-1].probability == pytest.approx(0.6, abs=1e-3)
    assert len({steady.since_seconds for steady in result if steady.posture}) == 1
    assert 0.3 <= result[-1].since_seconds <= 0.9


class TestOutOfSight:
    def smoother(self):
        smoother = LabelSmoother(grace_seconds=1.0)
        for n in range(20):
            smoother.update([1, 2], np.array([[0, 0, 100, 300], [400, 0, 500, 300]], np.float32),
                            [certain("sitting"), certain("standing")], n / 10)  # fmt: skip
        return smoother

    def test_people_do_not_mix(self):
        steady = self.smoother().update([1], BOX, [certain("sitting")], 2.0)
        assert [s.posture for s in steady] == ["sitting"]

    def test_a_short_absence_changes_nothing(self):
        smoother = self.smoother()
        before = smoother.update([1], BOX, [certain("sitting")], 2.0)
        assert smoother.update([], np.zeros((0, 4), np.float32), [], 2.4) == []
        assert smoother.update([1], BOX, [certain("sitting")], 2.9) == before

    def test_a_long_one_is_forgotten(self):
        smoother = self.smoother()
        assert smoother.update([1], BOX, [certain("sitting")], 3.0)[0].posture is None
        assert len(smoother._people) == 1

    def test_a_new_number_at_the_same_place_inherits_all(self):
        smoother = self.smoother()
        (before,) = smoother.update([1], BOX, [certain("sitting")], 2.0)
        assert smoother.update([3], BOX + 10, [certain("sitting")], 2.4) == [before]

    def test_a_new_number_elsewhere_begins_anew(self):
        smoother = self.smoother()
        assert smoother.update([3], BOX + 200, [certain("sitting")], 2.0)[0].posture is None
