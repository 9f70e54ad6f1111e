"""Annotated pictures keep their names. Strategy: a folder and a pattern with names that would meet in one folder."""

import cv2
import numpy as np
import pytest

from stream.sinks.base import Drawing
from stream.sinks.pictures import PictureSink
from stream.sources.opening import open_source


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        (".", ["a.jpg", "a.png", "b.gif.jpg"]),
        ("**/*", ["a.jpg", "a.png", "b.gif.jpg", "deep/a.jpg"]),
    ],
)
def test_names_are_kept(tmp_path, worlds, pattern, written):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.jpg", "a.png", "deep/a.jpg"):
        cv2.imwrite(str(folder / name), np.full((8, 8, 3), 50, np.uint8))
    cv2.imwrite(str(folder / "b.gif"), np.full((8, 8, 3), 50, np.uint8))
    with open_source(folder / pattern) as source:
        sink = PictureSink(tmp_path / "out", source)
        for frame in source:
            sink.write(worlds.empty_scene(frame), Drawing(worlds.empty_scene(frame), lambda scene: scene.frame.bgr))
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(path.relative_to(tmp_path / "out").as_posix() for path in files) == written
    assert all(cv2.imread(str(path)).shape == (8, 8, 3) for path in files)
