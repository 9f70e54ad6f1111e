"""The demo's film: its recordings, its figures, and that the networks that ship see people in it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from pose.evaluation.oks import oks
from stream.errors import SourceError
from stream.pipeline import scenes
from stream.settings.model import Settings
from stream.sources.demo.backdrop import BACKDROPS, HEIGHT, WIDTH
from stream.sources.demo.figure import WARDROBE, body_unit, draw_figure, draw_shadow
from stream.sources.demo.film import CHAPTERS, TITLE_SECONDS, Chapter, Film, Place
from stream.sources.demo.recordings import (
    FRAMES_PER_SECOND,
    RECORDINGS,
    Recording,
    dump_recordings,
    load_recordings,
)
from stream.sources.demo.source import DemoSource
from stream.sources.opening import open_source
from tests.worlds import person


@pytest.fixture(scope="module")
def film() -> Film:
    return Film()


def test_a_file_of_recordings_gives_back_what_was_kept(tmp_path):
    rng = np.random.default_rng(0)
    people = np.concatenate([rng.uniform(-30, 1900, (2, 9, 17, 2)), rng.uniform(0, 1, (2, 9, 17, 1))], 3)
    people[1, 4:, :, 2] = -1
    (tmp_path / "some.npz").write_bytes(dump_recordings({"one": Recording(1920, 1080, people.astype(np.float32))}))
    back = load_recordings(tmp_path / "some.npz")["one"]
    assert (back.width, back.height, back.frames) == (1920, 1080, 9)
    assert (back.people[1, 4:, :, 2] == -1).all()
    there = people[..., 0, 2] >= 0
    assert np.abs(back.people[there] - people[there])[..., :2].max() <= 1 / 16 + 1e-3
    assert np.abs(back.people[there] - people[there])[..., 2].max() <= 0.005 + 1e-6
    with pytest.raises(ValueError, match="expected"):
        Recording(10, 10, np.zeros((3, 17, 3), np.float32))


def test_what_ships_is_small_and_all_of_it_is_played():
    assert RECORDINGS.stat().st_size < 150_000
    assert {place.recording for chapter in CHAPTERS for place in chapter.places} == set(load_recordings())


def test_nobody_is_there_while_a_title_is_shown_for_longer_than_tracks_are_remembered(film):
    assert Settings().tracking.max_lost_seconds < TITLE_SECONDS
    counts = [len(film.keypoints(number)) for number in range(film.frames)]
    empty = [number for number, count in enumerate(counts) if count == 0]
    begins = [number for number in empty if number == 0 or counts[number - 1] > 0]
    assert len(begins) == len(CHAPTERS)
    assert max(counts) >= 5
    assert 30 < film.frames / FRAMES_PER_SECOND < 40
    with pytest.raises(IndexError):
        film.picture(film.frames)


def test_people_move_and_the_place_does_not(film):
    first, second, later = (film.picture(number) for number in (60, 61, 110))
    assert first.shape == (HEIGHT, WIDTH, 3)
    assert (first != later).any(axis=2).mean() < 0.2
    assert (first != second).any()
    assert np.array_equal(film.picture(60), first)


@pytest.mark.parametrize("name", sorted(BACKDROPS))
def test_every_place_is_a_picture(name):
    picture = BACKDROPS[name]()
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture.dtype == np.uint8
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_a_figure_covers_its_keypoints_and_little_else():
    picture = np.full((400, 400, 3), 255, np.uint8)
    keypoints = person(200, 80, 280)
    draw_figure(picture, keypoints, WARDROBE[0])
    drawn = (picture != 255).any(axis=2)
    assert all(drawn[round(float(y)), round(float(x))] for x, y, _ in keypoints)
    assert not drawn[:, :120].any()
    assert 0.05 < drawn.mean() < 0.25


def test_who_cannot_be_seen_is_not_drawn():
    picture = np.full((300, 300, 3), 255, np.uint8)
    hidden = person(150, 60)
    hidden[:, 2] = 0.1
    assert body_unit(hidden) == 0
    draw_figure(picture, hidden, WARDROBE[0])
    draw_shadow(picture, hidden, 0.0)
    outside = person(900, 900)
    draw_figure(picture, outside, WARDROBE[0])
    draw_shadow(picture, outside, body_unit(outside))
    assert (picture == 255).all()


def test_as_a_recording_and_as_a_camera(film):
    with open_source("demo:") as recording, open_source("demo:live", name="door") as camera:
        assert (recording.name, recording.live, camera.name, camera.live) == ("demo:", False, "door", True)
        assert recording.info.frame_count == film.frames
        frames = iter(camera)
        taken = [next(frames) for _ in range(6)]
        early, late = taken[0].captured_seconds, taken[-1].captured_seconds
        assert late - early > 4 / FRAMES_PER_SECOND
        assert {frame.media_seconds for frame in taken} == {None}
        camera.close()
        assert list(frames) == []
        seconds = [frame.media_seconds for frame, _ in zip(recording, range(5), strict=False)]
        assert np.allclose(np.diff(seconds), 1 / FRAMES_PER_SECOND)
    with pytest.raises(SourceError):
        open_source("demo:other")


def test_the_networks_that_ship_see_the_drawn_people_and_the_database_names_them():
    """Nothing is made up: what is drawn over the film is found in its pictures."""
    chapters = [
        Chapter("", "home", (Place("standing", 0.55, 240, 149, 0), Place("sitting", 0.70, 460, 261, 1))),
    ]
    recordings = {name: Recording(one.width, one.height, one.people[:, :75]) for name, one in load_recordings().items()}
    film = Film(recordings, chapters)
    settings = Settings.model_validate({"pose": {"threads": 1}})
    *_, last = found = list(scenes(DemoSource(film), settings=settings))
    likeness = []
    for scene in found:
        keypoints = film.keypoints(scene.frame.number)
        if len(keypoints) and len(scene.poses):
            areas = np.ptp(keypoints[..., :2], axis=1).prod(axis=1)
            keypoints[..., 2] = keypoints[..., 2] > 0.3
            likeness += oks(scene.poses.keypoints, keypoints, areas).max(axis=0).tolist()
    assert len(likeness) > 0.9 * 2 * 75
    assert np.mean(likeness) > 0.75
    left_to_right = sorted(last.people, key=lambda one: last.poses.boxes[one.row, 0])
    assert [one.posture for one in left_to_right] == ["standing", "sitting"]
    assert all(a.frame.number < b.frame.number for a, b in pairwise(found))
