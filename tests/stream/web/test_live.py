"""Scenes reach every viewer, newest first, each compressed once, and nobody waits for a slow one. Strategy: a real
server and bare WebSocket clients; how often a picture is compressed is counted where it is."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import replace

import cv2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from stream.sources.status import SourceState, SourceStatus
from stream.web import message as message_module
from stream.web.app import MAX_VIEWERS
from tests.stream.web.worlds import page_of, taken_apart

pytest.importorskip("uvicorn", reason="the extra web is not installed (pip install '.[web]')")


@pytest.fixture
def compressed(monkeypatch):
    """The pictures that were compressed."""
    done, jpeg = [], message_module._jpeg
    monkeypatch.setattr(message_module, "_jpeg", lambda bgr: done.append(bgr) or jpeg(bgr))
    return done


def say(viewer: ClientConnection, **said: object) -> None:
    viewer.send(json.dumps(said))


def next_scene(viewer: ClientConnection) -> tuple[dict, bytes]:
    while True:
        data = viewer.recv(timeout=10)
        if isinstance(data, bytes):
            return taken_apart(data)


def hear_all(viewer: ClientConnection) -> None:
    while True:
        viewer.recv(timeout=5)


def nothing_comes(viewer: ClientConnection, seconds: float = 0.3) -> bool:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            if isinstance(viewer.recv(timeout=left), bytes):
                return False
        except TimeoutError:
            return True
    return True


def test_a_scene_with_its_picture(page):
    scene = page.write(brightness=77)
    with connect(page.address("live", "ws")) as viewer:
        say(viewer, watch=["door", "no such camera"])
        record, jpeg = next_scene(viewer)
    assert (record["source"], record["serial"], record["width"], record["height"]) == ("door", 1, 640, 360)
    assert 0 <= record["age_seconds"] < 10
    record["people"].sort(key=lambda one: one["row"])
    assert [(one["row"], one["track"], one["posture"]) for one in record["people"]] == [(0, 7, "sitting"), (1, 8, None)]
    assert record["people"][0]["mean_probability"] == 0.9
    assert record["people"][0]["box"] == pytest.approx(scene.poses.boxes[0].tolist(), abs=0.06)
    assert record["people"][0]["colour"].startswith("#")
    assert record["people"][1]["colour"] == "#969696"
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (360, 640, 3)
    assert abs(int(picture.mean()) - 77) <= 1


def test_who_has_not_shown_the_last_scene_gets_no_other_and_then_the_newest(page, compressed):
    page.write()
    with connect(page.address("live", "ws")) as viewer:
        say(viewer, watch=["door"])
        assert next_scene(viewer)[0]["frame"] == 0
        for _ in range(20):
            page.write()
        assert nothing_comes(viewer)
        say(viewer, shown="door")
        assert next_scene(viewer)[0]["frame"] == 20
        say(viewer, shown="door")
        assert nothing_comes(viewer)  # the same scene is not sent twice
    assert len(compressed) == 2


def test_every_scene_is_compressed_once_for_all_and_nobody_waits_for_the_slow(page, compressed):
    with ExitStack() as stack:
        slow, *viewers = (stack.enter_context(connect(page.address("live", "ws"))) for _ in range(6))
        for viewer in (slow, *viewers):
            say(viewer, watch=["door"])
        for number in range(10):
            page.write()
            for viewer in viewers:
                assert next_scene(viewer)[0]["frame"] == number
                say(viewer, shown="door")
    assert len(compressed) == 10


def test_writing_costs_nothing_while_nobody_watches(page, compressed):
    with connect(page.address("live", "ws")) as viewer:
        page.write()
        say(viewer, watch=["door"])
        next_scene(viewer)
        say(viewer, watch=[])
        say(viewer, shown="door")
        assert nothing_comes(viewer)
        done = len(compressed)
        began = time.thread_time()
        scene = page.write()
        for _ in range(1000):
            page.board.write(scene, None)
        assert time.thread_time() - began < 0.5
        time.sleep(0.1)
    assert len(compressed) <= done + 1  # one may have been waited for before


def test_cameras_tell_where_they_stand(page):
    page.sources["door"].status = SourceStatus(
        SourceState.WAITING, "no route to host", time.monotonic() - 12, time.monotonic() + 4
    )
    for _ in range(3):
        page.write()
    with connect(page.address("live", "ws")) as viewer:
        door, clip = json.loads(viewer.recv(timeout=10))["cameras"]
    assert (door["camera"], door["state"], door["reason"], door["people"]) == ("door", "waiting", "no route to host", 2)
    assert door["state_seconds"] == pytest.approx(12, abs=1)
    assert door["next_try_seconds"] == pytest.approx(4, abs=1)
    assert door["frames_per_second"] > 0
    assert door["drops"] == {"replaced": 3, "stale": 1, "capped": 0}
    assert (clip["live"], clip["picture_seconds"], clip["age_seconds"], clip["drops"]) == (False, None, None, {})


def test_where_pictures_are_hidden_none_leaves(worlds):
    with page_of(worlds, picture=False) as page:
        page.write()
        with connect(page.address("live", "ws")) as viewer:
            say(viewer, watch=["door"])
            record, jpeg = next_scene(viewer)
    assert len(record["people"]) == 2
    assert jpeg == b""


def test_large_pictures_are_made_smaller(page, worlds):
    scene = page.write()
    frame = scene.frame
    large = replace(scene, frame=replace(frame, number=1, bgr=np.zeros((1080, 1920, 3), np.uint8)))
    page.board.write(large, None)
    with connect(page.address("live", "ws")) as viewer:
        say(viewer, watch=["door"])
        record, jpeg = next_scene(viewer)
    assert (record["width"], record["height"]) == (1920, 1080)
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (720, 1280, 3)


def test_so_many_viewers_and_no_more(page):
    with ExitStack() as stack:
        viewers = [stack.enter_context(connect(page.address("live", "ws"))) for _ in range(MAX_VIEWERS)]
        with connect(page.address("live", "ws")) as late, pytest.raises(ConnectionClosed) as closed:
            late.recv(timeout=10)
        assert closed.value.rcvd.code == 1013
        viewers.pop().close()
        time.sleep(0.3)
        with connect(page.address("live", "ws")) as viewer:
            assert "cameras" in viewer.recv(timeout=10)


def test_closing_hangs_up_in_time(worlds):
    with page_of(worlds) as page, ExitStack() as stack:
        page.write()
        viewer = stack.enter_context(connect(page.address("live", "ws")))
        say(viewer, watch=["door"])
        next_scene(viewer)
        began = time.monotonic()
        page.server.close()
        assert time.monotonic() - began < 3
        with pytest.raises(ConnectionClosed):
            hear_all(viewer)
