"""From frames to scenes, with real parts where they are cheap: a real index, a real tracker, real smoothing.

Only the network is replaced, by an estimator that knows who is in which frame: what is tested here is what happens to
people after they were found.
"""

import numpy as np
import pytest

from index import PostureIndex
from pose import Poses, get_embedding
from pose.network_descriptions import describe_network
from stream.frame import Frame
from stream.recogniser import Recogniser
from stream.run.status import summary
from stream.run.tally import SourceTally
from stream.settings.model import Settings
from tests.worlds import person, poses

BLANK = np.zeros((480, 640, 3), np.uint8)


def bowed(x: float, y: float, height: float = 200.0) -> np.ndarray:
    """The upright person with hips behind and legs folded: another posture for `nose25`."""
    keypoints = person(x, y, height)
    keypoints[13:15, 0] += 0.35 * height
    keypoints[15:17, :2] += [0.35 * height, -0.30 * height]
    return keypoints


@pytest.fixture(scope="module")
def index():
    rng = np.random.default_rng(0)
    index = PostureIndex("nose25")
    embed = get_embedding("nose25")
    for label, make in (("upright", person), ("bowed", bowed)):
        crowd = [make(300, 100) + np.pad(rng.normal(0, 2, (17, 2)), ((0, 0), (0, 1))) for _ in range(12)]
        index.add(embed(poses(*[p.astype(np.float32) for p in crowd])), [label] * 12)
    return index


class Script:
    """An estimator that recites: the people of frame n, whatever the picture shows."""

    person_threshold, high_score_threshold, top_down, concurrency = 0.1, 0.3, None, 2
    description = describe_network("yolov7-w6-pose")

    def __init__(self, *people_of_frame: Poses):
        self.left = list(people_of_frame)

    def find(self, picture):
        return self.left.pop(0)
        yield


def frame(number, source="cam", fps=10.0, epoch=0):
    return Frame(BLANK, source, number, epoch, number / fps, 1000.0 + number / fps)


def test_everybody_is_named_and_followed(index):
    people = [poses(person(100 + 5 * n, 100), bowed(400, 120)) for n in range(20)]
    recogniser = Recogniser(Script(*people), index)
    scenes = [scene for start in range(0, 20, 4) for scene in recogniser([frame(start + n) for n in range(4)])]
    assert [scene.frame.number for scene in scenes] == list(range(20))
    last = scenes[-1]
    assert [(p.row, p.track, p.posture) for p in last.people] == [(0, 1, "upright"), (1, 2, "bowed")]
    assert all(p.classification.reason is None and p.probability > 0.9 for p in last.people)
    assert scenes[0].people[0].posture is None  # one frame is no evidence


def test_batches_do_not_change_the_story(index):
    people = [poses(*([person(100 + 9 * n, 100)] + [bowed(400, 100)] * (n % 3 > 0))) for n in range(24)]
    one = Recogniser(Script(*people), index)
    four = Recogniser(Script(*people), index)
    singly = [one([frame(n)])[0] for n in range(24)]
    batched = [scene for n in range(0, 24, 4) for scene in four([frame(n + k) for k in range(4)])]
    assert [scene.people for scene in singly] == [scene.people for scene in batched]


def test_what_is_judged_is_what_is_shown_steadied_keypoints(index):
    rng = np.random.default_rng(1)
    shaken = [person(300, 100) + np.pad(rng.normal(0, 4, (17, 2)), ((0, 0), (0, 1))) for _ in range(12)]
    people = [poses(keypoints.astype(np.float32)) for keypoints in shaken]
    batch = [frame(n, fps=30.0) for n in range(12)]
    last = Recogniser(Script(*people), index)(batch)[-1]
    resting = person(300, 100)
    assert np.abs(last.poses.keypoints - resting).mean() < np.abs(people[-1].keypoints - resting).mean() / 2
    assert np.array_equal(last.poses.boxes, people[-1].boxes)
    assert np.array_equal(last.poses.keypoints[..., 2], people[-1].keypoints[..., 2])
    assert last.people[0].classification == index.classify(index.embedding(last.poses))[0]
    untouched = Recogniser(Script(*people), index, Settings(keypoint_filter={"enabled": False}))(batch)[-1]
    assert untouched.poses is people[-1]


def test_whoever_was_found_twice_is_in_the_scene_once(index):
    both = poses(person(300, 100), person(302, 101), bowed(600, 100), scores=(0.6, 0.9, 0.8))
    scene = Recogniser(Script(*[both] * 12), index)([frame(n) for n in range(12)])[-1]
    assert np.allclose(scene.poses.scores, (0.9, 0.8))
    assert [(p.row, p.track, p.posture) for p in scene.people] == [(0, 1, "upright"), (1, 2, "bowed")]


def test_sources_do_not_mix(index):
    """Two cameras in one batch, both with one person at the same place in another posture."""
    people = [poses(make(300, 100)) for _ in range(10) for make in (person, bowed)]
    recogniser = Recogniser(Script(*people), index)
    for n in range(10):
        a, b = recogniser([frame(n, "a"), frame(n, "b")])
    assert [(p.track, p.posture) for p in a.people] == [(1, "upright")]
    assert [(p.track, p.posture) for p in b.people] == [(1, "bowed")]


def test_a_source_may_have_a_database_of_its_own(index):
    own = PostureIndex("nose25")
    own.add(index.embedding(poses(*[person(300, 100)] * 12)), ["on duty"] * 12)
    people = [poses(person(300, 100)) for _ in range(30)]
    recogniser = Recogniser(Script(*people), index, indexes={"b": own})
    for n in range(10):
        scenes = recogniser([frame(n, "a"), frame(n, "b"), frame(n, "c")])
    assert [scene.people[0].posture for scene in scenes] == ["upright", "on duty", "upright"]


def test_a_picture_of_another_size_begins_anew_and_no_number_comes_twice(index):
    """A camera that comes back with other pictures: where people were in the old ones says nothing."""
    recogniser = Recogniser(Script(*[poses(person(300, 100))] * 20), index)
    small = np.zeros((240, 320, 3), np.uint8)
    told = []
    for n in range(20):
        bgr, epoch = (BLANK, 0) if n < 10 else (small, 1)
        (scene,) = recogniser([Frame(bgr, "cam", n, epoch, None, 1000 + n / 10)])
        told.append([one.track for one in scene.people])
    assert told[9] == [1]
    assert told[10] == [None]
    assert told[19] == [2]


def test_a_person_with_too_few_keypoints_is_unknown_with_the_reason(index):
    hidden = person(300, 100)
    hidden[4:, 2] = 0.1
    recogniser = Recogniser(Script(*[poses(hidden)] * 10), index)
    for n in range(10):
        (scene,) = recogniser([frame(n)])
    (somebody,) = scene.people
    assert somebody.posture is None
    assert somebody.classification.reason == "too few keypoints"


def test_nobody_is_a_scene_without_people(index):
    (scene,) = Recogniser(Script(Poses.empty()), index)([frame(0)])
    assert scene.people == ()
    assert Recogniser(Script(), index)([]) == []


def test_stills_stand_for_themselves(index):
    recogniser = Recogniser(Script(poses(person(1, 1)), poses(bowed(1, 1))), index, stills=["cam"])
    first, second = recogniser([frame(0), frame(1)])
    assert np.array_equal(second.poses.keypoints, poses(bowed(1, 1)).keypoints)
    assert [(p.track, p.posture) for p in first.people + second.people] == [(None, "upright"), (None, "bowed")]


def test_somebody_found_twice_in_a_still_is_one_person(index):
    found = poses(person(300, 100), person(302, 130), person(340, 100), scores=(0.4, 0.15, 0.15))
    (scene,) = Recogniser(Script(found), index, stills=["cam"])([frame(0)])
    assert scene.poses.boxes[:, 0] == pytest.approx(found.boxes[[0, 2], 0])


def test_time_never_turns_back(index):
    """A recording with a broken timestamp must not lose its people or its labels."""
    recogniser = Recogniser(Script(*[poses(person(300, 100))] * 12), index, Settings())
    times = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.1, 0.2, 0.6, 0.7, 0.8, 0.9]
    for n, seconds in enumerate(times):
        (scene,) = recogniser([Frame(BLANK, "clip", n, 0, seconds, float(n))])
    assert [(p.track, p.posture) for p in scene.people] == [(1, "upright")]


def test_why_nobody_knows_is_counted_and_told(index):
    heap = person(400, 120)
    heap[5:, :2] = heap[5, :2] + 0.2 * np.arange(12)[:, None]
    few = person(250, 100)
    few[4:, 2] = 0.1
    (scene,) = Recogniser(Script(poses(person(100, 100, height=15), few, heap)), index, stills=["cam"])([frame(0)])
    assert [p.classification.reason for p in scene.people] == ["too small", "too few keypoints", "collapsed skeleton"]
    tally = SourceTally()
    tally.count(scene, live=False)
    assert tally.reasons == {"too small": 1, "too few keypoints": 1, "collapsed skeleton": 1}

    class Recording:
        name, still, live = "clip.mp4", False, False

    assert "unknown because: too small 34%, too few keypoints 33%" in summary(Recording(), tally)


def striding(seconds: float) -> np.ndarray:
    """The upright person on a walk: 0.8 heights and 1.9 steps per second."""
    keypoints = person(100 + 160 * seconds, 100)
    keypoints[15:17, 0] += 42 * np.sin(np.pi * 1.9 * seconds) * np.array([1, -1])
    return keypoints


def two_gaits(*labels: str) -> PostureIndex:
    """Two labels that no picture tells apart, and a posture."""
    rng = np.random.default_rng(0)
    index = PostureIndex("nose25")
    embed = get_embedding("nose25")
    for label, make in ((labels[0], person), (labels[1], person), ("bowed", bowed)):
        crowd = [make(300, 100) + np.pad(rng.normal(0, 4, (17, 2)), ((0, 0), (0, 1))) for _ in range(20)]
        index.add(embed(poses(*[p.astype(np.float32) for p in crowd])), [label] * 20)
    return index


def test_walking_and_standing_are_told_apart_by_motion():
    people = [poses(striding(n / 10), person(400, 100)) for n in range(30)]
    recogniser = Recogniser(Script(*people), two_gaits("standing", "walking"))
    *_, last = (scene for n in range(30) for scene in recogniser([frame(n)]))
    assert [p.classification.best for p in last.people] == ["walking", "standing"]
    assert all(p.classification.gait for p in last.people)


def test_gait_takes_no_part_when_switched_off_or_where_nobody_walks_in_the_database():
    people = [poses(striding(n / 10), person(400, 100)) for n in range(30)]
    off = Settings.model_validate({"smoothing": {"gait": False}})
    for labels, settings in ((("standing", "walking"), off), (("standing", "running"), Settings())):
        recogniser = Recogniser(Script(*people), two_gaits(*labels), settings)
        *_, last = (scene for n in range(30) for scene in recogniser([frame(n)]))
        assert not any(p.classification.gait for p in last.people)


def test_a_loop_of_ones_own_is_one_line_a_picture(index):
    people = [poses(person(100 + 5 * n, 100)) for n in range(20)]
    recogniser = Recogniser(Script(*people, *people), index)
    scenes = [recogniser.step(BLANK, n / 10) for n in range(20)]
    assert [scene.frame.number for scene in scenes] == list(range(20))
    assert [scene.frame.seconds for scene in scenes] == [n / 10 for n in range(20)]
    assert [(p.track, p.posture) for p in scenes[-1].people] == [(1, "upright")]
    others = [recogniser.step(BLANK[..., ::-1], n / 10, source="other") for n in range(20)]
    assert [scene.frame.number for scene in others] == list(range(20))
    assert [scene.people for scene in others] == [scene.people for scene in scenes]


def test_a_loop_of_ones_own_may_leave_the_clock_to_us(index):
    recogniser = Recogniser(Script(*[poses(person(100, 100))] * 2), index)
    first, second = recogniser.step(BLANK), recogniser.step(BLANK)
    assert first.frame.media_seconds is None
    assert 0 <= second.frame.seconds - first.frame.seconds < 5
    with pytest.raises(ValueError, match="expected uint8"):
        recogniser.step(BLANK[..., 0])
