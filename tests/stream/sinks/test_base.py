"""Sinks share one drawing."""

import threading

import numpy as np

from stream.sinks.base import Drawing


def test_drawn_once_and_only_when_asked(worlds):
    drawn = []

    def draw(scene):
        drawn.append(scene)
        return scene.frame.bgr.copy()

    scene = worlds.empty_scene(worlds.FakeSource().frame(5))
    drawing = Drawing(scene, draw)
    assert drawn == []
    threads = [threading.Thread(target=lambda: drawing.bgr) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn == [scene]
    assert drawing.bgr is drawing.bgr
    assert not drawing.bgr.flags.writeable
    np.testing.assert_array_equal(drawing.bgr, scene.frame.bgr)
